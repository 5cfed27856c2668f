//! KEDA's scaler of a queue: from and to zero by itself, between one and the most through an [`Hpa`] (rules S50 to S56).

use std::time::Duration;

use broker_core::Timestamp;

use super::{Behavior, Bounds, Decision, Hpa, HpaState, Reading, Reason, Sample, Scale, after, round};
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
    /// Messages for each worker: 5 by default, above zero.
    pub queue_length: f64,
    /// Only with more messages than that is there something to do: 0 by default.
    pub activation_queue_length: u64,
    /// Whether messages in flight count, as by default: a scaler that does not know of them takes away the workers that
    /// have them.
    pub scale_on_in_flight: bool,
    /// Whether delayed messages count; not by default.
    pub scale_on_delayed: bool,
    /// How often is looked whether there is something to do: every 30 seconds.
    pub polling_interval: Duration,
    /// How long there must have been nothing to do before the last worker goes: 300 seconds.
    pub cooldown: Duration,
    /// The same from the start, before there has been anything to do: 0 seconds.
    pub initial_cooldown: Duration,
    /// What to do when the queue cannot be read.
    pub fallback: Option<Fallback>,
    /// Pauses.
    pub pause: Pause,
    bounds: Bounds,
    idle: bool,
    hpa: Hpa,
}

/// What to do when the queue cannot be read again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// After more failed polls than that, one after another.
    pub failure_threshold: u32,
    /// So many workers.
    pub replicas: u32,
    /// How these go together with those that there are.
    pub behavior: FallbackBehavior,
}

/// How the workers of a fallback go together with those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FallbackBehavior {
    /// Those of the fallback.
    #[default]
    Static,
    /// Those that there are.
    Current,
    /// Those that there are if they are more.
    CurrentIfHigher,
    /// Those that there are if they are fewer.
    CurrentIfLower,
}

/// What a human has stopped, or wants (rule S55).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pause {
    /// No changes.
    pub paused: bool,
    /// Exactly so many workers, and no changes.
    pub replicas: Option<u32>,
    /// No fewer.
    pub scale_in: bool,
    /// No more.
    pub scale_out: bool,
    /// There is something to do, whatever the queue says.
    pub force_activation: bool,
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
        let pause = Pause::default();
        Ok(Self {
            queue_length: 5.0,
            activation_queue_length: 0,
            scale_on_in_flight: true,
            scale_on_delayed: false,
            polling_interval: Duration::from_secs(30),
            cooldown: Duration::from_secs(300),
            initial_cooldown: Duration::ZERO,
            fallback: None,
            pause,
            bounds,
            idle: false,
            hpa: Hpa::new(Bounds::new(min.max(1), max)?),
        })
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
        let in_flight = part(self.scale_on_in_flight, sample.in_flight)?;
        let delayed = part(self.scale_on_delayed, sample.delayed)?;
        Some(sample.visible?.saturating_add(in_flight).saturating_add(delayed))
    }

    fn is_active(&self, length: Option<u64>) -> bool {
        let may_be_inactive = self.bounds.min() == 0 || self.idle;
        let long = length.is_some_and(|length| length > self.activation_queue_length);
        self.pause.force_activation || long || (length.is_some() && !may_be_inactive)
    }

    /// The loop that starts the first worker and stops the last.
    fn poll(&self, state: &mut QueueScalerState, length: Option<u64>, now: Timestamp) -> Option<Decision> {
        if now < state.next_poll {
            return None;
        }
        state.next_poll = after(now, self.polling_interval);
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
            if self.pause.scale_out {
                return Some(Decision::new(current, current, Reason::Paused));
            }
            state.last_active = Some(now);
            return set(state, self.bounds.min().max(1), Reason::Activated);
        }
        if length.is_none() {
            let count = self.fallen_back(state)?;
            return if current == 0 && count > 0 { set(state, count, Reason::Fallback) } else { None };
        }
        let since = state
            .last_active
            .map_or(after(state.created, self.initial_cooldown), |active| after(active, self.cooldown));
        if current > 0 && since < now {
            if self.pause.scale_in {
                return Some(Decision::new(current, current, Reason::Paused));
            }
            return set(state, 0, Reason::Inactive);
        }
        None
    }

    /// The count of the fallback, if there is one and the queue could not be read too often.
    fn fallen_back(&self, state: &QueueScalerState) -> Option<u32> {
        let Fallback { failure_threshold, replicas, behavior } = self.fallback?;
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
        let per_pod = self.queue_length;
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
        if self.pause.paused || self.pause.replicas.is_some() {
            let count = self.pause.replicas.unwrap_or(was);
            state.hpa.set_current(count);
            return Decision::new(was, count, Reason::Paused);
        }
        let length = self.length(sample);
        let polled = self.poll(state, length, now);
        if state.hpa.current() == 0 {
            return polled.unwrap_or(Decision::new(was, 0, Reason::Content));
        }
        let hpa = self.hpa.clone().without(self.pause.scale_out, self.pause.scale_in);
        let reading = self.reading(state, length);
        let scaled = hpa.decide(&mut state.hpa, &[reading], now);
        match polled {
            Some(polled) if !scaled.is_change() => polled,
            _ => Decision { was, ..scaled },
        }
    }

    fn most(&self, _state: &QueueScalerState) -> u32 {
        self.bounds.max().max(self.pause.replicas.unwrap_or(0))
    }
}
