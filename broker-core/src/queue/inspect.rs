//! What a look inside a queue shows: one message, the whole, and why a receive finds nothing.

mod words;

use std::time::Duration;

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::{MessageId, SequenceNumber},
    queue::{
        attributes::MessageAttributes,
        message::Message,
        options::QueueCounters,
        redrive::DeadLetter,
        state::{Blocked, End, Sight},
    },
};

/// The state of a queue at one moment, cheap enough to be asked for every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Messages by what they are doing.
    pub counters: QueueCounters,
    /// When the oldest message came into the queue, which in a dead-letter queue is when it was moved there; `None` if
    /// there is none.
    pub oldest: Option<Timestamp>,
    /// FIFO: message groups that wait. They have visible messages and can deliver none, because an earlier one of the
    /// group is in flight. Counts those in memory: all, unless far more messages wait than memory holds.
    pub groups_blocked: usize,
}

impl QueueStats {
    /// How long the oldest message has been in the queue.
    pub fn oldest_age(&self, now: Timestamp) -> Option<Duration> {
        self.oldest.map(|oldest| now.since(oldest))
    }
}

/// What a message is doing, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// It can be received.
    Visible,
    /// It was received as often as it may be: the next receive that comes to it moves it to the dead-letter queue.
    Spent {
        /// The dead-letter queue.
        queue: String,
        /// How often it has been received.
        receives: u32,
    },
    /// It was received and is neither deleted nor visible again.
    InFlight {
        /// When it is visible again.
        until: Timestamp,
        /// How often it has been received in this queue.
        delivery: u32,
    },
    /// Its delay has not ended.
    Delayed {
        /// When it can be received.
        until: Timestamp,
    },
    /// FIFO: it waits for an earlier message of its group.
    Blocked {
        /// The first message of the group that is in flight.
        behind: MessageId,
        /// The group.
        group_id: String,
        /// When that message becomes visible or expires, if nobody deletes it before.
        until: Timestamp,
    },
    /// It was moved to another queue, mostly the dead-letter queue.
    Moved {
        /// That queue.
        queue: String,
        /// After so many receives.
        receives: u32,
        /// When.
        at: Timestamp,
    },
    /// Its retention ended before somebody deleted it.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was deleted.
    Deleted {
        /// When.
        at: Timestamp,
    },
    /// It was in this queue and is no longer: deleted, expired, moved or purged, and too long ago to know which.
    Gone,
    /// No message with this id was ever in this queue, or it came from another one and has been gone for long.
    NeverSeen,
}

impl Explanation {
    /// `id` tells the id of another message by its sequence.
    pub(crate) fn new(sight: Sight, id: impl FnOnce(u64) -> MessageId) -> Self {
        let time = Timestamp::from_millis;
        match sight {
            Sight::Visible => Self::Visible,
            Sight::Spent { queue, receives } => Self::Spent { queue, receives },
            Sight::InFlight { until, delivery } => Self::InFlight { until: time(until), delivery },
            Sight::Delayed { until } => Self::Delayed { until: time(until) },
            Sight::Blocked(Blocked { group, behind, until }) => {
                Self::Blocked { behind: id(behind), group_id: group, until: time(until) }
            }
            Sight::Ended(End::Deleted { at }) => Self::Deleted { at: time(at) },
            Sight::Ended(End::Expired { at }) => Self::Expired { at: time(at) },
            Sight::Ended(End::Moved { at, queue, receives }) => {
                Self::Moved { queue: queue.to_string(), receives, at: time(at) }
            }
        }
    }
}

/// Which messages a peek shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeekOptions {
    /// Begins behind this place in the queue: that of the last message seen, to continue there. `None`: at the front.
    pub after: Option<SequenceNumber>,
    /// The most messages to show: 1 to 1,000.
    pub max: usize,
}

/// The most messages that a peek shows.
const PEEKED_MAX: usize = 1_000;

impl PeekOptions {
    /// The first `max` messages.
    pub fn up_to(max: usize) -> Self {
        Self { after: None, max }
    }

    /// Those behind this one.
    pub fn after(self, last: SequenceNumber) -> Self {
        Self { after: Some(last), ..self }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(1..=PEEKED_MAX).contains(&self.max) {
            return Err(Error::invalid("max", self.max, format!("must be between 1 and {PEEKED_MAX}")));
        }
        Ok(())
    }
}

/// A message looked at in passing. It has no receipt: nobody has received it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// The message's id.
    pub id: MessageId,
    /// Its place in the queue, of a standard queue too.
    pub sequence_number: SequenceNumber,
    /// What it is doing.
    pub state: Explanation,
    /// The body.
    pub body: Bytes,
    /// The attributes.
    pub attributes: MessageAttributes,
    /// The message group, if one was given.
    pub group_id: Option<String>,
    /// On a FIFO queue, the deduplication id.
    pub deduplication_id: Option<String>,
    /// The system attribute `AWSTraceHeader`, if one was given.
    pub trace_header: Option<String>,
    /// When the message was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time, if it was.
    pub first_received_at: Option<Timestamp>,
    /// How often it was received so far; in a dead-letter queue, those before the move included.
    pub receive_count: u32,
    /// In a dead-letter queue, why the message is there.
    pub dead_letter: Option<Box<DeadLetter>>,
}

impl Peeked {
    pub(crate) fn new(message: Message, sequence_number: SequenceNumber, state: Explanation) -> Self {
        Self {
            id: message.id,
            sequence_number,
            state,
            body: message.body,
            attributes: message.attributes,
            group_id: message.group_id,
            deduplication_id: message.deduplication_id,
            trace_header: message.trace_header,
            sent_at: message.sent_at,
            first_received_at: (message.receive_count > 0).then_some(message.first_received_at),
            receive_count: message.receive_count,
            dead_letter: message.dead_letter,
        }
    }

    /// The body as text. Fails if it is not UTF-8, which only [`BodyRule::AnyBytes`](crate::BodyRule) lets in.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.body)
    }
}

/// The message that another one would be a duplicate of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateOf {
    /// The original's id.
    pub id: MessageId,
    /// The original's place in the queue.
    pub sequence_number: SequenceNumber,
    /// When its deduplication id is forgotten.
    pub until: Timestamp,
}

/// Why a receive finds nothing, or that it would find something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyEmpty {
    /// The reason.
    pub reason: EmptyReason,
    /// Messages by what they are doing.
    pub counters: QueueCounters,
    /// FIFO: groups that wait: see [`QueueStats::groups_blocked`].
    pub groups_blocked: usize,
    /// If there is nothing to receive: the earliest time at which that may change although nobody does anything.
    pub next_visible: Option<Timestamp>,
}

/// The reason why a receive finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmptyReason {
    /// It does find something.
    NotEmpty,
    /// The queue has no messages.
    NoMessages,
    /// As many messages are in flight as may be.
    InFlightLimit {
        /// So many.
        max: usize,
    },
    /// All messages are in flight or delayed.
    NoneVisible,
    /// FIFO: every visible message waits for an earlier one of its group.
    Blocked {
        /// The group that waits for the shortest time, if nobody deletes a message.
        group_id: String,
        /// Its message that is in flight.
        behind: MessageId,
        /// When that one becomes visible or expires.
        until: Timestamp,
        /// So many messages were not looked at, because those before them fill
        /// [`MemoryBounds::searched`](crate::MemoryBounds::searched).
        unsearched: u64,
    },
    /// The visible messages were received as often as they may be: a receive moves them to the dead-letter queue. If
    /// there are hundreds of them, it may find something behind them.
    OnlySpent {
        /// The dead-letter queue.
        queue: String,
    },
}

impl WhyEmpty {
    /// Whether a receive would return a message.
    pub fn is_receivable(&self) -> bool {
        self.reason == EmptyReason::NotEmpty
    }
}
