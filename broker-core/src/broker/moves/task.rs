//! Move tasks as users see them: what is asked for, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MoveFilter, MoveTaskHandle};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
};

/// A move task about to be started: what to move out of a dead-letter queue, where to, how fast.
///
/// ```
/// use broker_core::{MoveFilter, MoveTask};
///
/// // Back to where each message came from.
/// let all = MoveTask::from("orders-dead");
/// // Some of them, slowly, to another queue.
/// let some = MoveTask::from("orders-dead")
///     .to("orders-slow")
///     .max_per_second(10)
///     .filter(MoveFilter::new().reason_contains("timeout"));
/// # let _ = (all, some);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a task does nothing until it is started"]
pub struct MoveTask {
    pub(super) source: String,
    pub(super) destination: Option<String>,
    pub(super) max_per_second: Option<u32>,
    pub(super) filter: MoveFilter,
}

/// The fastest that a task can be told to be; without a limit it is as fast as it can.
const PER_SECOND_MAX: u32 = 500;

impl MoveTask {
    /// Moves all that is in this dead-letter queue now and can be received, each message to the queue that it came from.
    pub fn from(source: impl Into<String>) -> Self {
        Self { source: source.into(), destination: None, max_per_second: None, filter: MoveFilter::default() }
    }

    /// Moves everything to this queue.
    pub fn to(self, destination: impl Into<String>) -> Self {
        Self { destination: Some(destination.into()), ..self }
    }

    /// Moves no more messages than this in any second: 1 to 500.
    pub fn max_per_second(self, messages: u32) -> Self {
        Self { max_per_second: Some(messages), ..self }
    }

    /// Moves only what the filter takes.
    pub fn filter(self, filter: MoveFilter) -> Self {
        Self { filter, ..self }
    }

    pub(super) fn check(&self) -> Result<()> {
        if let Some(rate) = self.max_per_second.filter(|rate| !(1..=PER_SECOND_MAX).contains(rate)) {
            let reason = format!("must be between 1 and {PER_SECOND_MAX}");
            return Err(Error::invalid("max_per_second", rate, reason));
        }
        self.filter.check()
    }
}

/// What a move task is doing, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MoveTaskStatus {
    /// It moves messages, or waits until it may.
    Running,
    /// It has come to the end.
    Completed,
    /// It was cancelled; what it had moved stays moved.
    Cancelled,
    /// It could not go on. The message at which it failed is where it was, as are those behind it.
    Failed {
        /// Why. As SQS says it: `AWS.SimpleQueueService.NonExistentQueue` if a destination does not exist (any more),
        /// `CouldNotDetermineMessageSource` if a message was not moved here, so that there is no queue to go back to.
        reason: String,
    },
}

/// A move task that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveTaskInfo {
    /// What it can be cancelled by, as long as it is running.
    pub handle: Option<MoveTaskHandle>,
    /// The dead-letter queue that it moves messages out of.
    pub source: String,
    /// The queue that it moves them to; if none was given, each goes to where it came from.
    pub destination: Option<String>,
    /// The most that it moves in a second, if that was given.
    pub max_per_second: Option<u32>,
    /// Which messages it moves.
    pub filter: MoveFilter,
    /// What it is doing, or how it ended.
    pub status: MoveTaskStatus,
    /// How many messages could be received from the source when the task was started, whatever its filter takes.
    pub to_move: u64,
    /// How many it has moved.
    pub moved: u64,
    /// When it was started.
    pub started_at: Timestamp,
}

impl MoveTaskInfo {
    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.status {
            MoveTaskStatus::Failed { reason } => Some(reason),
            _ => None,
        }
    }
}

/// What a move task would do if it were started now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovePlan {
    /// How many messages it would move.
    pub matching: u64,
    /// How many its filter does not take.
    pub skipped: u64,
    /// How many it would leave because they are in flight or delayed, although its filter takes them.
    pub in_flight: u64,
    /// Where the matching ones would go.
    pub by_destination: BTreeMap<String, u64>,
    /// How many of the matching ones have nowhere to go: their queue does not exist, or they were not moved here. The task
    /// would fail at the first of them.
    pub stranded: u64,
}
