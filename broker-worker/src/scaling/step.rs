//! Step scaling: changes by how far a metric is from a threshold. Simple scaling: one change, then a pause.

use broker_core::Timestamp;

use super::{
    adjust::{Adjustment, Ask},
    alarm::{Alarm, Datapoints},
    policy::Proposal,
    sample::Metric,
};
use crate::Error;

/// The most steps of a policy, as in Application Auto Scaling.
const STEPS_MAX: usize = 20;

/// What is done when the metric is between two bounds, both relative to the threshold of the alarm.
///
/// Above the threshold the lower bound belongs to the step and the upper does not; below it is the other way round
/// (rule S20). `None` is infinitely far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// From here.
    pub lower: Option<f64>,
    /// To here.
    pub upper: Option<f64>,
    /// The change.
    pub adjustment: Adjustment,
}

impl Step {
    /// A step from `lower` to `upper`.
    pub fn new(lower: impl Into<Option<f64>>, upper: impl Into<Option<f64>>, adjustment: Adjustment) -> Self {
        Self { lower: lower.into(), upper: upper.into(), adjustment }
    }

    fn covers(&self, distance: f64, upper_side: bool) -> bool {
        let lower = self.lower.unwrap_or(f64::NEG_INFINITY);
        let upper = self.upper.unwrap_or(f64::INFINITY);
        if upper_side { lower <= distance && distance < upper } else { lower < distance && distance <= upper }
    }
}

/// Acts on an alarm, the more the farther the metric is from the threshold.
///
/// Unlike target tracking it works without workers, with [`Metric::Visible`]: the step from nothing to one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct StepScaling {
    pub(crate) metric: Metric,
    pub(crate) alarm: Alarm,
    steps: Vec<Step>,
}

impl StepScaling {
    /// What to do when `metric` sets off `alarm`.
    pub fn new(metric: Metric, alarm: Alarm, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { metric, alarm, steps: steps.into_iter().collect() }
    }

    /// Rule S21.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.alarm.check()?;
        let refuse = |value: String, reason: &str| Err(Error::setting("steps", value, reason));
        if self.steps.is_empty() || self.steps.len() > STEPS_MAX {
            return refuse(format!("{} steps", self.steps.len()), "there must be 1 to 20");
        }
        for step in &self.steps {
            let told = format!("{:?} to {:?}", step.lower, step.upper);
            if step.lower.is_some_and(|bound| !bound.is_finite())
                || step.upper.is_some_and(|b| !b.is_finite())
            {
                return refuse(told, "a bound must be a number, or none");
            }
            match (step.lower, step.upper) {
                (None, None) => return refuse(told, "one bound of a step must be given"),
                (Some(lower), Some(upper)) if upper <= lower => {
                    return refuse(told, "the upper bound must be above the lower");
                }
                _ => {}
            }
        }
        check_chain(&self.steps)
    }

    pub(crate) fn propose(&self, points: &Datapoints, desired: u32, now: Timestamp) -> Proposal {
        let point = match self.alarm.fires(points, now) {
            None => return Proposal::NoData,
            Some(Err(_)) => return Proposal::Nothing,
            Some(Ok(point)) => point,
        };
        let value = point.value(self.alarm.aggregation);
        let (distance, upper_side) = (value - self.alarm.threshold, self.alarm.comparison.is_upper());
        let Some(step) = self.steps.iter().find(|step| step.covers(distance, upper_side)) else {
            return Proposal::Nothing;
        };
        propose(step.adjustment, desired, value, point.period)
    }
}

/// Steps must follow one another without gap and overlap, and reach to infinity on the sides where there are any.
fn check_chain(steps: &[Step]) -> Result<(), Error> {
    let refuse = |value: String, reason: &str| Err(Error::setting("steps", value, reason));
    let open = |of: fn(&Step) -> Option<f64>| steps.iter().filter(|step| of(step).is_none()).count();
    let (open_lower, open_upper) = (open(|step| step.lower), open(|step| step.upper));
    if open_lower > 1 || open_upper > 1 {
        return refuse(
            format!("{open_lower} and {open_upper} open ones"),
            "one may be open below, and one above",
        );
    }
    let mut sorted = steps.to_vec();
    let key = |step: &Step| step.lower.unwrap_or(f64::NEG_INFINITY);
    sorted.sort_by(|a, b| key(a).total_cmp(&key(b)));
    for pair in sorted.windows(2) {
        let (end, start) = (pair[0].upper.unwrap_or(f64::INFINITY), key(&pair[1]));
        let told = format!("{end} followed by {start}");
        if end < start {
            return refuse(told, "there must be no gap between steps");
        }
        if end > start {
            return refuse(told, "steps must not overlap");
        }
    }
    let lowest = steps.iter().filter_map(|step| step.lower).fold(f64::INFINITY, f64::min);
    if lowest < 0.0 && open_lower == 0 {
        return refuse(lowest.to_string(), "with a negative lower bound one step must have no lower bound");
    }
    let highest = steps.iter().filter_map(|step| step.upper).fold(f64::NEG_INFINITY, f64::max);
    if highest > 0.0 && open_upper == 0 {
        return refuse(highest.to_string(), "with a positive upper bound one step must have no upper bound");
    }
    Ok(())
}

/// An adjustment as a proposal.
fn propose(adjustment: Adjustment, desired: u32, value: f64, period: u64) -> Proposal {
    let change = adjustment.change(desired);
    let ask = match adjustment {
        Adjustment::Exact(count) => Ask::Count(count),
        _ => Ask::Change(change),
    };
    match change {
        0 => Proposal::Nothing,
        1.. => Proposal::out(ask, value, period),
        _ => Proposal::fewer(ask, value, period),
    }
}

/// Acts on an alarm once, then waits until the workers are there, and for a cooldown after that (rule S34).
#[derive(Debug, Clone, PartialEq)]
pub struct SimpleScaling {
    pub(crate) metric: Metric,
    pub(crate) alarm: Alarm,
    adjustment: Adjustment,
}

impl SimpleScaling {
    /// What to do when `metric` sets off `alarm`.
    pub fn new(metric: Metric, alarm: Alarm, adjustment: Adjustment) -> Self {
        Self { metric, alarm, adjustment }
    }

    pub(crate) fn propose(&self, points: &Datapoints, desired: u32, now: Timestamp) -> Proposal {
        match self.alarm.fires(points, now) {
            None => Proposal::NoData,
            Some(Err(_)) => Proposal::Nothing,
            Some(Ok(point)) => {
                propose(self.adjustment, desired, point.value(self.alarm.aggregation), point.period)
            }
        }
    }
}
