//! An event as it waits in the queue: its body is the event, and attributes say how far it is.

use broker_core::{AttributeValue, Message, MessageAttributes, SendMessage, Timestamp};
use bytes::Bytes;
use uuid::Uuid;

use crate::telemetry::{TRACE_PARENT, TRACE_STATE};

const REQUEST_ID: &str = "requestId";
const INVOKED_AT: &str = "invokedAt";
const ATTEMPTS: &str = "attempts";

/// What the attributes add to a message, at most: an id, two numbers, their names and types.
pub(super) const OVERHEAD_BYTES: usize = 256;

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredEvent {
    pub(super) request_id: Uuid,
    pub(super) payload: Bytes,
    /// When the function was called.
    pub(super) invoked_at: Timestamp,
    /// How often the function has failed on it.
    pub(super) attempts: u32,
    /// Who has called the function, as the message says it; nobody says so of an event that was just called.
    pub(super) trace: Option<Trace>,
}

/// The trace context of a message, in the form that it came in: that fits again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    attributes: Vec<(&'static str, AttributeValue)>,
    header: Option<String>,
}

impl Trace {
    fn read(message: &Message) -> Self {
        let attribute = |name| Some((name, message.attributes.get(name)?.clone()));
        let attributes = [TRACE_PARENT, TRACE_STATE].into_iter().filter_map(attribute).collect();
        Self { attributes, header: message.trace_header.clone() }
    }
}

impl StoredEvent {
    pub(super) fn message(&self) -> SendMessage {
        let mut message = SendMessage::new(self.payload.clone())
            .attribute(REQUEST_ID, AttributeValue::string(self.request_id.to_string()))
            .attribute(INVOKED_AT, AttributeValue::number(self.invoked_at.as_millis()))
            .attribute(ATTEMPTS, AttributeValue::number(self.attempts));
        if let Some(trace) = &self.trace {
            for (name, value) in &trace.attributes {
                message = message.attribute(*name, value.clone());
            }
            message.trace_header.clone_from(&trace.header);
        }
        message
    }

    /// `None` if it is a message that somebody else has sent.
    pub(super) fn read(message: &Message) -> Option<Self> {
        let text = |name: &str| attribute(&message.attributes, name);
        serde_json::from_slice::<&serde_json::value::RawValue>(&message.body).ok()?;
        Some(Self {
            request_id: text(REQUEST_ID)?.parse().ok()?,
            payload: message.body.clone(),
            invoked_at: Timestamp::from_millis(text(INVOKED_AT)?.parse().ok()?),
            attempts: text(ATTEMPTS)?.parse().ok()?,
            trace: Some(Trace::read(message)),
        })
    }
}

fn attribute<'a>(attributes: &'a MessageAttributes, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(AttributeValue::text)
}
