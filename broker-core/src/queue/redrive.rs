//! Dead letters: where a queue sends what it cannot get rid of, which queues may send to it, and why a message came.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::MessageId,
};

/// What happens to a message that was received too often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedrivePolicy {
    /// It is delivered until somebody deletes it, or it expires.
    #[default]
    None,
    /// After `max_receive_count` deliveries the next receive that comes to it moves it to another queue instead, in the
    /// same commit.
    DeadLetter {
        /// The dead-letter queue: of the same broker, and FIFO exactly if the source is.
        queue: String,
        /// How often a message is delivered at most: 1 to 1,000.
        max_receive_count: u32,
    },
}

impl RedrivePolicy {
    /// Moves messages to `queue` after `max_receive_count` deliveries.
    pub fn to(queue: impl Into<String>, max_receive_count: u32) -> Self {
        Self::DeadLetter { queue: queue.into(), max_receive_count }
    }

    /// The dead-letter queue, and after how many deliveries.
    pub fn target(&self) -> Option<(&str, u32)> {
        match self {
            Self::None => None,
            Self::DeadLetter { queue, max_receive_count } => Some((queue, *max_receive_count)),
        }
    }

    /// Refuses a count outside 1 to 1,000 (rule Q82).
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::DeadLetter { max_receive_count: count @ (0 | 1_001..), .. } => {
                Err(Error::invalid("max_receive_count", count, "must be between 1 and 1000"))
            }
            _ => Ok(()),
        }
    }
}

/// Which queues may have this one as their dead-letter queue (rule Q84).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedriveAllowPolicy {
    /// Any.
    #[default]
    AllowAll,
    /// None.
    DenyAll,
    /// These: 1 to 10 names.
    ByQueue(Vec<String>),
}

/// The most source queues that a policy names.
const SOURCE_QUEUES_MAX: usize = 10;

impl RedriveAllowPolicy {
    /// Whether this source may send its dead letters here.
    pub fn allows(&self, source: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(sources) => sources.iter().any(|allowed| allowed == source),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::ByQueue(sources) if sources.is_empty() || sources.len() > SOURCE_QUEUES_MAX => {
                let reason = format!("must name 1 to {SOURCE_QUEUES_MAX} source queues");
                Err(Error::invalid("redrive_allow_policy", sources.len(), reason))
            }
            _ => Ok(()),
        }
    }
}

/// Why a message is in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it was moved from.
    pub source: String,
    /// How often it had been received there.
    pub receive_count: u32,
    /// When it was received first.
    pub first_received_at: Timestamp,
    /// When it was received last.
    pub last_received_at: Timestamp,
    /// When it was moved.
    pub moved_at: Timestamp,
    /// What the consumer said about it, if it gave up on the message by itself
    /// ([`LocalQueue::dead_letter`](crate::LocalQueue::dead_letter)).
    pub reason: Option<String>,
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "moved from {:?} after {} receives", self.source, self.receive_count)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// The longest reason that a consumer may give, in bytes.
pub(crate) const REASON_BYTES_MAX: usize = 1024;

/// What a moved message brings along beside what was sent: its id and why it was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id: MessageId,
    /// Whether it comes from a topic, and not from a queue: it keeps its deduplication id then (rule N56).
    pub(crate) of_topic: bool,
    pub(crate) why: Box<DeadLetter>,
}
