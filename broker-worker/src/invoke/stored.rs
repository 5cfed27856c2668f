//! An event as it waits in the queue: its body is the event, and attributes say how far it is.

use broker_core::{AttributeValue, Message, MessageAttributes, SendMessage, Timestamp};
use bytes::Bytes;
use uuid::Uuid;

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
}

impl StoredEvent {
    pub(super) fn message(&self) -> SendMessage {
        SendMessage::new(self.payload.clone())
            .attribute(REQUEST_ID, AttributeValue::string(self.request_id.to_string()))
            .attribute(INVOKED_AT, AttributeValue::number(self.invoked_at.as_millis()))
            .attribute(ATTEMPTS, AttributeValue::number(self.attempts))
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
        })
    }
}

fn attribute<'a>(attributes: &'a MessageAttributes, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(AttributeValue::text)
}
