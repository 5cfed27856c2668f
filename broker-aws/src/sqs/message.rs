//! Messages between their wire form and the broker's.

use std::time::Duration;

use broker_core::{AttributeValue, Message, MessageAttributes, SendMessage};
use bytes::Bytes;

use super::{
    digest::{self, Digested},
    errors,
    shapes::{
        self, MessageAttributeMap, MessageAttributeValue, SendMessageBatchRequestEntry, SendMessageRequest,
        Texts,
    },
    target,
};
use crate::{
    call::Context,
    wire::{blob::Blob, error::WireResult},
};

/// The one system attribute that can be sent.
pub(super) const TRACE_HEADER: &str = "AWSTraceHeader";

/// What is sent, from a request for one or from an entry of a batch.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) body: Option<String>,
    pub(super) delay_seconds: Option<i32>,
    pub(super) attributes: MessageAttributeMap,
    pub(super) system_attributes: MessageAttributeMap,
    pub(super) deduplication_id: Option<String>,
    pub(super) group_id: Option<String>,
}

impl From<SendMessageRequest> for Outgoing {
    fn from(request: SendMessageRequest) -> Self {
        Self {
            body: request.message_body,
            delay_seconds: request.delay_seconds,
            attributes: request.message_attributes.unwrap_or_default(),
            system_attributes: request.message_system_attributes.unwrap_or_default(),
            deduplication_id: request.message_deduplication_id,
            group_id: request.message_group_id,
        }
    }
}

impl From<SendMessageBatchRequestEntry> for Outgoing {
    fn from(entry: SendMessageBatchRequestEntry) -> Self {
        Self {
            body: entry.message_body,
            delay_seconds: entry.delay_seconds,
            attributes: entry.message_attributes.unwrap_or_default(),
            system_attributes: entry.message_system_attributes.unwrap_or_default(),
            deduplication_id: entry.message_deduplication_id,
            group_id: entry.message_group_id,
        }
    }
}

/// The digests of a message that was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Digests {
    pub(super) body: String,
    pub(super) attributes: Option<String>,
    pub(super) system_attributes: Option<String>,
}

impl Digests {
    /// Those of this message.
    pub(super) fn of(message: &SendMessage, sent: &MessageAttributeMap) -> Self {
        let system = system_attributes(sent).ok().flatten();
        let trace = system.iter().map(|trace| Digested {
            name: TRACE_HEADER,
            data_type: "String",
            binary: false,
            value: trace.as_bytes(),
        });
        Self {
            body: digest::of_body(&message.body),
            attributes: digest_of(&message.attributes),
            system_attributes: digest::of_attributes(trace),
        }
    }
}

fn digest_of(attributes: &MessageAttributes) -> Option<String> {
    digest::of_attributes(attributes.iter().map(|(name, value)| Digested {
        name,
        data_type: value.data_type(),
        binary: value.text().is_none(),
        value: value.bytes(),
    }))
}

/// The most seconds of a delay.
const DELAY_SECONDS_MAX: u64 = 900;

/// A message as the broker takes it. What is not checked here, it checks.
pub(super) fn outgoing(context: &Context, fifo: bool, outgoing: &Outgoing) -> WireResult<SendMessage> {
    let body = outgoing.body.clone().filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| errors::missing("MessageBody"))?;
    let mut message = SendMessage::new(body);
    message.delay = delay(fifo, outgoing.delay_seconds)?;
    for (name, value) in &outgoing.attributes {
        message.attributes.insert(name.clone(), attribute(name, value)?);
    }
    let trace = system_attributes(&outgoing.system_attributes)?;
    message.trace_header = trace.or_else(|| context.origin.trace.clone());
    message.group_id.clone_from(&outgoing.group_id);
    message.deduplication_id.clone_from(&outgoing.deduplication_id);
    Ok(message)
}

fn delay(fifo: bool, seconds: Option<i32>) -> WireResult<Option<Duration>> {
    let Some(given) = seconds else { return Ok(None) };
    let refused = |reason: &str| errors::invalid_value("DelaySeconds", given, reason);
    match u64::try_from(given) {
        Ok(seconds @ 1..) if fifo && seconds <= DELAY_SECONDS_MAX => Err(refused(errors::NOT_FOR_THIS_TYPE)),
        Ok(seconds @ 0..=DELAY_SECONDS_MAX) => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(refused(&format!("DelaySeconds must be >= 0 and <= {DELAY_SECONDS_MAX}."))),
    }
}

/// An attribute as the broker takes it (rules Q32 to Q35).
fn attribute(name: &str, value: &MessageAttributeValue) -> WireResult<AttributeValue> {
    let MessageAttributeValue { string_value, binary_value, data_type, .. } = value;
    let lists = value.string_list_values.as_ref().is_some_and(|values| !values.is_empty())
        || value.binary_list_values.as_ref().is_some_and(|values| !values.is_empty());
    if lists {
        return Err(errors::invalid(format!("Message attribute list values of '{name}' are not supported.")));
    }
    let data_type = data_type.clone().unwrap_or_default();
    if data_type.is_empty() {
        let message =
            format!("The message attribute '{name}' must contain a non-empty message attribute type.");
        return Err(errors::invalid(message));
    }
    let kind = data_type.split_once('.').map_or(data_type.as_str(), |(kind, _)| kind);
    let empty = |kind: &str| {
        let message =
            format!("Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.");
        errors::invalid(message)
    };
    match kind {
        "String" | "Number" => {
            let text = string_value.clone().filter(|text| !text.is_empty()).ok_or_else(|| empty(kind))?;
            Ok(AttributeValue::from_text(data_type, text))
        }
        "Binary" => {
            let bytes = binary_value.clone().filter(|Blob(bytes)| !bytes.is_empty());
            let Blob(bytes) = bytes.ok_or_else(|| empty(kind))?;
            Ok(AttributeValue::from_binary(data_type, bytes))
        }
        _ => {
            let message = format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is \
                 Binary, Number, and String."
            );
            Err(errors::invalid(message))
        }
    }
}

/// The trace header among the system attributes that were sent (rule Q24).
fn system_attributes(sent: &MessageAttributeMap) -> WireResult<Option<String>> {
    let mut trace = None;
    for (name, value) in sent {
        if name != TRACE_HEADER {
            let message = format!("Message system attribute name '{name}' is invalid.");
            return Err(errors::invalid(message));
        }
        if value.data_type.as_deref() != Some("String") {
            let message = format!(
                "The message system attribute '{TRACE_HEADER}' has an invalid message system attribute type, the set of \
                 supported type prefixes is String."
            );
            return Err(errors::invalid(message));
        }
        trace = Some(value.string_value.clone().filter(|text| !text.is_empty()).ok_or_else(|| {
            let message = format!(
                "Message (system) attribute '{TRACE_HEADER}' must contain a non-empty value of type 'String'."
            );
            errors::invalid(message)
        })?);
    }
    Ok(trace)
}

/// What of a received message is wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) system: Vec<String>,
    pub(super) attributes: Vec<String>,
}

/// A message as a client gets it (rules Q57, Q58).
pub(super) fn incoming(context: &Context, message: &Message, wanted: &Wanted) -> shapes::Message {
    let selected = message.attributes.select(wanted.attributes.iter().map(String::as_str));
    let md5_of_message_attributes = digest_of(&selected);
    let shown = |value: AttributeValue| {
        let text = value.text().map(str::to_owned);
        let binary = text.is_none().then(|| Blob(Bytes::copy_from_slice(value.bytes())));
        let data_type = Some(value.data_type().to_owned());
        MessageAttributeValue { string_value: text, binary_value: binary, data_type, ..Default::default() }
    };
    shapes::Message {
        message_id: message.id.to_string(),
        receipt_handle: message.receipt.to_string(),
        md5_of_body: digest::of_body(&message.body),
        attributes: system_attributes_of(context, message, &wanted.system),
        md5_of_message_attributes,
        message_attributes: selected.into_iter().map(|(name, value)| (name, shown(value))).collect(),
        // The broker may have been told to take any bytes.
        body: String::from_utf8_lossy(&message.body).into_owned(),
    }
}

fn system_attributes_of(context: &Context, message: &Message, wanted: &[String]) -> Texts {
    if wanted.is_empty() {
        return Texts::new();
    }
    let mut attributes = Texts::new();
    let mut show = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value);
        }
    };
    show("SenderId", Some(context.origin.realm.account().to_owned()));
    show("SentTimestamp", Some(message.sent_at.as_millis().to_string()));
    show("ApproximateReceiveCount", Some(message.receive_count.to_string()));
    show("ApproximateFirstReceiveTimestamp", Some(message.first_received_at.as_millis().to_string()));
    show("MessageGroupId", message.group_id.clone());
    show("MessageDeduplicationId", message.deduplication_id.clone());
    show("SequenceNumber", message.sequence_number.map(|number| number.to_string()));
    show(TRACE_HEADER, message.trace_header.clone());
    let source = message.dead_letter.as_ref().map(|why| target::queue_arn(context, &why.source));
    show("DeadLetterQueueSourceArn", source);
    let all = wanted.iter().any(|name| name == "All");
    attributes.retain(|name, _| all || wanted.iter().any(|wanted| wanted == name));
    attributes
}
