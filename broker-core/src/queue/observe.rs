//! What happens to messages, told as it happens: for tests and for audits.

use bytes::Bytes;

use super::attributes::MessageAttributes;
use crate::{
    clock::Timestamp,
    ids::{MessageId, SequenceNumber},
};

/// Who is told what happens to the messages of all queues: see [`BrokerBuilder::observer`](crate::BrokerBuilder::observer).
pub trait Observer: Send + Sync + 'static {
    /// Something has happened. The events of a queue come one by one, in their order.
    ///
    /// Called under the lock of the queue: returns at once, and calls nothing of the broker. The commit may still be under way, and a
    /// crash can take back what was told.
    fn happened(&self, event: QueueEvent);
}

/// Something has happened to a message, or to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEvent {
    /// The queue. Those inside of topics and streams have names of their own.
    pub queue: String,
    /// The place of the message in its queue, by which its later events are known.
    pub sequence_number: SequenceNumber,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What has happened to a message, or to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// It came into the queue: from a sender, from a topic, by a move task or as a dead letter.
    Arrived {
        /// The message's id.
        id: MessageId,
        /// The body.
        body: Bytes,
        /// The attributes.
        attributes: MessageAttributes,
        /// The message group, if one was given.
        group_id: Option<String>,
        /// The queue that it was moved from as a dead letter.
        dead_letter_of: Option<String>,
    },
    /// A receive returns it.
    Received {
        /// How often it has been received in this queue, with this time.
        delivery: u32,
    },
    /// It was deleted.
    Deleted,
    /// Its retention ended. Messages that wait in storage only are not told one by one.
    Expired,
    /// It was moved to another queue.
    Moved {
        /// That queue.
        queue: String,
        /// After so many receives.
        receives: u32,
    },
    /// All messages of the queue before this place were removed.
    Purged,
}
