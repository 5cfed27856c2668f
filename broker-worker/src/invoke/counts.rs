//! What a function has done so far, as numbers.

use crate::telemetry::{Counter, Counters};

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

impl InvokeCounts {
    pub(super) fn new(accepted: u64, counters: &Counters) -> Self {
        Self {
            accepted,
            attempts: counters.of(Counter::Invocations),
            succeeded: counters.of(Counter::Acked),
            retried: counters.of(Counter::Retried),
            throttled: counters.of(Counter::Throttled),
            given_up: counters.of(Counter::Dead),
            destination_failures: counters.of(Counter::DestinationFailures),
            dead_letter_errors: counters.of(Counter::DeadLetterErrors),
            foreign: counters.of(Counter::Filtered),
            unsettled: counters.of(Counter::Unsettled),
        }
    }
}
