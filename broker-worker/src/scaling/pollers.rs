//! How Lambda grows and shrinks the pollers of a queue, which decide how many batches are worked on at once.

use std::time::Duration;

use broker_core::Timestamp;

use super::{Decision, Reason, Sample, Scale, after, round};
use crate::Error;

/// Concurrent batches when a mapping starts.
const START: u32 = 5;
/// Concurrent batches that are added in a minute while there are messages.
const GROWTH: u32 = 300;
/// The most concurrent batches of a standard queue.
const MOST: u32 = 1_250;
/// Concurrent batches of a queue on which nothing happens.
const IDLE: u32 = 2;
/// How often the count changes.
const MINUTE: Duration = Duration::from_secs(60);
/// Invocations that a provisioned poller has at once, at most (rule L60).
const PER_POLLER: u32 = 10;
/// Provisioned pollers that are added in a minute: 1,000 invocations (rule L60).
const POLLER_GROWTH: u32 = 1_000 / PER_POLLER;

/// How many batches, or how many provisioned pollers, are at work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pollers {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standard { maximum_concurrency: Option<u32> },
    Fifo { maximum_concurrency: Option<u32> },
    Provisioned { min: u32, max: u32 },
}

/// What [`Pollers`] remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollerState {
    count: u32,
    /// When the count may change next.
    next: Timestamp,
    /// Whether the last look found something to do.
    busy: bool,
}

impl Pollers {
    /// For a standard queue: from 5 batches up by 300 a minute to 1,250 while there are messages, back to 5 without, and to
    /// 2 if it stays like that.
    pub fn standard() -> Self {
        Self { kind: Kind::Standard { maximum_concurrency: None } }
    }

    /// For a FIFO queue: a batch for each message group that has something to do.
    pub fn fifo() -> Self {
        Self { kind: Kind::Fifo { maximum_concurrency: None } }
    }

    /// Provisioned pollers, each for up to 10 invocations at once: `min` (2 to 200, 2 is the default of AWS) to `max` (2 to
    /// 10,000, 200 is the default of AWS), 100 more in a minute.
    ///
    /// # Errors
    ///
    /// If a count is outside its range, or `min` is above `max`.
    pub fn provisioned(min: u32, max: u32) -> Result<Self, Error> {
        if !(2..=200).contains(&min) {
            return Err(Error::setting("minimum_pollers", min, "must be between 2 and 200"));
        }
        if !(2..=10_000).contains(&max) || max < min {
            return Err(Error::setting(
                "maximum_pollers",
                max,
                format!("must be between {} and 10000", min.max(2)),
            ));
        }
        Ok(Self { kind: Kind::Provisioned { min, max } })
    }

    /// At most so many batches at once: 2 to 1,000. A queue on which nothing happens keeps 5 then, as far as that allows.
    ///
    /// # Errors
    ///
    /// If it is outside that range, or the pollers are provisioned.
    pub fn maximum_concurrency(self, batches: u32) -> Result<Self, Error> {
        if !(2..=1_000).contains(&batches) {
            return Err(Error::setting("maximum_concurrency", batches, "must be between 2 and 1000"));
        }
        let maximum_concurrency = Some(batches);
        let kind = match self.kind {
            Kind::Standard { .. } => Kind::Standard { maximum_concurrency },
            Kind::Fifo { .. } => Kind::Fifo { maximum_concurrency },
            Kind::Provisioned { .. } => {
                let reason = "cannot be set together with provisioned pollers";
                return Err(Error::setting("maximum_concurrency", batches, reason));
            }
        };
        Ok(Self { kind })
    }

    /// The count to begin with.
    pub fn first(&self) -> u32 {
        match self.kind {
            Kind::Provisioned { min, .. } => min,
            Kind::Standard { .. } | Kind::Fifo { .. } => START.min(self.ceiling()),
        }
    }

    /// The most that there ever are.
    fn ceiling(&self) -> u32 {
        match self.kind {
            Kind::Standard { maximum_concurrency } => maximum_concurrency.unwrap_or(MOST).min(MOST),
            Kind::Fifo { maximum_concurrency } => maximum_concurrency.unwrap_or(u32::MAX),
            Kind::Provisioned { max, .. } => max,
        }
    }

    /// The count a minute later.
    fn next(&self, count: u32, busy: bool, was_busy: bool) -> u32 {
        match (self.kind, busy) {
            (Kind::Standard { .. }, true) => count.max(START).saturating_add(GROWTH),
            (Kind::Standard { maximum_concurrency: None }, false) if !was_busy => IDLE,
            (Kind::Standard { .. } | Kind::Fifo { .. }, _) => START,
            (Kind::Provisioned { .. }, true) => count.saturating_add(POLLER_GROWTH),
            (Kind::Provisioned { min, .. }, false) => min,
        }
    }
}

impl Scale for Pollers {
    type State = PollerState;

    /// Pollers of a new mapping: `desired` is not asked.
    fn start(&self, _desired: u32, now: Timestamp) -> PollerState {
        PollerState { count: self.first(), next: after(now, MINUTE), busy: true }
    }

    fn decide(&self, state: &mut PollerState, sample: &Sample, now: Timestamp) -> Decision {
        let was = state.count;
        if let (Kind::Fifo { .. }, Some(groups)) = (self.kind, sample.groups) {
            state.count = groups.min(self.ceiling());
            let (policy, value) = ("message groups".to_owned(), f64::from(groups));
            let reason = Reason::Above { policy, value, limit: f64::from(self.ceiling()) };
            return Decision::new(was, state.count, reason);
        }
        let (Some(visible), in_flight) = (sample.visible, sample.in_flight.unwrap_or(0)) else {
            return Decision::new(was, was, Reason::NoData);
        };
        if now < state.next {
            return Decision::new(was, was, Reason::Damped { until: state.next });
        }
        state.next = after(now, MINUTE);
        let busy = visible > 0 || in_flight > 0;
        // Growth is for what waits; what is in flight only keeps the pollers from being idle.
        let count = if busy && visible == 0 { was } else { self.next(was, busy, state.busy) };
        state.count = count.min(self.ceiling());
        state.busy = busy;
        let (policy, value, limit) = ("visible messages".to_owned(), round::number(visible), 0.0);
        let reason = match state.count {
            count if count > was => Reason::Above { policy, value, limit },
            count if count < was => Reason::Below { policy, value, limit },
            _ => Reason::Content,
        };
        Decision::new(was, state.count, reason)
    }

    fn most(&self, _state: &PollerState) -> u32 {
        self.ceiling()
    }
}
