//! Target tracking: as many workers as keep a metric at its target.

use std::time::Duration;

use broker_core::Timestamp;

use super::{
    adjust::Ask,
    alarm::{Aggregation, Datapoints, PERIOD, Point, check_period, check_points},
    policy::Proposal,
    round,
    sample::Metric,
};
use crate::Error;

/// Datapoints above the target before workers are added (rule S10; inferred).
const HIGH_POINTS: u32 = 3;
/// Datapoints well below the target before workers are taken away (rule S11; inferred).
const LOW_POINTS: u32 = 15;
/// What is well below the target: a tenth (rule S11).
const LOW_SHARE: f64 = 0.9;

/// Keeps a metric at a target: more workers at once when it is above, fewer with patience when it is well below.
///
/// The metric must fall when workers are added: [`Metric::BacklogPerWorker`], or an average over the workers.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetTracking {
    pub(crate) metric: Metric,
    target: f64,
    pub(crate) scale_in: bool,
    high: u32,
    low: u32,
    pub(crate) period: Duration,
}

impl TargetTracking {
    /// Keeps `metric` at `target`, in the unit of the metric. For a backlog that is the latency that is acceptable, divided by
    /// the time that a message takes (rule S2).
    pub fn new(metric: Metric, target: f64) -> Self {
        Self { metric, target, scale_in: true, high: HIGH_POINTS, low: LOW_POINTS, period: PERIOD }
    }

    /// Never takes workers away; another policy may.
    pub fn disable_scale_in(mut self) -> Self {
        self.scale_in = false;
        self
    }

    /// After how many datapoints above the target workers are added, 3 by default, and after how many well below it they are
    /// taken away, 15 by default.
    pub fn datapoints(mut self, high: u32, low: u32) -> Self {
        (self.high, self.low) = (high, low);
        self
    }

    /// The length of a datapoint, a minute by default. A pool in one process can afford a second.
    pub fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let most = 2f64.powi(360);
        if !(-most..=most).contains(&self.target) {
            return Err(Error::setting("target", self.target, "must be between -2^360 and 2^360"));
        }
        if self.target <= 0.0 {
            return Err(Error::setting(
                "target",
                self.target,
                "must be above zero: no count is in proportion to it",
            ));
        }
        if self.metric == Metric::Visible {
            let reason = "does not move with the number of workers: track the backlog per worker";
            return Err(Error::setting("metric", "the number of visible messages", reason));
        }
        check_points("high", self.high)?;
        check_points("low", self.low)?;
        check_period(self.period)
    }

    pub(crate) fn target(&self) -> f64 {
        self.target
    }

    /// As many datapoints as are looked at.
    pub(crate) fn memory(&self) -> Datapoints {
        Datapoints::new(self.period, self.high.max(self.low))
    }

    /// What the datapoints ask for.
    pub(crate) fn propose(&self, points: &Datapoints, desired: u32, now: Timestamp) -> Proposal {
        let value = |point: &Point| point.value(Aggregation::Average);
        let Some(high) = points.last(self.high, now) else { return Proposal::NoData };
        let (Some(newest), Some(load)) = (high.last(), high.last().and_then(Point::load)) else {
            return Proposal::NoData;
        };
        // Rule S3: the least count with which the metric is not above its target.
        let count = round::up(load / self.target);
        if high.iter().all(|point| value(point) > self.target) {
            let ask = Ask::Measured { count, over: round::nearest(load / value(newest)) };
            return Proposal::out(ask, value(newest), newest.period).if_it(count > desired);
        }
        let Some(low) = points.last(self.low, now) else { return Proposal::Nothing };
        if low.iter().all(|point| value(point) < self.target * LOW_SHARE) {
            // By the largest load of all of them: one that is low by chance must not take workers away that were needed.
            let load = low.iter().filter_map(Point::load).fold(load, f64::max);
            let count = round::up(load / self.target);
            return Proposal::fewer(Ask::Count(count), value(newest), newest.period).if_it(count < desired);
        }
        Proposal::Nothing
    }
}
