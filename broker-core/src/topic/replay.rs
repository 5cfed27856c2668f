//! Replays: a subscription of a FIFO topic gets again what the archive keeps (rule N84).

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What is to be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// The first message is the first that was published at this time or later.
    pub from: Timestamp,
    /// The last message is the last that was published before this time; `None`: everything, and then what is published
    /// goes on to be delivered. With an end, the subscription gets nothing more after it.
    pub until: Option<Timestamp>,
}

impl Replay {
    /// Everything from this time on, and then what is published.
    pub fn from(from: Timestamp) -> Self {
        Self { from, until: None }
    }

    /// Nothing that was published at this time or later.
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayStatus {
    /// It has not begun.
    Pending,
    /// It is under way; what is published meanwhile waits for its end.
    InProgress,
    /// It has ended.
    Completed,
    /// It has stopped, and why. Nothing is delivered until another one is started, or it is given up.
    Failed(String),
}

/// A replay described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayInfo {
    /// What is to be replayed.
    pub replay: Replay,
    /// How far it is.
    pub status: ReplayStatus,
    /// How many messages were replayed, those included that the filter policy left out.
    pub replayed: u64,
}

/// A replay as it is stored, with its subscription. How far it is changes in the very commits that deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredReplay {
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
    pub(crate) status: ReplayStatus,
    /// The first sequence of the archive that it has not looked at.
    pub(crate) position: u64,
    pub(crate) replayed: u64,
    /// Tells it from an earlier replay of the subscription.
    pub(crate) number: u64,
}

impl StoredReplay {
    /// Whether it is still to do something.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.status, ReplayStatus::Pending | ReplayStatus::InProgress)
    }

    /// Whether what is published goes past the subscription: it waits in the archive, or is not wanted.
    pub(crate) fn holds_up(&self) -> bool {
        self.status != ReplayStatus::Completed || self.until.is_some()
    }

    pub(crate) fn info(&self) -> ReplayInfo {
        let until = self.until.map(Timestamp::from_millis);
        ReplayInfo {
            replay: Replay { from: Timestamp::from_millis(self.from), until },
            status: self.status.clone(),
            replayed: self.replayed,
        }
    }
}
