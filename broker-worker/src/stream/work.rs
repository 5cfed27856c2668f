//! What is left of a batch, and what follows from an invocation (rules L82 to L88). Pure: records are positions in the batch.

use std::{collections::VecDeque, ops::Range, time::Duration};

/// The wait after an invocation that failed or could not run, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(16));

/// How often a batch is tried, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    /// How often a batch is tried again after the function has failed; `None`: until its records are too old.
    pub(super) max: Option<u32>,
    /// Whether a batch that fails is cut in two.
    pub(super) bisect: bool,
}

/// A part of a batch that is invoked as one. Each part counts its own attempts, and begins to count again when it gets smaller
/// (rule L88).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: Range<usize>,
    /// How often the function has run on it.
    pub(super) invocations: u32,
    /// Waits so far.
    waits: u32,
    /// Milliseconds since 1970.
    pub(super) not_before: u64,
}

impl Part {
    fn new(range: Range<usize>) -> Self {
        Self { range, invocations: 0, waits: 0, not_before: 0 }
    }

    fn wait(&mut self, now: u64, at_least: Duration) {
        let doublings = self.waits.min(BACKOFF.1.as_secs().ilog2() + 2);
        let wait = (BACKOFF.0 * 2u32.pow(doublings)).min(BACKOFF.1).max(at_least);
        self.waits = self.waits.saturating_add(1);
        self.not_before = now.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }
}

/// What is left of a batch: its first part is the next to be invoked.
#[derive(Debug)]
pub(super) struct Work {
    parts: VecDeque<Part>,
    retries: Retries,
}

/// What a failure means for the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    /// It is tried again, whole or in halves.
    Again,
    /// It is given up: these records, after so many invocations.
    Exhausted(Range<usize>, u32),
}

impl Work {
    pub(super) fn new(records: usize, retries: Retries) -> Self {
        Self { parts: VecDeque::from([Part::new(0..records)]), retries }
    }

    /// What comes next. `None`: nothing is left.
    pub(super) fn next(&self) -> Option<&Part> {
        self.parts.front()
    }

    /// The part could not be invoked. That uses up no attempt (rule L82).
    pub(super) fn throttled(&mut self, now: u64, retry_after: Option<Duration>) {
        if let Some(part) = self.parts.front_mut() {
            part.wait(now, retry_after.unwrap_or_default());
        }
    }

    /// The part is done. Returns its records.
    pub(super) fn succeeded(&mut self) -> Range<usize> {
        self.parts.pop_front().map_or(0..0, |part| part.range)
    }

    /// The records of the part in front of this one are done; it and those behind it are tried again (rule L87). Returns what is
    /// done. With nothing in front of it this is a failure like any other, to be told with [`failed`](Self::failed).
    pub(super) fn progressed(&mut self, to: usize, now: u64) -> Range<usize> {
        let Some(part) = self.parts.front_mut() else { return 0..0 };
        let done = part.range.start..to.clamp(part.range.start, part.range.end);
        *part = Part::new(done.end..part.range.end);
        part.wait(now, Duration::ZERO);
        done
    }

    /// The function has failed on the part.
    pub(super) fn failed(&mut self, now: u64) -> After {
        let Some(mut part) = self.parts.pop_front() else { return After::Again };
        part.invocations = part.invocations.saturating_add(1);
        if self.retries.bisect && part.range.len() > 1 {
            let middle = part.range.start + part.range.len() / 2;
            self.parts.push_front(Part::new(middle..part.range.end));
            self.parts.push_front(Part::new(part.range.start..middle));
            return After::Again;
        }
        if self.retries.max.is_some_and(|max| part.invocations > max) {
            return After::Exhausted(part.range, part.invocations);
        }
        part.wait(now, Duration::ZERO);
        self.parts.push_front(part);
        After::Again
    }

    /// The first so many records of the part are too old. Returns them, and how often the function has run on them.
    pub(super) fn too_old(&mut self, records: usize) -> (Range<usize>, u32) {
        let Some(part) = self.parts.pop_front() else { return (0..0, 0) };
        let middle = part.range.start.saturating_add(records).min(part.range.end);
        if middle < part.range.end {
            self.parts.push_front(Part::new(middle..part.range.end));
        }
        (part.range.start..middle, part.invocations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin and end of each part.
    fn left(work: &Work) -> Vec<(usize, usize)> {
        work.parts.iter().map(|part| (part.range.start, part.range.end)).collect()
    }

    // L84
    #[test]
    fn waits_double_from_half_a_second_to_16_seconds() {
        let mut work = Work::new(3, Retries { max: None, bisect: false });
        let mut now = 0;
        let waits = (0..8).map(|_| {
            assert_eq!(work.failed(now), After::Again);
            let wait = work.next().unwrap().not_before - now;
            now += wait;
            wait
        });
        assert_eq!(waits.collect::<Vec<_>>(), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000]);
    }

    // L86
    #[test]
    fn a_failure_cuts_in_halves_and_the_first_comes_first() {
        let mut work = Work::new(7, Retries { max: Some(0), bisect: true });
        assert_eq!(work.failed(9), After::Again);
        assert_eq!(left(&work), [(0, 3), (3, 7)]);
        assert_eq!(work.next().unwrap().not_before, 0, "halves do not wait");
        assert_eq!(work.failed(9), After::Again);
        assert_eq!(left(&work), [(0, 1), (1, 3), (3, 7)]);
        // A single record is not cut.
        assert_eq!(work.failed(9), After::Exhausted(0..1, 1));
        assert_eq!(work.succeeded(), 1..3);
        assert_eq!(left(&work), [(3, 7)]);
    }

    // L87, L88
    #[test]
    fn progress_begins_to_count_again() {
        let mut work = Work::new(5, Retries { max: Some(1), bisect: false });
        assert_eq!(work.failed(0), After::Again);
        assert_eq!(work.progressed(2, 1_000), 0..2);
        assert_eq!((left(&work), work.next().unwrap().not_before), (vec![(2, 5)], 1_500));
        assert_eq!(work.failed(1_500), After::Again);
        assert_eq!(work.failed(2_500), After::Exhausted(2..5, 2));
        assert!(work.next().is_none());
    }

    // L85
    #[test]
    fn records_that_are_too_old_leave_the_others() {
        let mut work = Work::new(5, Retries { max: None, bisect: false });
        assert_eq!(work.failed(0), After::Again);
        assert_eq!(work.too_old(2), (0..2, 1));
        assert_eq!(left(&work), [(2, 5)]);
        assert_eq!(work.too_old(9), (2..5, 0));
        assert!(work.next().is_none());
    }

    // L82
    #[test]
    fn a_throttle_uses_up_no_attempt() {
        let mut work = Work::new(5, Retries { max: Some(0), bisect: true });
        work.throttled(0, None);
        work.throttled(500, Some(Duration::from_secs(60)));
        assert_eq!((left(&work), work.next().unwrap().not_before), (vec![(0, 5)], 60_500));
        assert_eq!(work.next().unwrap().invocations, 0);
    }
}
