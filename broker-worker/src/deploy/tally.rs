//! What became of the invocations of a version lately.

use std::{collections::VecDeque, time::Duration};

use broker_core::Timestamp;

/// So many invocations are remembered: enough to see one percent of failures.
const INVOCATIONS_MAX: usize = 1_000;

/// What became of one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invoked {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How much it had to do: the messages of a batch.
    pub parts: u32,
    /// How much of that failed.
    pub failed: u32,
}

/// The invocations of a version, the last thousand of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    invoked: VecDeque<Invoked>,
}

impl Tally {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn add(&mut self, invoked: Invoked) {
        if self.invoked.len() == INVOCATIONS_MAX {
            self.invoked.pop_front();
        }
        self.invoked.push_back(invoked);
    }

    /// Those that ended at `now` or less than `window` ago.
    pub(super) fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &Invoked> {
        self.invoked.iter().filter(move |invoked| now.since(invoked.at) < window)
    }
}
