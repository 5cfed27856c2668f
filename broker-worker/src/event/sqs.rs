//! The records of a queue's messages as Lambda's functions get them (rule L35), and a function on them as a handler.

use std::{collections::BTreeMap, future::Future, marker::PhantomData};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use broker_core::{AttributeValue, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{digest, source::Source};
use crate::{
    handler::{BoxError, Context, Failure, Handler},
    queue::{Batch, Response},
};

/// The event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqsEvent {
    /// One record for each message.
    #[serde(rename = "Records")]
    pub records: Vec<SqsRecord>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// The message's id.
    pub message_id: String,
    /// Its receipt handle.
    pub receipt_handle: String,
    /// Its body. Bytes that are no text are replaced; SQS takes none.
    pub body: String,
    /// The system attributes, all of them text.
    pub attributes: BTreeMap<String, String>,
    /// The message attributes.
    pub message_attributes: BTreeMap<String, SqsAttribute>,
    /// The MD5 sum of the body.
    pub md5_of_body: String,
    /// The MD5 sum of the attributes, if there are any.
    pub md5_of_message_attributes: Option<String>,
    /// `aws:sqs`.
    pub event_source: String,
    /// The queue.
    #[serde(rename = "eventSourceARN")]
    pub event_source_arn: String,
    /// The region.
    pub aws_region: String,
}

/// One message attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsAttribute {
    /// The value of a `String` or `Number`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub binary_value: Option<String>,
    /// Always empty: SQS has no lists.
    #[serde(default)]
    pub string_list_values: Vec<String>,
    /// Always empty: SQS has no lists.
    #[serde(default)]
    pub binary_list_values: Vec<String>,
    /// The type.
    pub data_type: String,
}

impl SqsRecord {
    /// The record of a message of the queue `queue`.
    pub fn new(message: &Message, queue: &str, source: &Source) -> Self {
        Self {
            message_id: message.id.to_string(),
            receipt_handle: message.receipt.to_string(),
            body: String::from_utf8_lossy(&message.body).into_owned(),
            attributes: system_attributes(message, source),
            message_attributes: message
                .attributes
                .iter()
                .map(|(name, value)| (name.to_owned(), SqsAttribute::new(value)))
                .collect(),
            md5_of_body: digest::of_body(&message.body),
            md5_of_message_attributes: digest::of_attributes(&message.attributes),
            event_source: "aws:sqs".into(),
            event_source_arn: source.queue_arn(queue),
            aws_region: source.region.clone(),
        }
    }
}

impl SqsAttribute {
    fn new(value: &AttributeValue) -> Self {
        let binary_value = value.text().is_none().then(|| STANDARD.encode(value.bytes()));
        Self {
            string_value: value.text().map(str::to_owned),
            binary_value,
            string_list_values: Vec::new(),
            binary_list_values: Vec::new(),
            data_type: value.data_type().to_owned(),
        }
    }
}

fn system_attributes(message: &Message, source: &Source) -> BTreeMap<String, String> {
    let always = [
        ("ApproximateReceiveCount", message.receive_count.to_string()),
        ("SentTimestamp", message.sent_at.as_millis().to_string()),
        ("SenderId", source.sender.clone()),
        ("ApproximateFirstReceiveTimestamp", message.first_received_at.as_millis().to_string()),
    ];
    let dead = message.dead_letter.as_ref();
    let some = [
        ("SequenceNumber", message.sequence_number.map(|number| number.to_string())),
        ("MessageGroupId", message.group_id.clone()),
        ("MessageDeduplicationId", message.deduplication_id.clone()),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("DeadLetterQueueSourceArn", dead.map(|dead| source.queue_arn(&dead.source))),
    ];
    let some = some.into_iter().filter_map(|(name, value)| Some((name, value?)));
    always.into_iter().chain(some).map(|(name, value)| (name.to_owned(), value)).collect()
}

impl SqsEvent {
    /// The event of a batch.
    pub fn new(batch: &Batch, source: &Source) -> Self {
        let record = |message: &crate::queue::Received| SqsRecord::new(message, batch.queue(), source);
        Self { records: batch.messages().iter().map(record).collect() }
    }
}

/// A function on the JSON event, as a handler: what it answers is read as Lambda would.
pub fn function<F, Fut, E>(source: Source, function: F) -> Function<F, E>
where
    F: Fn(SqsEvent, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, E>> + Send,
    E: Into<BoxError> + Send + 'static,
{
    Function { source, run: function, error: PhantomData }
}

/// What [`function`] makes.
pub struct Function<F, E> {
    source: Source,
    run: F,
    error: PhantomData<fn() -> E>,
}

#[async_trait]
impl<F, Fut, E> Handler<Batch> for Function<F, E>
where
    F: Fn(SqsEvent, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, E>> + Send,
    E: Into<BoxError> + Send + 'static,
{
    async fn handle(&self, batch: Batch, context: Context) -> Result<Response, Failure> {
        let event = SqsEvent::new(&batch, &self.source);
        (self.run)(event, context).await.map(Response::Json).map_err(Failure::of)
    }
}
