//! An event as a dead letter: the event itself, with attributes that say what was wrong (rule L20).

use std::sync::Arc;

use broker_core::{AttributeValue, Entries, MessageAttributes, PublishMessage, Queue, SendMessage, Topic};
use bytes::Bytes;
use uuid::Uuid;

use super::{record::Condition, targets::check_standard};
use crate::{
    error::Result,
    handler::{BoxError, Failure},
};

/// The longest error message in a dead letter, in bytes.
const ERROR_BYTES_MAX: usize = 1_024;

/// Where the dead letters of a function go: a standard queue or a standard topic.
#[derive(Clone)]
pub struct DeadLetterTarget(Kind);

#[derive(Clone)]
enum Kind {
    Queue(Arc<dyn Queue>),
    Topic(Arc<dyn Topic>),
}

impl DeadLetterTarget {
    /// A queue, which must not be a FIFO queue (rule L16).
    pub fn queue(queue: Arc<dyn Queue>) -> Result<Self> {
        check_standard("dead_letter", queue.name())?;
        Ok(Self(Kind::Queue(queue)))
    }

    /// A topic, which must not be a FIFO topic (rule L16).
    pub fn topic(topic: Arc<dyn Topic>) -> Result<Self> {
        check_standard("dead_letter", topic.name())?;
        Ok(Self(Kind::Topic(topic)))
    }

    pub(super) async fn deliver(&self, letter: &DeadEvent<'_>) -> Result<(), BoxError> {
        match &self.0 {
            Kind::Queue(queue) => {
                let attributes = letter.attributes();
                let message = SendMessage { attributes, ..SendMessage::new(letter.payload.clone()) };
                queue.send_batch(Entries::one(message)).await?.all()?;
            }
            Kind::Topic(topic) => {
                let body = std::str::from_utf8(letter.payload)?;
                let message = PublishMessage { attributes: letter.attributes(), ..PublishMessage::new(body) };
                topic.publish_batch(Entries::one(message)).await?.all()?;
            }
        }
        Ok(())
    }
}

/// An event that was given up.
pub(super) struct DeadEvent<'a> {
    pub(super) request_id: Uuid,
    pub(super) payload: &'a Bytes,
    pub(super) condition: Condition,
    pub(super) failure: Option<&'a Failure>,
}

impl DeadEvent<'_> {
    /// `ErrorCode` is 200 for a function that has failed. What never ran has the status of a throttled call: 429.
    fn attributes(&self) -> MessageAttributes {
        let message = match (self.failure, self.condition) {
            (Some(failure), _) => failure.message.as_str(),
            (None, Condition::ZeroReservedConcurrency) => "The function has a reserved concurrency of zero.",
            (None, _) => "Rate Exceeded.",
        };
        // A value is not empty (rule Q33).
        let message = if message.is_empty() { "Unhandled" } else { message };
        let code = if self.failure.is_some() { 200 } else { 429 };
        let mut attributes = MessageAttributes::new();
        attributes.insert("RequestID", AttributeValue::string(self.request_id.to_string()));
        attributes.insert("ErrorCode", AttributeValue::number(code));
        attributes.insert("ErrorMessage", AttributeValue::string(sendable(message)));
        attributes
    }
}

/// The first KiB of a text, without the characters that no attribute may have.
fn sendable(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= ERROR_BYTES_MAX
    };
    text.chars().map(|c| if allowed(&c) { c } else { '\u{fffd}' }).take_while(fits).collect()
}
