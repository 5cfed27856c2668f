//! What a mapping or a function has done so far, as numbers.

use std::{
    fmt,
    ops::Add,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a mapping has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages received.
    pub received: u64,
    /// Messages that no handler wanted, deleted (rule L72).
    pub filtered: u64,
    /// Invocations of the handler that have ended.
    pub invocations: u64,
    /// Those that failed as a whole.
    pub failed_invocations: u64,
    /// Times that an invocation had to wait for a permit (rule L41).
    pub throttled: u64,
    /// Messages that waited for a permit until their lease was over, and were left alone.
    pub dropped: u64,
    /// Messages that a handler was done with and that are gone: deleted, or gone before, if somebody else was faster.
    pub acked: u64,
    /// Messages to be tried again after a time that the handler gave.
    pub retried: u64,
    /// Messages moved to the dead-letter queue because the handler said so.
    pub dead: u64,
    /// Messages that failed, and come again when their visibility timeout ends.
    pub failed: u64,
    /// Messages that somebody else had received meanwhile: what was to become of them no longer counted.
    pub stale: u64,
    /// Messages that the queue could not settle, because of an error.
    pub unsettled: u64,
    /// Transactions of handlers that were rejected.
    pub rejected: u64,
    /// Messages given back at once, by a shutdown or because they did not fit into a batch.
    pub released: u64,
    /// Leases that ended while the handler worked.
    pub leases_lost: u64,
}

/// What two mappings have done together.
impl Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            received: self.received + more.received,
            filtered: self.filtered + more.filtered,
            invocations: self.invocations + more.invocations,
            failed_invocations: self.failed_invocations + more.failed_invocations,
            throttled: self.throttled + more.throttled,
            dropped: self.dropped + more.dropped,
            acked: self.acked + more.acked,
            retried: self.retried + more.retried,
            dead: self.dead + more.dead,
            failed: self.failed + more.failed,
            stale: self.stale + more.stale,
            unsettled: self.unsettled + more.unsettled,
            rejected: self.rejected + more.rejected,
            released: self.released + more.released,
            leases_lost: self.leases_lost + more.leases_lost,
        }
    }
}

/// One of the [`Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    Received,
    Filtered,
    Invocations,
    FailedInvocations,
    Throttled,
    Dropped,
    Acked,
    Retried,
    Dead,
    Failed,
    Stale,
    Unsettled,
    Rejected,
    Released,
    LeasesLost,
    /// These are in the counts of streams and functions alone.
    DestinationFailures,
    DeadLetterErrors,
}

const COUNTERS: usize = Counter::DeadLetterErrors as usize + 1;

/// The [`Counts`] of a mapping, while they grow.
#[derive(Default)]
pub(crate) struct Counters([AtomicU64; COUNTERS]);

impl Counters {
    pub(crate) fn add(&self, counter: Counter, count: usize) {
        self.0[counter as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Adds what became of the messages of a batch.
    pub(crate) fn add_all(&self, counts: &Counts) {
        let settled = [
            (Counter::Acked, counts.acked),
            (Counter::Retried, counts.retried),
            (Counter::Dead, counts.dead),
            (Counter::Failed, counts.failed),
            (Counter::Stale, counts.stale),
            (Counter::Unsettled, counts.unsettled),
            (Counter::Released, counts.released),
        ];
        for (counter, count) in settled.into_iter().filter(|(_, count)| *count > 0) {
            self.0[counter as usize].fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn of(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |counter: Counter| self.of(counter);
        Counts {
            received: of(Counter::Received),
            filtered: of(Counter::Filtered),
            invocations: of(Counter::Invocations),
            failed_invocations: of(Counter::FailedInvocations),
            throttled: of(Counter::Throttled),
            dropped: of(Counter::Dropped),
            acked: of(Counter::Acked),
            retried: of(Counter::Retried),
            dead: of(Counter::Dead),
            failed: of(Counter::Failed),
            stale: of(Counter::Stale),
            unsettled: of(Counter::Unsettled),
            rejected: of(Counter::Rejected),
            released: of(Counter::Released),
            leases_lost: of(Counter::LeasesLost),
        }
    }
}

/// As a person reads it: only what is not zero.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.received, "received"),
            (self.filtered, "filtered out"),
            (self.invocations, "invocations"),
            (self.failed_invocations, "of them failed"),
            (self.throttled, "throttled"),
            (self.dropped, "dropped"),
            (self.acked, "acknowledged"),
            (self.retried, "to be retried"),
            (self.dead, "dead"),
            (self.failed, "failed"),
            (self.stale, "stale"),
            (self.unsettled, "not settled"),
            (self.rejected, "transactions rejected"),
            (self.released, "released"),
            (self.leases_lost, "leases lost"),
        ];
        let mut first = true;
        for (count, what) in all.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{}{count} {what}", if first { "" } else { ", " })?;
            first = false;
        }
        if first { f.write_str("nothing") } else { Ok(()) }
    }
}
