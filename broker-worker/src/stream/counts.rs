//! What a mapping has done so far, as numbers.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a mapping has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamCounts {
    /// Records read.
    pub read: u64,
    /// Records that no handler wanted (rule L72).
    pub filtered: u64,
    /// Records that were trimmed before they were read: the mapping is too slow for the stream's retention.
    pub missed: u64,
    /// Invocations of the handler that have ended.
    pub invocations: u64,
    /// Those that failed, as a whole or in part.
    pub failed_invocations: u64,
    /// Times that an invocation had to wait for a permit.
    pub throttled: u64,
    /// Records done.
    pub done: u64,
    /// Records given up.
    pub given_up: u64,
    /// Records of which a destination was not told, because it took nothing.
    pub destination_failures: u64,
}

/// The same while they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) read: AtomicU64,
    pub(super) filtered: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) invocations: AtomicU64,
    pub(super) failed_invocations: AtomicU64,
    pub(super) throttled: AtomicU64,
    pub(super) done: AtomicU64,
    pub(super) given_up: AtomicU64,
    pub(super) destination_failures: AtomicU64,
    last: AtomicU8,
}

pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn counts(&self) -> StreamCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StreamCounts {
            read: of(&self.read),
            filtered: of(&self.filtered),
            missed: of(&self.missed),
            invocations: of(&self.invocations),
            failed_invocations: of(&self.failed_invocations),
            throttled: of(&self.throttled),
            done: of(&self.done),
            given_up: of(&self.given_up),
            destination_failures: of(&self.destination_failures),
        }
    }

    pub(super) fn set_last(&self, result: LastResult) {
        self.last.store(result as u8, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> LastResult {
        let of = self.last.load(Ordering::Relaxed);
        let all = [LastResult::Ok, LastResult::Failed];
        all.into_iter().find(|result| *result as u8 == of).unwrap_or(LastResult::NothingYet)
    }
}

/// How the last invocation of a mapping went (rule L32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastResult {
    /// There was none.
    NothingYet,
    /// It succeeded.
    Ok,
    /// It failed.
    Failed,
}

impl LastResult {
    /// As Lambda spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingYet => "No records processed",
            Self::Ok => "OK",
            Self::Failed => "PROBLEM: Function call failed",
        }
    }
}
