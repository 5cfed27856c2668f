//! Graceful shutdown: stop taking work, drain until a deadline, release the rest, report counts.

use std::{fmt, time::Duration};

use broker_core::Error;
use futures_util::future::join_all;

use crate::{queue::Running, telemetry::Counts};

/// What became of a mapping that was stopped.
#[derive(Debug, Clone)]
pub struct Report {
    /// The queue.
    pub queue: String,
    /// Whether every handler finished in time.
    pub drained: bool,
    /// Messages that were done between the call and the end.
    pub settled_while_stopping: u64,
    /// Messages given back at once, because their handlers did not finish in time.
    pub released: u64,
    /// Why the mapping had broken down before, if it had.
    pub broken: Option<Error>,
    /// Everything that it did.
    pub counts: Counts,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.drained { "drained" } else { "not drained in time" };
        write!(f, "{}: {how}, {} finished meanwhile, ", self.queue, self.settled_while_stopping)?;
        write!(f, "{} given back; in all: {}", self.released, self.counts)
    }
}

/// Stops several mappings at the same time, with one deadline.
///
/// Dropped, it ends all of them at once, as if they were dropped.
pub async fn stop_all(running: impl IntoIterator<Item = Running>, drain: Duration) -> Vec<Report> {
    join_all(running.into_iter().map(|running| running.stop(drain))).await
}
