//! What a look inside a queue shows: one message, the whole, and why a receive finds nothing.

use std::{fmt, time::Duration};

use crate::{
    clock::Timestamp,
    ids::MessageId,
    queue::{message::Message, options::QueueCounters},
};

/// The state of a queue at one moment, cheap enough to be asked for every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Messages by what they are doing.
    pub counters: QueueCounters,
    /// When the oldest message came into the queue; `None` if there is none.
    pub oldest: Option<Timestamp>,
    /// FIFO: message groups that have messages in memory and can deliver none, because their first one is in flight.
    pub groups_blocked: usize,
}

impl QueueStats {
    /// How long the oldest message has been in the queue.
    pub fn oldest_age(&self, now: Timestamp) -> Option<Duration> {
        let oldest = self.oldest?.as_millis();
        Some(Duration::from_millis(now.as_millis().saturating_sub(oldest)))
    }
}

/// What a message is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// It can be received.
    Visible,
    /// It was received and is neither deleted nor visible again.
    InFlight {
        /// When it is visible again.
        until: Timestamp,
        /// How often it has been received.
        delivery: u32,
    },
    /// Its delay has not ended.
    Delayed {
        /// When it can be received.
        until: Timestamp,
    },
    /// FIFO: it waits for an earlier message of its group.
    Blocked {
        /// The first message of the group that cannot be received now.
        behind: MessageId,
        /// The group.
        group_id: String,
        /// When that message becomes visible, if nobody deletes it before.
        until: Timestamp,
    },
    /// It was moved to a dead-letter queue.
    Moved {
        /// The queue in which it is now.
        queue: String,
        /// After so many receives.
        receives: u32,
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
    /// It was in this queue and is no longer: deleted, expired or purged, and too long ago to know which.
    Gone,
    /// No message with this id was ever in this queue.
    NeverSeen,
}

/// A message looked at in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// The message, with the receive count so far. Its receipt proves nothing: nobody has received it here.
    pub message: Message,
    /// What it is doing.
    pub state: Explanation,
}

/// Why a receive finds nothing, or that it would find something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyEmpty {
    /// Messages by what they are doing.
    pub counters: QueueCounters,
    /// FIFO: groups whose first message cannot be received.
    pub groups_blocked: usize,
    /// Whether as many messages are in flight as may be.
    pub at_in_flight_limit: bool,
    /// Whether a receive would return something now.
    pub receivable: bool,
    /// When the next message becomes visible by itself, if one does.
    pub next_visible: Option<Timestamp>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visible => write!(f, "can be received"),
            Self::InFlight { until, delivery } => write!(f, "in flight until {until} (delivery {delivery})"),
            Self::Delayed { until } => write!(f, "delayed until {until}"),
            Self::Blocked { behind, group_id, until } => {
                write!(f, "blocked behind message {behind} of group {group_id:?}, at most until {until}")
            }
            Self::Moved { queue, receives } => {
                write!(f, "moved to queue {queue:?} after {receives} receives")
            }
            Self::Expired { at } => write!(f, "expired at {at}"),
            Self::Deleted { at } => write!(f, "deleted at {at}"),
            Self::Gone => write!(f, "no longer in the queue: deleted, expired or purged"),
            Self::NeverSeen => write!(f, "never seen in this queue"),
        }
    }
}

impl fmt::Display for WhyEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueCounters { visible, in_flight, delayed } = self.counters;
        let reason = match self.counters {
            _ if self.receivable => "a receive would return something",
            counters if counters.total() == 0 => "the queue has no messages",
            _ if self.at_in_flight_limit => "as many messages are in flight as may be",
            _ if visible > 0 => "every message that is not in flight waits for an earlier one of its group",
            _ if in_flight > 0 => "all messages are in flight or delayed",
            _ => "all messages are delayed",
        };
        write!(f, "{reason}: {visible} visible, {in_flight} in flight, {delayed} delayed")?;
        if self.groups_blocked > 0 {
            write!(f, ", {} groups blocked", self.groups_blocked)?;
        }
        match self.next_visible {
            Some(time) if !self.receivable => write!(f, "; the next becomes visible at {time}"),
            _ => Ok(()),
        }
    }
}
