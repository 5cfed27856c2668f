//! How a deployment shifts work to a new version.

use std::time::Duration;

use broker_core::Timestamp;

use super::{Health, Tally, Verdict};
use crate::{Error, Result};

/// How work goes over to the new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// All of it, now.
    AllAtOnce,
    /// A share, and after some time the rest.
    Canary {
        /// The share: 1 to 99 percent of the invocations.
        percent: u8,
        /// After how long the rest follows.
        bake: Duration,
    },
    /// A share, and again as much each time that some time has passed.
    Linear {
        /// The share: 1 to 99 percent of the invocations.
        percent: u8,
        /// Between two steps: a millisecond at least.
        every: Duration,
    },
    /// Worker by worker, as ECS does it: of the workers that there should be, so many run at any time, and never more than
    /// that. Only in a [`pool`](crate::pool).
    Rolling {
        /// At least so many percent of them, rounded up: 0 to 100.
        minimum_healthy_percent: u32,
        /// At most so many percent of them, rounded down: 100 to 10,000. If no worker could be replaced within both, there
        /// may be one more.
        maximum_percent: u32,
    },
}

/// A deployment as it is planned.
///
/// ```
/// use std::time::Duration;
/// use broker_worker::deploy::{Deploy, Health};
///
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let plan = Deploy::canary(10, minutes(5)).health(Health::new().error_rate_max(0.05)).watch(minutes(10));
/// assert!(plan.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Deploy {
    pub(super) strategy: Strategy,
    pub(super) health: Health,
    pub(super) watch: Duration,
}

/// The most that may run during a rolling deployment, in percent: a hundred times what there should be.
const MAXIMUM_PERCENT_MAX: u32 = 10_000;

/// Nothing is waited for or watched for longer than this: a deployment must end.
const WAIT_MAX: Duration = Duration::from_secs(7 * 86_400);

impl Deploy {
    /// A deployment that goes back by itself if more than a tenth fails.
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, health: Health::new().error_rate_max(0.1), watch: Duration::ZERO }
    }

    /// All work goes to the new version now.
    pub fn all_at_once() -> Self {
        Self::new(Strategy::AllAtOnce)
    }

    /// `percent` of the work, and the rest after `bake`.
    pub fn canary(percent: u8, bake: Duration) -> Self {
        Self::new(Strategy::Canary { percent, bake })
    }

    /// `percent` more of the work every so often.
    pub fn linear(percent: u8, every: Duration) -> Self {
        Self::new(Strategy::Linear { percent, every })
    }

    /// Workers are replaced while between `minimum_healthy_percent` and `maximum_percent` of them run.
    pub fn rolling(minimum_healthy_percent: u32, maximum_percent: u32) -> Self {
        Self::new(Strategy::Rolling { minimum_healthy_percent, maximum_percent })
    }

    /// When the new version is not well, and the deployment goes back.
    pub fn health(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// For how long the new version is watched once all work goes to it. By default not at all.
    pub fn watch(self, watch: Duration) -> Self {
        Self { watch, ..self }
    }

    /// How work goes over.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// Whether the new version is well, by its invocations.
    pub fn judge(&self, tally: &Tally, now: Timestamp) -> Verdict {
        self.health.judge(tally, now)
    }

    /// Refuses what cannot be done.
    pub fn check(&self) -> Result<()> {
        self.health.check()?;
        let (bake, every) = match self.strategy {
            Strategy::Canary { bake, .. } => (bake, Duration::ZERO),
            Strategy::Linear { every, .. } => (Duration::ZERO, every),
            _ => (Duration::ZERO, Duration::ZERO),
        };
        for (field, wait) in [("watch", self.watch), ("bake", bake), ("every", every)] {
            if wait > WAIT_MAX {
                return Err(Error::setting(field, format!("{wait:?}"), "must be 7 days at most"));
            }
        }
        let share = |percent: u8| match percent {
            1..=99 => Ok(()),
            _ => Err(Error::setting("percent", percent, "must be between 1 and 99")),
        };
        match self.strategy {
            Strategy::Canary { percent, .. } => share(percent),
            Strategy::Linear { percent, every } if every.as_millis() > 0 => share(percent),
            Strategy::Linear { every, .. } => {
                Err(Error::setting("every", format!("{every:?}"), "must be a millisecond at least"))
            }
            Strategy::Rolling { minimum_healthy_percent: percent, .. } if percent > 100 => {
                Err(Error::setting("minimum_healthy_percent", percent, "must be at most 100"))
            }
            Strategy::Rolling { maximum_percent: percent, .. }
                if !(100..=MAXIMUM_PERCENT_MAX).contains(&percent) =>
            {
                Err(Error::setting("maximum_percent", percent, "must be between 100 and 10000"))
            }
            Strategy::AllAtOnce | Strategy::Rolling { .. } => Ok(()),
        }
    }
}
