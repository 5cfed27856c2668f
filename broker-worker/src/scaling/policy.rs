//! A policy of a scaler: its name, what it does, and its own waits.

use std::time::Duration;

use broker_core::Timestamp;

use super::{
    adjust::Ask,
    alarm::Datapoints,
    sample::{Metric, Sample},
    step::{SimpleScaling, StepScaling},
    target::TargetTracking,
};
use crate::Error;

/// One of the policies of a [`Scaler`](crate::scaling::Scaler).
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Cooldown after adding workers, or their warm-up.
    pub(crate) scale_out: Option<Duration>,
    /// Cooldown after taking workers away.
    pub(crate) scale_in: Option<Duration>,
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Target(TargetTracking),
    Step(StepScaling),
    Simple(SimpleScaling),
}

impl Policy {
    /// Keeps a metric at a target. The name is for decisions to refer to.
    pub fn target(name: impl Into<String>, tracking: TargetTracking) -> Self {
        Self::new(name, Kind::Target(tracking))
    }

    /// Acts by how far a metric is from a threshold.
    pub fn step(name: impl Into<String>, scaling: StepScaling) -> Self {
        Self::new(name, Kind::Step(scaling))
    }

    /// Acts once, then waits. Only with [`Timing::WarmUp`](crate::scaling::Timing).
    pub fn simple(name: impl Into<String>, scaling: SimpleScaling) -> Self {
        Self::new(name, Kind::Simple(scaling))
    }

    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, scale_out: None, scale_in: None }
    }

    /// The cooldown after adding and after taking away, instead of that of the scaler's [`Timing`](crate::scaling::Timing).
    pub fn cooldown(mut self, scale_out: Duration, scale_in: Duration) -> Self {
        (self.scale_out, self.scale_in) = (Some(scale_out), Some(scale_in));
        self
    }

    /// How long workers that this policy adds take until they are of use, instead of the scaler's default.
    pub fn warm_up(mut self, warm_up: Duration) -> Self {
        self.scale_out = Some(warm_up);
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.kind {
            Kind::Target(tracking) => tracking.check(),
            Kind::Step(scaling) => scaling.check(),
            Kind::Simple(scaling) => scaling.alarm.check(),
        }
    }

    pub(crate) fn is_simple(&self) -> bool {
        matches!(self.kind, Kind::Simple(_))
    }

    pub(crate) fn is_target(&self) -> bool {
        matches!(self.kind, Kind::Target(_))
    }

    /// Whether this policy must agree before target tracking takes workers away (rule S13).
    pub(crate) fn must_agree(&self) -> bool {
        matches!(&self.kind, Kind::Target(tracking) if tracking.scale_in)
    }

    /// Nothing measured yet.
    pub(crate) fn start(&self) -> PolicyState {
        let points = match &self.kind {
            Kind::Target(tracking) => tracking.memory(),
            Kind::Step(StepScaling { alarm, .. }) | Kind::Simple(SimpleScaling { alarm, .. }) => {
                Datapoints::new(alarm.period, alarm.datapoints)
            }
        };
        PolicyState { points, acted: None }
    }

    fn metric(&self) -> &Metric {
        match &self.kind {
            Kind::Target(tracking) => &tracking.metric,
            Kind::Step(StepScaling { metric, .. }) | Kind::Simple(SimpleScaling { metric, .. }) => metric,
        }
    }

    /// What this policy was set to: its target, or the threshold of its alarm.
    pub(crate) fn limit(&self) -> f64 {
        match &self.kind {
            Kind::Target(tracking) => tracking.target(),
            Kind::Step(StepScaling { alarm, .. }) | Kind::Simple(SimpleScaling { alarm, .. }) => {
                alarm.threshold
            }
        }
    }

    /// Takes a sample, over so many workers that count.
    pub(crate) fn add(&self, state: &mut PolicyState, sample: &Sample, workers: u32, now: Timestamp) {
        state.points.add(self.metric().measure(sample, workers), now);
    }

    /// What the datapoints ask for. A policy acts once on a datapoint.
    pub(crate) fn propose(&self, state: &PolicyState, desired: u32, now: Timestamp) -> Proposal {
        let proposal = match &self.kind {
            Kind::Target(tracking) => tracking.propose(&state.points, desired, now),
            Kind::Step(scaling) => scaling.propose(&state.points, desired, now),
            Kind::Simple(scaling) => scaling.propose(&state.points, desired, now),
        };
        let new = proposal.wish().is_none_or(|wish| state.acted.is_none_or(|acted| wish.period > acted));
        proposal.if_it(new)
    }
}

/// What a policy remembers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyState {
    points: Datapoints,
    /// The period on whose datapoint it has acted last.
    pub(crate) acted: Option<u64>,
}

/// What a policy wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Proposal {
    /// More workers.
    Out(Wish),
    /// Fewer.
    In(Wish),
    /// It is content.
    Nothing,
    /// It does not know.
    NoData,
}

/// How many, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wish {
    pub(crate) ask: Ask,
    /// The metric.
    pub(crate) value: f64,
    /// The period of the datapoint.
    pub(crate) period: u64,
}

impl Proposal {
    pub(crate) fn out(ask: Ask, value: f64, period: u64) -> Self {
        Self::Out(Wish { ask, value, period })
    }

    pub(crate) fn fewer(ask: Ask, value: f64, period: u64) -> Self {
        Self::In(Wish { ask, value, period })
    }

    /// Nothing, unless the condition holds.
    pub(crate) fn if_it(self, holds: bool) -> Self {
        if holds { self } else { Self::Nothing }
    }

    pub(crate) fn wish(&self) -> Option<&Wish> {
        match self {
            Self::Out(wish) | Self::In(wish) => Some(wish),
            Self::Nothing | Self::NoData => None,
        }
    }
}
