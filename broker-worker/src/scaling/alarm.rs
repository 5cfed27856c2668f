//! Alarms: a metric, summed up in datapoints of one period each, that is on one side of a threshold for several of them.

use std::{collections::VecDeque, time::Duration};

use broker_core::Timestamp;

use super::sample::Measured;
use crate::Error;

/// A minute, the resolution that is recommended for metrics of queues (rule S5).
pub(crate) const PERIOD: Duration = Duration::from_secs(60);

/// The most datapoints that an alarm looks back on: a day of minutes, as in `CloudWatch`. It bounds the memory.
const DATAPOINTS_MAX: u32 = 1_440;

/// Which side of the threshold sets an alarm off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The threshold or above.
    AtLeast,
    /// Above the threshold.
    Above,
    /// The threshold or below.
    AtMost,
    /// Below the threshold.
    Below,
}

impl Comparison {
    pub(crate) fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
        }
    }

    /// Whether it is the side of large values.
    pub(crate) fn is_upper(self) -> bool {
        matches!(self, Self::AtLeast | Self::Above)
    }
}

/// What of the samples of a period makes its datapoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregation {
    /// Their average.
    #[default]
    Average,
    /// The least.
    Minimum,
    /// The largest.
    Maximum,
}

/// When a step or a simple policy acts.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// On which side.
    pub comparison: Comparison,
    /// Of what, in the unit of the metric.
    pub threshold: f64,
    /// So many datapoints one after another; one that is missing is no datapoint, and there is no action then.
    pub datapoints: u32,
    /// The length of a period. Periods are counted from 1970, so all alarms of one length close them together.
    pub period: Duration,
    /// What a datapoint is.
    pub aggregation: Aggregation,
}

impl Alarm {
    /// One datapoint of one minute, of averages.
    pub fn new(comparison: Comparison, threshold: f64) -> Self {
        Self { comparison, threshold, datapoints: 1, period: PERIOD, aggregation: Aggregation::Average }
    }

    /// Sets how many datapoints.
    pub fn datapoints(mut self, datapoints: u32) -> Self {
        self.datapoints = datapoints;
        self
    }

    /// Sets the length of a period.
    pub fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Sets what a datapoint is.
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.threshold.is_finite() {
            return Err(Error::setting("threshold", self.threshold, "must be a number"));
        }
        check_points("datapoints", self.datapoints)?;
        check_period(self.period)
    }

    /// The newest datapoint if it and those before it are over the threshold; `None` if one is missing.
    pub(crate) fn fires(&self, points: &Datapoints, now: Timestamp) -> Option<Result<Point, Point>> {
        let last = points.last(self.datapoints, now)?;
        let over = |point: &Point| self.comparison.holds(point.value(self.aggregation), self.threshold);
        let newest = *last.last()?;
        Some(if last.iter().all(over) { Ok(newest) } else { Err(newest) })
    }
}

/// Refuses a number of datapoints that is none or more than is kept.
pub(crate) fn check_points(field: &'static str, datapoints: u32) -> Result<(), Error> {
    if !(1..=DATAPOINTS_MAX).contains(&datapoints) {
        return Err(Error::setting(field, datapoints, format!("must be between 1 and {DATAPOINTS_MAX}")));
    }
    Ok(())
}

/// Refuses a period that the clock cannot tell from nothing.
pub(crate) fn check_period(period: Duration) -> Result<(), Error> {
    if period.as_millis() == 0 || u64::try_from(period.as_millis()).is_err() {
        return Err(Error::setting("period", format!("{period:?}"), "must be a millisecond at least"));
    }
    Ok(())
}

/// What was measured in one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Which period: its number since 1970.
    pub(crate) period: u64,
    count: f64,
    sum: f64,
    least: f64,
    largest: f64,
    loads: f64,
    load_sum: f64,
}

impl Point {
    fn of(period: u64, measured: Measured) -> Self {
        let (loads, load_sum) = measured.load.map_or((0.0, 0.0), |load| (1.0, load));
        let value = measured.value;
        Self { period, count: 1.0, sum: value, least: value, largest: value, loads, load_sum }
    }

    fn add(&mut self, measured: Measured) {
        self.count += 1.0;
        self.sum += measured.value;
        self.least = self.least.min(measured.value);
        self.largest = self.largest.max(measured.value);
        if let Some(load) = measured.load {
            self.loads += 1.0;
            self.load_sum += load;
        }
    }

    /// The datapoint.
    pub(crate) fn value(&self, aggregation: Aggregation) -> f64 {
        match aggregation {
            Aggregation::Average => self.sum / self.count,
            Aggregation::Minimum => self.least,
            Aggregation::Maximum => self.largest,
        }
    }

    /// The average of what all workers had together, if there were any.
    pub(crate) fn load(&self) -> Option<f64> {
        (self.loads > 0.0).then(|| self.load_sum / self.loads)
    }
}

/// The datapoints of a metric: the last few periods, and the one that is still going on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Datapoints {
    period_ms: u64,
    /// Periods with samples, in order; the last may be the present one.
    points: VecDeque<Point>,
    kept: usize,
}

impl Datapoints {
    /// Keeps what an alarm over `datapoints` needs.
    pub(crate) fn new(period: Duration, datapoints: u32) -> Self {
        let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
        let kept = usize::try_from(datapoints.min(DATAPOINTS_MAX)).unwrap_or(usize::MAX);
        Self { period_ms, points: VecDeque::new(), kept }
    }

    fn period(&self, now: Timestamp) -> u64 {
        now.as_millis() / self.period_ms
    }

    /// Takes a sample into the period that it belongs to.
    pub(crate) fn add(&mut self, measured: Option<Measured>, now: Timestamp) {
        let period = self.period(now);
        let Some(measured) = measured else { return };
        match self.points.back_mut() {
            Some(point) if point.period >= period => point.add(measured),
            _ => self.points.push_back(Point::of(period, measured)),
        }
        // One more than is looked at: the period that goes on.
        while self.points.len() > self.kept + 1 {
            self.points.pop_front();
        }
    }

    /// The last `datapoints` periods that are over, oldest first; `None` if there was no sample in one of them.
    pub(crate) fn last(&self, datapoints: u32, now: Timestamp) -> Option<Vec<Point>> {
        let present = self.period(now);
        let first = present.checked_sub(u64::from(datapoints))?;
        let over = self.points.iter().filter(|point| (first..present).contains(&point.period));
        let over: Vec<Point> = over.copied().collect();
        (u64::try_from(over.len()) == Ok(u64::from(datapoints))).then_some(over)
    }
}
