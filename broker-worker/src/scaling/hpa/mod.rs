//! Kubernetes' horizontal pod autoscaler (rules S60 to S67).

mod behavior;
mod reading;

use std::{cmp::Ordering, collections::VecDeque, time::Duration};

use broker_core::Timestamp;

pub use behavior::{Behavior, RateChange, RatePolicy, Select};
pub use reading::{Pod, Reading};

use super::{Bounds, Decision, Reason, after};
use crate::Error;

/// How often the autoscaler looks (rule S60).
const SYNC: Duration = Duration::from_secs(15);
/// The longest stabilization window, and with [`SYNC`] what bounds the recommendations that are kept.
const WINDOW_MAX: Duration = Duration::from_secs(3_600);

/// Proposes a count in proportion to each metric every 15 seconds, takes the largest, and follows it as fast as its behaviours
/// allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Hpa {
    bounds: Bounds,
    up: Behavior,
    down: Behavior,
}

/// What an [`Hpa`] remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct HpaState {
    current: u32,
    next: Timestamp,
    /// What was proposed when, as far back as the longer window reaches.
    proposed: VecDeque<(Timestamp, u32)>,
    /// By how much the count went up and down when, as far back as the longest period reaches.
    ups: VecDeque<(Timestamp, u32)>,
    downs: VecDeque<(Timestamp, u32)>,
}

impl HpaState {
    /// How many there should be.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// Somebody else has set the count.
    pub fn set_current(&mut self, current: u32) {
        self.current = current;
    }
}

impl Hpa {
    /// Scales within bounds, with the default behaviours.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, up: Behavior::up(), down: Behavior::down() }
    }

    /// Sets how fast the count may go up and down.
    ///
    /// # Errors
    ///
    /// If a window is longer than an hour, a period is not 1 to 1,800 seconds, or a tolerance is not from 0 to below 1.
    pub fn behavior(mut self, up: Behavior, down: Behavior) -> Result<Self, Error> {
        up.check()?;
        down.check()?;
        (self.up, self.down) = (up, down);
        Ok(self)
    }

    /// The least and the most.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// With no change upwards, or downwards.
    pub(crate) fn without(mut self, up: bool, down: bool) -> Self {
        if up {
            self.up.select = Select::Disabled;
        }
        if down {
            self.down.select = Select::Disabled;
        }
        self
    }

    /// The state of a fleet of `current` at `now`.
    pub fn start(&self, current: u32, now: Timestamp) -> HpaState {
        let (proposed, ups, downs) = <(VecDeque<_>, VecDeque<_>, VecDeque<_>)>::default();
        HpaState { current, next: now, proposed, ups, downs }
    }

    /// What should be, by the metrics read at `now`. Between the times at which the autoscaler looks nothing changes.
    pub fn decide(&self, state: &mut HpaState, readings: &[Reading], now: Timestamp) -> Decision {
        let was = state.current;
        if now < state.next {
            return Decision::new(was, was, Reason::Content);
        }
        state.next = after(now, SYNC);
        let bounds = self.bounds;
        if was == 0 && bounds.min() > 0 {
            return Decision::new(was, was, Reason::Disabled);
        }
        if bounds.clamp(was) != was {
            return state.follow(bounds.clamp(was), Reason::PulledIntoBounds, now);
        }
        let proposals = readings.iter().map(|reading| self.propose(reading, was, now));
        let (mut wanted, mut failed) = (None, false);
        for proposal in proposals {
            match proposal {
                Some(count) => wanted = wanted.max(Some(count)),
                None => failed = true,
            }
        }
        let Some(wanted) = wanted.filter(|wanted| !failed || *wanted >= was) else {
            return Decision::new(was, was, Reason::NoData);
        };
        self.approach(state, wanted, now)
    }

    fn propose(&self, reading: &Reading, current: u32, now: Timestamp) -> Option<u32> {
        reading.propose(current, self.down.tolerance, self.up.tolerance, now)
    }

    /// Goes from what is to what is wanted, as far as the behaviours allow.
    fn approach(&self, state: &mut HpaState, wanted: u32, now: Timestamp) -> Decision {
        let was = state.current;
        state.forget(now);
        let stable = self.stabilize(state, wanted, now);
        state.proposed.push_back((now, wanted));
        let allowed = match stable.cmp(&was) {
            Ordering::Greater => stable.min(self.up.limit_up(was, &state.ups, &state.downs, now)),
            Ordering::Less => stable.max(self.down.limit_down(was, &state.ups, &state.downs, now)),
            Ordering::Equal => was,
        };
        let count = self.bounds.clamp(allowed);
        let reason = if stable != wanted {
            Reason::Stabilized { wanted }
        } else if allowed != stable {
            Reason::RateLimited { wanted: stable }
        } else if count != allowed {
            Reason::AtBound { wanted: allowed }
        } else {
            Reason::Content
        };
        let reason = match reason {
            Reason::Content if count > was => proportion(was, wanted, true),
            Reason::Content if count < was => proportion(was, wanted, false),
            held => held,
        };
        state.follow(count, reason, now)
    }

    /// The nearest to what is that all recommendations of the windows allow (rule S64).
    fn stabilize(&self, state: &HpaState, wanted: u32, now: Timestamp) -> u32 {
        let within = |window: Duration| {
            let inside = move |at: Timestamp| now.since(at) < window;
            state.proposed.iter().filter(move |(at, _)| inside(*at)).map(|(_, count)| *count)
        };
        let least = within(self.up.stabilization).chain([wanted]).min().unwrap_or(wanted);
        let most = within(self.down.stabilization).chain([wanted]).max().unwrap_or(wanted);
        state.current.max(least).min(most)
    }
}

/// The reason of a change that nothing holds back.
fn proportion(was: u32, wanted: u32, above: bool) -> Reason {
    let (policy, value, limit) = ("load in workers".to_owned(), f64::from(wanted), f64::from(was));
    if above { Reason::Above { policy, value, limit } } else { Reason::Below { policy, value, limit } }
}

impl HpaState {
    /// Has so many from now on.
    fn follow(&mut self, count: u32, reason: Reason, now: Timestamp) -> Decision {
        let was = std::mem::replace(&mut self.current, count);
        if count > was {
            self.ups.push_back((now, count - was));
        } else if count < was {
            self.downs.push_back((now, was - count));
        }
        Decision::new(was, count, reason)
    }

    /// Gives up what no window and no period reaches.
    fn forget(&mut self, now: Timestamp) {
        for (kept, reach) in [
            (&mut self.proposed, WINDOW_MAX),
            (&mut self.ups, behavior::PERIOD_MAX),
            (&mut self.downs, behavior::PERIOD_MAX),
        ] {
            while kept.front().is_some_and(|(at, _)| now.since(*at) > reach) {
                kept.pop_front();
            }
        }
    }
}
