//! The scaler with policies, as the two auto scaling services of AWS have it.

use std::time::Duration;

use broker_core::Timestamp;

use super::{
    Bounds, Decision, Policy, Reason, Sample, Scale, Scheduled, Timing, after,
    policy::{PolicyState, Wish},
    timing::{Damping, LAUNCH_MAX},
    weigh::weigh,
};
use crate::Error;

/// The most policies of a scaler, and the most scheduled actions: far above what is of use.
const POLICIES_MAX: usize = 100;

/// What is not to be done for now (rule S35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspended {
    /// Policies take no workers away.
    pub scale_in: bool,
    /// Policies add none.
    pub scale_out: bool,
    /// Scheduled actions that become due are skipped.
    pub scheduled: bool,
}

/// Scales by policies. See the [module](crate::scaling) for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    pub(super) bounds: Bounds,
    pub(super) policies: Vec<Policy>,
    pub(super) timing: Timing,
    schedule: Vec<Scheduled>,
    pub(super) suspended: Suspended,
}

/// What a [`Scaler`] remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalerState {
    pub(super) desired: u32,
    bounds: Bounds,
    decided: Timestamp,
    pub(super) damping: Damping,
    policies: Vec<PolicyState>,
    pub(super) pause: Option<Pause>,
}

/// What a simple policy waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pause {
    /// Until the workers are there or given up, and then for so long.
    Activity { cooldown: Duration, given_up: Timestamp },
    /// Until then.
    Cooldown(Timestamp),
}

impl Scaler {
    /// Scales within bounds by policies, with [`Timing::cooldown`].
    ///
    /// # Errors
    ///
    /// If a policy is not valid, or there are more than 100.
    pub fn new(bounds: Bounds, policies: impl IntoIterator<Item = Policy>) -> Result<Self, Error> {
        let policies: Vec<Policy> = policies.into_iter().collect();
        if policies.len() > POLICIES_MAX {
            return Err(Error::setting("policies", policies.len(), "must be 100 at most"));
        }
        for policy in &policies {
            policy.check()?;
        }
        let timing = Timing::cooldown();
        Ok(Self { bounds, policies, timing, schedule: Vec::new(), suspended: Suspended::default() })
    }

    /// Sets how changes are damped.
    ///
    /// # Errors
    ///
    /// If the warm-up is longer than an hour.
    pub fn timing(mut self, timing: Timing) -> Result<Self, Error> {
        timing.check()?;
        self.timing = timing;
        Ok(self)
    }

    /// Sets the scheduled actions.
    ///
    /// # Errors
    ///
    /// If there are more than 100.
    pub fn schedule(mut self, actions: impl IntoIterator<Item = Scheduled>) -> Result<Self, Error> {
        self.schedule = actions.into_iter().collect();
        if self.schedule.len() > POLICIES_MAX {
            return Err(Error::setting("schedule", self.schedule.len(), "must be 100 actions at most"));
        }
        Ok(self)
    }

    /// Sets what is not to be done for now.
    pub fn suspend(mut self, suspended: Suspended) -> Self {
        self.suspended = suspended;
        self
    }

    /// Sets the bounds anew, those of scheduled actions included. The count is pulled into them at the next decision.
    pub fn set_bounds(&mut self, state: &mut ScalerState, bounds: Bounds) {
        (self.bounds, state.bounds) = (bounds, bounds);
    }

    /// Sets the count by hand, within the bounds. With `honor_cooldown` it is refused during a cooldown or a warm-up.
    ///
    /// # Errors
    ///
    /// During a cooldown that was to be honoured.
    pub fn set_desired(
        &self,
        state: &mut ScalerState,
        desired: u32,
        honor_cooldown: bool,
        now: Timestamp,
    ) -> Result<u32, Error> {
        if honor_cooldown && let Some(until) = Self::busy_until(state, now) {
            let reason = format!("a cooldown that is to be honoured ends at {until}");
            return Err(Error::setting("desired", desired, reason));
        }
        self.change(state, state.bounds.clamp(desired), now);
        Ok(state.desired)
    }

    /// When the last of what is being waited for ends.
    fn busy_until(state: &ScalerState, now: Timestamp) -> Option<Timestamp> {
        let pause = match state.pause {
            Some(Pause::Activity { given_up, .. }) => Some(given_up),
            Some(Pause::Cooldown(until)) => Some(until),
            None => None,
        };
        state.damping.holds_in().max(pause).filter(|until| now < *until)
    }

    /// Changes the count without a cooldown; new workers warm up even so.
    fn change(&self, state: &mut ScalerState, desired: u32, now: Timestamp) {
        let was = std::mem::replace(&mut state.desired, desired);
        if let Timing::WarmUp { .. } = self.timing {
            if desired > was {
                let wait = self.timing.scale_out(None);
                state.damping.scaled_out(self.timing, desired - was, wait, now);
            } else {
                state.damping.scaled_in(self.timing, was - desired, Duration::ZERO, now);
            }
        }
    }

    /// Does what is due by the clock. Returns why the count changed, if it did.
    fn on_time(&self, state: &mut ScalerState, now: Timestamp) -> Option<Reason> {
        let since = std::mem::replace(&mut state.decided, now);
        let due = |action: &Scheduled| action.due(since, now);
        let mut actions: Vec<_> = self.schedule.iter().filter_map(|a| due(a).map(|at| (at, a))).collect();
        actions.sort_by_key(|(at, _)| *at);
        let mut reason = None;
        for (_, action) in actions.iter().filter(|_| !self.suspended.scheduled) {
            state.bounds = state.bounds.with(action.min, action.max);
            let count = state.bounds.clamp(action.desired.unwrap_or(state.desired));
            if count != state.desired {
                reason = Some(Reason::Scheduled { name: action.name.clone() });
                self.change(state, count, now);
            }
        }
        let count = state.bounds.clamp(state.desired);
        if count != state.desired {
            reason = Some(Reason::PulledIntoBounds);
            self.change(state, count, now);
        }
        reason
    }

    /// Sees whether what a simple policy waits for has come.
    fn unpause(state: &mut ScalerState, in_service: u32, now: Timestamp) {
        if let Some(Pause::Activity { cooldown, given_up }) = state.pause
            && (in_service == state.desired || now >= given_up)
        {
            state.pause = Some(Pause::Cooldown(after(now, cooldown)));
        }
        if let Some(Pause::Cooldown(until)) = state.pause
            && now >= until
        {
            state.pause = None;
        }
    }

    /// Acts on what a policy wants.
    fn act(&self, state: &mut ScalerState, at: usize, wish: &Wish, desired: u32, now: Timestamp) -> Reason {
        let policy = &self.policies[at];
        let was = std::mem::replace(&mut state.desired, desired);
        state.policies[at].acted = Some(wish.period);
        let (out, back) = (self.timing.scale_out(policy.scale_out), self.timing.scale_in(policy.scale_in));
        if desired > was {
            state.damping.scaled_out(self.timing, desired - was, out, now);
        } else {
            state.damping.scaled_in(self.timing, was - desired, back, now);
        }
        if policy.is_simple() {
            let given_up = after(now, LAUNCH_MAX);
            state.pause = Some(Pause::Activity { cooldown: back, given_up });
        }
        let (policy, value, limit) = (policy.name.clone(), wish.value, policy.limit());
        if desired > was {
            Reason::Above { policy, value, limit }
        } else {
            Reason::Below { policy, value, limit }
        }
    }
}

impl Scale for Scaler {
    type State = ScalerState;

    fn start(&self, desired: u32, now: Timestamp) -> ScalerState {
        ScalerState {
            desired,
            bounds: self.bounds,
            decided: now,
            damping: Damping::start(desired),
            policies: self.policies.iter().map(Policy::start).collect(),
            pause: None,
        }
    }

    fn decide(&self, state: &mut ScalerState, sample: &Sample, now: Timestamp) -> Decision {
        let was = state.desired;
        let timed = self.on_time(state, now);
        state.damping.observe(sample.in_service, now);
        Self::unpause(state, sample.in_service, now);

        let workers = sample.in_service.saturating_sub(state.damping.warming());
        let mut proposals = Vec::with_capacity(self.policies.len());
        for (policy, memory) in self.policies.iter().zip(&mut state.policies) {
            policy.add(memory, sample, workers, now);
            proposals.push(policy.propose(memory, state.desired, now));
        }
        let (mut verdicts, winner) = weigh(self, state, &proposals);
        let acted = winner.and_then(|(at, count)| {
            let wish = proposals[at].wish()?;
            verdicts[at] = self.act(state, at, wish, count, now);
            Some(verdicts[at].clone())
        });
        // Without a change, what holds one back says more than contentment.
        let held = verdicts.iter().find(|reason| **reason != Reason::Content).cloned();
        let reason = acted.or(timed).or(held).unwrap_or(Reason::Content);
        let names = self.policies.iter().map(|policy| policy.name.clone());
        Decision { desired: state.desired, was, reason, policies: names.zip(verdicts).collect() }
    }

    fn most(&self, state: &ScalerState) -> u32 {
        state.bounds.max()
    }
}

impl ScalerState {
    /// How many workers there should be.
    pub fn desired(&self) -> u32 {
        self.desired
    }

    /// The bounds as scheduled actions have left them.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}
