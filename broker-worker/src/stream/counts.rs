//! What a mapping has done so far, as numbers.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::telemetry::{Counter, Counters};

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

/// What is told of a stream beside what is told of any source.
#[derive(Debug, Default)]
pub(super) struct Extra {
    missed: AtomicU64,
    last: AtomicU8,
}

impl Extra {
    pub(super) fn missed(&self, records: u64) {
        self.missed.fetch_add(records, Ordering::Relaxed);
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

impl StreamCounts {
    pub(super) fn new(counters: &Counters, extra: &Extra) -> Self {
        Self {
            read: counters.of(Counter::Received),
            filtered: counters.of(Counter::Filtered),
            missed: extra.missed.load(Ordering::Relaxed),
            invocations: counters.of(Counter::Invocations),
            failed_invocations: counters.of(Counter::FailedInvocations),
            throttled: counters.of(Counter::Throttled),
            done: counters.of(Counter::Acked),
            given_up: counters.of(Counter::Dead),
            destination_failures: counters.of(Counter::DestinationFailures),
        }
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
