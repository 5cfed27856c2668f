//! The environments of a function: what it has started, and how fast it may start more (rule L102). Pure.

use std::{collections::VecDeque, time::Duration};

use super::bucket::Bucket;

/// A function may start so many at once, and gets them back over ten seconds.
const BURST: u64 = 1_000;
/// So many come back in a second.
const PER_SECOND: u64 = BURST / 10;
/// An environment that nobody used for so long is gone. Lambda does not say how long it is; some minutes were seen.
const IDLE_MS: u64 = 10 * 60_000;

/// The environments of a function that are not provisioned.
#[derive(Debug)]
pub(super) struct Environments {
    /// When each one that is not in use will be gone, the earliest first. Not more than have been in use at once.
    idle: VecDeque<u64>,
    starts: Bucket,
}

impl Environments {
    pub(super) fn new(now: u64) -> Self {
        Self { idle: VecDeque::new(), starts: Bucket::full(now) }
    }

    /// Whether an invocation finds an environment, or may start one. If not, when it may.
    pub(super) fn check(&mut self, now: u64) -> Result<(), Option<Duration>> {
        while self.idle.front().is_some_and(|gone_at| *gone_at <= now) {
            self.idle.pop_front();
        }
        if self.idle.is_empty() { self.starts.check(BURST, PER_SECOND, now) } else { Ok(()) }
    }

    /// Takes what [`check`](Self::check) has found: the one that was used last, or a new one.
    pub(super) fn enter(&mut self) {
        if self.idle.pop_back().is_none() {
            self.starts.take();
        }
    }

    pub(super) fn leave(&mut self, now: u64) {
        self.idle.push_back(now.saturating_add(IDLE_MS));
    }
}
