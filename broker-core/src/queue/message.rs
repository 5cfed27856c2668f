//! Messages as users see them: on their way in ([`SendMessage`]), as accepted ([`Sent`]) and as received ([`Message`]).

use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    attributes::{AttributeValue, MessageAttributes},
    redrive::DeadLetter,
};
use crate::{
    clock::Timestamp,
    ids::{MessageId, ReceiptHandle, SequenceNumber},
};

/// A message to be sent: a body and, if wanted, a delay, attributes and more.
///
/// Anything that converts to a body converts to a message:
///
/// ```
/// use std::time::Duration;
/// use broker_core::{AttributeValue, SendMessage};
///
/// let plain = SendMessage::from("hello");
/// let more = SendMessage::new("hello")
///     .delay(Duration::from_secs(5))
///     .attribute("source", AttributeValue::string("web"));
/// assert_eq!(plain.body, more.body);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendMessage {
    /// The body: text of the characters that SQS takes, unless [`Limits::body`](crate::Limits) allows more.
    pub body: Bytes,
    /// How long the message stays invisible after it was sent. `None`: as long as the queue's setting says.
    pub delay: Option<Duration>,
    /// Attributes beside the body.
    pub attributes: MessageAttributes,
    /// The message group, which a FIFO queue needs: messages of a group are received in the order of sending. On a
    /// standard queue a group is a tenant of a fair queue: it implies no order.
    pub group_id: Option<String>,
    /// The deduplication id, which only FIFO queues take: a message with an id that was sent in the last five minutes is
    /// accepted and not enqueued.
    pub deduplication_id: Option<String>,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

impl SendMessage {
    /// A message with this body and nothing else.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// A message whose body is `value` as JSON. Fails if the type cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::to_vec(value)?))
    }

    /// Stays invisible for `delay` after it was sent, whatever the queue's setting; zero included.
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    /// Adds an attribute, in place of an older one of the same name.
    pub fn attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.insert(name, value);
        self
    }

    /// Belongs to a message group: 1 to 128 letters, digits and ASCII punctuation.
    pub fn group_id(self, group_id: impl Into<String>) -> Self {
        Self { group_id: Some(group_id.into()), ..self }
    }

    /// Has a deduplication id, on a FIFO queue: 1 to 128 letters, digits and ASCII punctuation.
    pub fn deduplication_id(self, id: impl Into<String>) -> Self {
        Self { deduplication_id: Some(id.into()), ..self }
    }

    /// Carries the system attribute `AWSTraceHeader`.
    pub fn trace_header(self, trace_header: impl Into<String>) -> Self {
        Self { trace_header: Some(trace_header.into()), ..self }
    }

    /// The size that limits count: body, attribute names, types and values (rule Q21).
    pub fn size_bytes(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|(name, value)| value.size_bytes(name)).sum();
        self.body.len() + attributes
    }
}

impl From<&str> for SendMessage {
    fn from(body: &str) -> Self {
        Self::new(Bytes::copy_from_slice(body.as_bytes()))
    }
}

impl From<String> for SendMessage {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl From<Bytes> for SendMessage {
    fn from(body: Bytes) -> Self {
        Self::new(body)
    }
}

impl From<Vec<u8>> for SendMessage {
    fn from(body: Vec<u8>) -> Self {
        Self::new(body)
    }
}

/// A message that the queue has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The id that every delivery of the message carries. That of the original if this was a duplicate.
    pub id: MessageId,
    /// On a FIFO queue, the message's place in the order; that of the original if this was a duplicate.
    pub sequence_number: Option<SequenceNumber>,
    /// A message with this deduplication id was accepted in the last five minutes, so this one was not enqueued.
    pub duplicate: bool,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message's id, the same at every delivery.
    pub id: MessageId,
    /// Proof of this delivery, to delete the message or to change its visibility timeout.
    pub receipt: ReceiptHandle,
    /// The body, byte for byte as it was sent.
    pub body: Bytes,
    /// The attributes as they were sent.
    pub attributes: MessageAttributes,
    /// The message group, if one was given.
    pub group_id: Option<String>,
    /// The system attribute `AWSTraceHeader`, if one was given.
    pub trace_header: Option<String>,
    /// When the message was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// How often it was received, this time included; in a dead-letter queue, those before the move too.
    pub receive_count: u32,
    /// On a FIFO queue, the message's place in the order.
    pub sequence_number: Option<SequenceNumber>,
    /// On a FIFO queue, the deduplication id, given or computed. In a dead-letter queue it is the message's id.
    pub deduplication_id: Option<String>,
    /// In a dead-letter queue, why the message is there.
    pub dead_letter: Option<Box<DeadLetter>>,
}

impl Message {
    /// The body as text. Fails if it is not UTF-8, which only [`BodyRule::AnyBytes`](crate::BodyRule) lets in.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
