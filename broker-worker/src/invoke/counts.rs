//! What a function has done so far, as numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a function has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InvokeCounts {
    /// Events accepted by calls of this process.
    pub accepted: u64,
    /// Attempts that have ended.
    pub attempts: u64,
    /// Events that succeeded.
    pub succeeded: u64,
    /// Times that an event has to be tried again because the function failed.
    pub retried: u64,
    /// Times that an event could not run, and has to be tried again.
    pub throttled: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// Records that a destination did not take: they are lost (rule L15).
    pub destination_failures: u64,
    /// Dead letters that their target did not take: they are lost (rule L15).
    pub dead_letter_errors: u64,
    /// Messages in the queue that are no events, thrown away.
    pub foreign: u64,
    /// Times that the queue did not take what was to become of an event, which so comes again.
    pub unsettled: u64,
}

/// The same while they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) attempts: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) throttled: AtomicU64,
    pub(super) given_up: AtomicU64,
    pub(super) destination_failures: AtomicU64,
    pub(super) dead_letter_errors: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) unsettled: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn counts(&self) -> InvokeCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        InvokeCounts {
            accepted: of(&self.accepted),
            attempts: of(&self.attempts),
            succeeded: of(&self.succeeded),
            retried: of(&self.retried),
            throttled: of(&self.throttled),
            given_up: of(&self.given_up),
            destination_failures: of(&self.destination_failures),
            dead_letter_errors: of(&self.dead_letter_errors),
            foreign: of(&self.foreign),
            unsettled: of(&self.unsettled),
        }
    }
}
