//! A scaler with its state, asked at explicit times.

use std::time::Duration;

use broker_core::Timestamp;
use broker_worker::scaling::{
    Adjustment, Alarm, Bounds, Comparison, Decision, Metric, Policy, Sample, Scale, Scaler, Step,
    StepScaling, TargetTracking,
};

/// So many seconds after the beginning.
pub(crate) fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A scaler and what it remembers.
pub(crate) struct Fleet<S: Scale> {
    pub(crate) scaler: S,
    pub(crate) state: S::State,
}

impl<S: Scale> Fleet<S> {
    pub(crate) fn new(scaler: S, desired: u32) -> Self {
        let state = scaler.start(desired, at(0));
        Self { scaler, state }
    }

    /// What is decided at a second.
    pub(crate) fn decide(&mut self, second: u64, sample: &Sample) -> Decision {
        self.scaler.decide(&mut self.state, sample, at(second))
    }

    /// What is desired at a second.
    pub(crate) fn desired(&mut self, second: u64, sample: &Sample) -> u32 {
        self.decide(second, sample).desired
    }

    /// The same sample every minute from one minute on, up to and with another. The count after each.
    pub(crate) fn minutes(&mut self, minutes: std::ops::RangeInclusive<u64>, sample: &Sample) -> Vec<u32> {
        minutes.map(|minute| self.desired(minute * 60, sample)).collect()
    }
}

/// A target of 100 messages for each worker.
pub(crate) fn backlog_100() -> TargetTracking {
    TargetTracking::new(Metric::BacklogPerWorker, 100.0)
}

/// A scaler with one policy of target tracking, from 1 to 50.
pub(crate) fn tracking(target: TargetTracking) -> Scaler {
    Scaler::new(Bounds::new(1, 50).unwrap(), [Policy::target("backlog", target)]).unwrap()
}

/// A metric of the caller's, of which policies are sure after one minute.
pub(crate) fn load() -> Metric {
    Metric::Named("load".into())
}

/// A sample with that metric.
pub(crate) fn loaded(in_service: u32, value: f64) -> Sample {
    Sample::new(in_service).named("load", value)
}

/// A policy that adds workers at 60 or more.
pub(crate) fn step_out(steps: impl IntoIterator<Item = Step>) -> Policy {
    let alarm = Alarm::new(Comparison::AtLeast, 60.0);
    Policy::step("out", StepScaling::new(load(), alarm, steps))
}

/// A policy that takes workers away at 40 or less.
pub(crate) fn step_in(steps: impl IntoIterator<Item = Step>) -> Policy {
    let alarm = Alarm::new(Comparison::AtMost, 40.0);
    Policy::step("in", StepScaling::new(load(), alarm, steps))
}

/// One step from the threshold upwards.
pub(crate) fn up(change: i32) -> [Step; 1] {
    [Step::new(0.0, None, Adjustment::Change(change))]
}

/// One step from the threshold downwards.
pub(crate) fn down(change: i32) -> [Step; 1] {
    [Step::new(None, 0.0, Adjustment::Change(change))]
}

/// From 0 to 100 workers.
pub(crate) fn bounds() -> Bounds {
    Bounds::new(0, 100).unwrap()
}
