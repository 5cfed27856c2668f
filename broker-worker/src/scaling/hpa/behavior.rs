//! How fast the autoscaler may go (rule S65).

use std::{collections::VecDeque, time::Duration};

use broker_core::Timestamp;

use super::WINDOW_MAX;
use crate::Error;

/// The longest period of a policy.
pub(super) const PERIOD_MAX: Duration = Duration::from_secs(1_800);
/// The most policies of a behaviour: more than one for each kind and a few periods is of no use.
const POLICIES_MAX: usize = 20;

/// By how much the count may change in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateChange {
    /// By so many.
    Pods(u32),
    /// By so many percent of what was at the beginning of the period.
    Percent(u32),
}

/// By how much the count may change in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatePolicy {
    /// By how much.
    pub change: RateChange,
    /// In how long: 1 to 1,800 seconds.
    pub period: Duration,
}

/// Which of the policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest.
    Min,
    /// No change in this direction at all.
    Disabled,
}

/// How the count goes up, or down.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// The recommendations of so long count: the least of them for going up, the largest for going down. At most an hour.
    pub stabilization: Duration,
    /// By how much in how long. None at all means as fast as one likes.
    pub policies: Vec<RatePolicy>,
    /// Which of them counts.
    pub select: Select,
    /// How far from its target a metric may be without any change, as a share of it; the boundary belongs to it.
    pub tolerance: f64,
}

/// The share of the target that is no change (rule S61).
const TOLERANCE: f64 = 0.1;

impl Behavior {
    /// The default for going up: at once, by 4 or to the double every 15 seconds, whichever is more.
    pub fn up() -> Self {
        let every = |change| RatePolicy { change, period: Duration::from_secs(15) };
        let policies = vec![every(RateChange::Percent(100)), every(RateChange::Pods(4))];
        Self { stabilization: Duration::ZERO, policies, select: Select::Max, tolerance: TOLERANCE }
    }

    /// The default for going down: to the largest recommendation of five minutes, as fast as one likes.
    pub fn down() -> Self {
        let all = RatePolicy { change: RateChange::Percent(100), period: Duration::from_secs(15) };
        let stabilization = Duration::from_secs(300);
        Self { stabilization, policies: vec![all], select: Select::Max, tolerance: TOLERANCE }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.stabilization > WINDOW_MAX {
            let told = format!("{:?}", self.stabilization);
            return Err(Error::setting("stabilization", told, "must be 3600 seconds at most"));
        }
        if self.policies.len() > POLICIES_MAX {
            return Err(Error::setting("policies", self.policies.len(), "must be 20 at most"));
        }
        if let Some(policy) = self
            .policies
            .iter()
            .find(|policy| policy.period < Duration::from_secs(1) || policy.period > PERIOD_MAX)
        {
            return Err(Error::setting(
                "period",
                format!("{:?}", policy.period),
                "must be 1 to 1800 seconds",
            ));
        }
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Error::setting("tolerance", self.tolerance, "must be at least 0 and below 1"));
        }
        Ok(())
    }

    /// The most that there may be now.
    pub(super) fn limit_up(&self, current: u32, ups: &Changes, downs: &Changes, now: Timestamp) -> u32 {
        let allowed = self.policies.iter().map(|policy| {
            let start = policy.start(current, ups, downs, now);
            match policy.change {
                RateChange::Pods(pods) => start.saturating_add(pods),
                RateChange::Percent(percent) => share(start, 100 + u64::from(percent), true),
            }
        });
        let limit = match self.select {
            Select::Max => allowed.max(),
            Select::Min => allowed.min(),
            Select::Disabled => Some(current),
        };
        limit.unwrap_or(u32::MAX).max(current)
    }

    /// The fewest that there may be now.
    pub(super) fn limit_down(&self, current: u32, ups: &Changes, downs: &Changes, now: Timestamp) -> u32 {
        let allowed = self.policies.iter().map(|policy| {
            let start = policy.start(current, ups, downs, now);
            match policy.change {
                RateChange::Pods(pods) => start.saturating_sub(pods),
                RateChange::Percent(percent) => share(start, 100u64.saturating_sub(percent.into()), false),
            }
        });
        let limit = match self.select {
            Select::Max => allowed.min(),
            Select::Min => allowed.max(),
            Select::Disabled => Some(current),
        };
        limit.unwrap_or(0).min(current)
    }
}

/// When the count changed, and by how much.
pub(super) type Changes = VecDeque<(Timestamp, u32)>;

impl RatePolicy {
    /// The count at the beginning of the period: that of now without the changes inside of it.
    fn start(&self, current: u32, ups: &Changes, downs: &Changes, now: Timestamp) -> u32 {
        let inside = |changes: &Changes| -> u32 {
            let recent = changes.iter().filter(|(at, _)| now.since(*at) < self.period);
            recent.fold(0, |sum, (_, by)| sum.saturating_add(*by))
        };
        current.saturating_add(inside(downs)).saturating_sub(inside(ups))
    }
}

/// So many hundredths of a count.
fn share(count: u32, hundredths: u64, up: bool) -> u32 {
    let product = u64::from(count).saturating_mul(hundredths);
    let whole = if up { product.div_ceil(100) } else { product / 100 };
    u32::try_from(whole).unwrap_or(u32::MAX)
}
