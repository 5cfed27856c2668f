//! What each call is told and answers: descriptions, options, outcomes.

use std::{collections::BTreeMap, time::Duration};

use super::{
    check,
    redrive::{RedriveAllowPolicy, RedrivePolicy},
    settings::{DeduplicationScope, Fifo, FifoThroughputLimit, check_duration},
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::ReceiptHandle,
    limits::Limits,
    storage::Durability,
};

/// A queue described: its settings, times, tags and counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueAttributes {
    /// The queue's name.
    pub name: String,
    /// How long a received message stays invisible.
    pub visibility_timeout: Duration,
    /// How long a new message stays invisible.
    pub delay: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// The largest message in bytes, attributes included.
    pub max_message_size: usize,
    /// How long a receive waits for a message if it does not say.
    pub receive_wait_time: Duration,
    /// What a send or delete survives before it is answered.
    pub durability: Durability,
    /// When the queue was created.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub last_modified_at: Timestamp,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// How many messages there are.
    pub counters: QueueCounters,
    /// Where messages go that were received too often.
    pub redrive_policy: RedrivePolicy,
    /// Which queues may have this one as their dead-letter queue.
    pub redrive_allow_policy: RedriveAllowPolicy,
    /// What only FIFO queues have; `None` on a standard queue.
    pub fifo: Option<FifoAttributes>,
}

/// What only a FIFO queue has (rule F1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FifoAttributes {
    /// Whether the SHA-256 of the body is the deduplication id of a message that has none.
    pub content_based_deduplication: bool,
    /// The deduplication scope, as it was set last; in force is the one at creation (rule F24).
    pub deduplication_scope: DeduplicationScope,
    /// What SQS would count its throughput quota by.
    pub throughput_limit: FifoThroughputLimit,
}

impl From<Fifo> for FifoAttributes {
    fn from(fifo: Fifo) -> Self {
        let Fifo { content_based_deduplication, deduplication_scope, throughput_limit, .. } = fifo;
        Self { content_based_deduplication, deduplication_scope, throughput_limit }
    }
}

impl FifoAttributes {
    /// Whether SQS would run the queue in its high-throughput mode (rule F2).
    pub fn high_throughput(&self) -> bool {
        self.deduplication_scope == DeduplicationScope::MessageGroup
            && self.throughput_limit == FifoThroughputLimit::PerMessageGroupId
    }
}

/// How many messages a queue holds. Exact at the moment of the call, but for these:
///
/// - A *delayed* message that expires before its delay ends may be counted until then, if more than ten thousand
///   messages are delayed at once.
/// - A message in a standard dead-letter queue expires by the time at which it was sent, and so perhaps before those in
///   front of it. If those fill what stays in memory ([`MemoryBounds::staged`](crate::MemoryBounds::staged)), it is
///   counted as visible until the queue comes to it. It is never received.
/// - After the delay of a FIFO queue was raised, a message that was received before and waits in storage again may be
///   counted as delayed, until the new delay has passed since it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounters {
    /// Messages that a receive could return.
    pub visible: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages whose delay has not ended.
    pub delayed: u64,
}

impl QueueCounters {
    /// All messages stored.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// The options of a receive. What is `None` follows the queue's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// The most messages to return: 1 to 10, by default 1. Fewer may be returned although there are more: above
    /// all if messages in front of those go to the dead-letter queue, a hundred at a time, or if on a FIFO queue many
    /// in front of them wait for their groups.
    pub max_messages: usize,
    /// How long to wait if there is none: 0 to 20 seconds. Zero is a *short poll*, more a *long poll*.
    pub wait_time: Option<Duration>,
    /// How long the returned messages stay invisible: 0 to 12 hours.
    pub visibility_timeout: Option<Duration>,
    /// On a FIFO queue, names this attempt: another receive with the same id within five minutes returns the same
    /// messages with the same receipts, and starts their visibility timeout again (rule F39). It does so only while
    /// all of them are in flight as they were, and in the life of the broker that received them: after reopening a
    /// store the id means nothing. 1 to 128 letters, digits and ASCII punctuation.
    pub attempt_id: Option<String>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self { max_messages: 1, wait_time: None, visibility_timeout: None, attempt_id: None }
    }
}

impl ReceiveOptions {
    /// At most `max` messages, everything else as the queue's settings say.
    pub fn up_to(max: usize) -> Self {
        Self { max_messages: max, ..Self::default() }
    }

    /// Waits up to `wait` if there is no message.
    pub fn wait_time(self, wait: Duration) -> Self {
        Self { wait_time: Some(wait), ..self }
    }

    /// Keeps the returned messages invisible for `timeout`.
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { visibility_timeout: Some(timeout), ..self }
    }

    /// Names this attempt: see [`attempt_id`](Self::attempt_id).
    pub fn attempt_id(self, id: impl Into<String>) -> Self {
        Self { attempt_id: Some(id.into()), ..self }
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        self.attempt_id.as_ref().map_or(Ok(()), |id| check::id_of_128("attempt_id", id))?;
        if !(1..=limits.receive_max).contains(&self.max_messages) {
            let reason = format!("must be between 1 and {}", limits.receive_max);
            return Err(Error::invalid("max_messages", self.max_messages, reason));
        }
        check_duration("wait_time", self.wait_time, Duration::ZERO, limits.wait_max)?;
        let max = limits.visibility_timeout_max;
        check_duration("visibility_timeout", self.visibility_timeout, Duration::ZERO, max)
    }
}

/// What became of a message that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, now or since before: deleted earlier, expired or purged.
    Gone,
    /// It has been received again since this receipt was given out, and stays for its new receiver.
    Stale,
}

/// What became of a message that its consumer gave up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLettered {
    /// It is in this dead-letter queue now.
    Moved {
        /// The dead-letter queue.
        queue: String,
    },
    /// It has been received again since this receipt was given out, and stays for its new receiver.
    Stale,
    /// It is no longer in the queue: deleted, expired, purged or moved before.
    Gone,
}

/// What became of a message whose visibility timeout was to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisibilityChanged {
    /// It becomes visible at this time.
    Until(Timestamp),
    /// It has been received again since this receipt was given out: the newer lease is left alone.
    Stale,
    /// It is no longer in the queue: deleted, expired or purged.
    Gone,
}

/// A change of the visibility timeout of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeVisibility {
    /// The delivery.
    pub receipt: ReceiptHandle,
    /// How long the message stays invisible from now on: zero makes it visible at once.
    pub timeout: Duration,
}
