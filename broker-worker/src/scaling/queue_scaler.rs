//! KEDA's scaler of a queue: from and to zero by itself, between one and the most through an [`Hpa`] (rules S50 to S56).

use broker_core::Timestamp;

use super::{
    Behavior, Bounds, Decision, Fallback, FallbackBehavior, Hpa, HpaState, QueueTarget, Reading, Reason,
    Sample, Scale, after, round,
};
use crate::Error;

/// Scales on the length of a queue.
///
/// ```
/// use broker_core::Timestamp;
/// use broker_worker::scaling::{QueueScaler, Sample, Scale as _};
///
/// let scaler = QueueScaler::new(0, 100)?;
/// let now = Timestamp::from_millis(0);
/// let mut state = scaler.start(0, now);
/// let decision = scaler.decide(&mut state, &Sample::new(0).visible(3).in_flight(0), now);
/// assert_eq!(decision.desired, 1); // there is something to do
/// # Ok::<(), broker_worker::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct QueueScaler {
    target: QueueTarget,
    bounds: Bounds,
    idle: bool,
    hpa: Hpa,
}

/// What a [`QueueScaler`] remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueScalerState {
    hpa: HpaState,
    created: Timestamp,
    next_poll: Timestamp,
    last_active: Option<Timestamp>,
    failures: u32,
}

impl QueueScaler {
    /// The default settings of KEDA, with `min` to `max` workers; KEDA's own defaults are 0 and 100.
    ///
    /// # Errors
    ///
    /// If `min` is above `max`, or `max` is zero.
    pub fn new(min: u32, max: u32) -> Result<Self, Error> {
        let bounds = Bounds::new(min, max)?;
        if max == 0 {
            return Err(Error::setting("max", max, "must be 1 at least"));
        }
        Ok(Self {
            target: QueueTarget::default(),
            bounds,
            idle: false,
            hpa: Hpa::new(Bounds::new(min.max(1), max)?),
        })
    }

    /// Sets what is looked at, and how often.
    ///
    /// # Errors
    ///
    /// If the length for each worker is not a number above zero, or the polling interval is zero.
    pub fn target(mut self, target: QueueTarget) -> Result<Self, Error> {
        if !(target.queue_length.is_finite() && target.queue_length > 0.0) {
            return Err(Error::setting("queue_length", target.queue_length, "must be a number above zero"));
        }
        if target.polling_interval.as_millis() == 0 {
            let told = format!("{:?}", target.polling_interval);
            return Err(Error::setting("polling_interval", told, "must be a millisecond at least"));
        }
        self.target = target;
        Ok(self)
    }

    /// With no worker at all while there is nothing to do, and never fewer than the least otherwise.
    ///
    /// # Errors
    ///
    /// If `idle` is not 0, which is the one count that works, or the least is 0 already.
    pub fn idle_replicas(mut self, idle: u32) -> Result<Self, Error> {
        if idle != 0 {
            return Err(Error::setting("idle_replicas", idle, "must be 0"));
        }
        if self.bounds.min() == 0 {
            return Err(Error::setting("idle_replicas", idle, "must be below min, which is 0"));
        }
        self.idle = true;
        Ok(self)
    }

    /// Sets how fast the count may go up and down between one and the most.
    ///
    /// # Errors
    ///
    /// As [`Hpa::behavior`].
    pub fn behavior(mut self, up: Behavior, down: Behavior) -> Result<Self, Error> {
        self.hpa = self.hpa.behavior(up, down)?;
        Ok(self)
    }

    /// The length of the queue, of what counts; `None` if a part of that is not known.
    fn length(&self, sample: &Sample) -> Option<u64> {
        let part = |counts: bool, part: Option<u64>| if counts { part } else { Some(0) };
        let in_flight = part(self.target.scale_on_in_flight, sample.in_flight)?;
        let delayed = part(self.target.scale_on_delayed, sample.delayed)?;
        Some(sample.visible?.saturating_add(in_flight).saturating_add(delayed))
    }

    fn is_active(&self, length: Option<u64>) -> bool {
        let may_be_inactive = self.bounds.min() == 0 || self.idle;
        let long = length.is_some_and(|length| length > self.target.activation_queue_length);
        self.target.pause.force_activation || long || (length.is_some() && !may_be_inactive)
    }

    /// The loop that starts the first worker and stops the last.
    fn poll(&self, state: &mut QueueScalerState, length: Option<u64>, now: Timestamp) -> Option<Decision> {
        if now < state.next_poll {
            return None;
        }
        state.next_poll = after(now, self.target.polling_interval);
        state.failures = if length.is_some() { 0 } else { state.failures.saturating_add(1) };
        let current = state.hpa.current();
        let set = |state: &mut QueueScalerState, count: u32, reason| {
            state.hpa.set_current(count);
            Some(Decision::new(current, count, reason))
        };
        if self.is_active(length) {
            if current > 0 {
                state.last_active = Some(now);
                return None;
            }
            if self.target.pause.scale_out {
                return Some(Decision::new(current, current, Reason::Paused));
            }
            state.last_active = Some(now);
            return set(state, self.bounds.min().max(1), Reason::Activated);
        }
        if length.is_none() {
            let count = self.fallen_back(state)?;
            return if current == 0 && count > 0 { set(state, count, Reason::Fallback) } else { None };
        }
        let since = state.last_active.map_or(after(state.created, self.target.initial_cooldown), |active| {
            after(active, self.target.cooldown)
        });
        if current > 0 && since < now {
            if self.target.pause.scale_in {
                return Some(Decision::new(current, current, Reason::Paused));
            }
            return set(state, 0, Reason::Inactive);
        }
        None
    }

    /// The count of the fallback, if there is one and the queue could not be read too often.
    fn fallen_back(&self, state: &QueueScalerState) -> Option<u32> {
        let Fallback { failure_threshold, replicas, behavior } = self.target.fallback?;
        let current = state.hpa.current();
        (state.failures > failure_threshold).then_some(match behavior {
            FallbackBehavior::Static => replicas,
            FallbackBehavior::Current => current,
            FallbackBehavior::CurrentIfHigher => replicas.max(current),
            FallbackBehavior::CurrentIfLower => replicas.min(current),
        })
    }

    /// What the autoscaler is told of the queue.
    fn reading(&self, state: &QueueScalerState, length: Option<u64>) -> Reading {
        let per_pod = self.target.queue_length;
        match (length, self.fallen_back(state)) {
            (Some(length), _) => Reading::Total { total: round::number(length), per_pod },
            (None, Some(count)) => Reading::Total { total: per_pod * f64::from(count), per_pod },
            (None, None) => Reading::Failed,
        }
    }
}

impl Scale for QueueScaler {
    type State = QueueScalerState;

    fn start(&self, desired: u32, now: Timestamp) -> QueueScalerState {
        let hpa = self.hpa.start(desired, now);
        QueueScalerState { hpa, created: now, next_poll: now, last_active: None, failures: 0 }
    }

    fn decide(&self, state: &mut QueueScalerState, sample: &Sample, now: Timestamp) -> Decision {
        let was = state.hpa.current();
        if self.target.pause.paused || self.target.pause.replicas.is_some() {
            let count = self.target.pause.replicas.unwrap_or(was);
            state.hpa.set_current(count);
            return Decision::new(was, count, Reason::Paused);
        }
        let length = self.length(sample);
        let polled = self.poll(state, length, now);
        if state.hpa.current() == 0 {
            return polled.unwrap_or(Decision::new(was, 0, Reason::Content));
        }
        let hpa = self.hpa.clone().without(self.target.pause.scale_out, self.target.pause.scale_in);
        let reading = self.reading(state, length);
        let scaled = hpa.decide(&mut state.hpa, &[reading], now);
        match polled {
            Some(polled) if !scaled.is_change() => polled,
            _ => Decision { was, ..scaled },
        }
    }

    fn most(&self, _state: &QueueScalerState) -> u32 {
        self.bounds.max().max(self.target.pause.replicas.unwrap_or(0))
    }
}
