//! Whether a version is well: by its error rate, and by how long it takes.

use std::{fmt, time::Duration};

use broker_core::Timestamp;

use super::tally::{Invoked, Tally};
use crate::{Error, Result, scaling::number};

/// Fewer invocations say nothing.
const INVOCATIONS_MIN: usize = 10;
/// How far back invocations count.
const WINDOW: Duration = Duration::from_secs(300);
/// Which latency counts: that of the slowest of twenty.
const QUANTILE: f64 = 0.95;

/// When a version is not well. What is not set is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    error_rate_max: Option<f64>,
    latency_max: Option<Duration>,
    invocations_min: usize,
    window: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Always well. Ten invocations are needed to say otherwise, and those of the last five minutes count.
    pub fn new() -> Self {
        Self { error_rate_max: None, latency_max: None, invocations_min: INVOCATIONS_MIN, window: WINDOW }
    }

    /// Not well if more of the work fails: a share from 0 to 1.
    pub fn error_rate_max(self, share: f64) -> Self {
        Self { error_rate_max: Some(share), ..self }
    }

    /// Not well if more than one of twenty invocations takes longer.
    pub fn latency_max(self, latency: Duration) -> Self {
        Self { latency_max: Some(latency), ..self }
    }

    /// How many invocations are needed to say that a version is not well: 1 to 1,000.
    pub fn invocations_min(self, invocations: usize) -> Self {
        Self { invocations_min: invocations, ..self }
    }

    /// How far back invocations count.
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    pub(super) fn check(&self) -> Result<()> {
        if let Some(rate) = self.error_rate_max
            && !(0.0..=1.0).contains(&rate)
        {
            return Err(Error::setting("error_rate_max", rate, "must be between 0 and 1"));
        }
        if !(1..=1_000).contains(&self.invocations_min) {
            return Err(Error::setting(
                "invocations_min",
                self.invocations_min,
                "must be between 1 and 1000",
            ));
        }
        if self.window.is_zero() {
            return Err(Error::setting("window", "0s", "must be above zero"));
        }
        Ok(())
    }

    /// Whether an invocation is a reason to ask again.
    pub(super) fn is_bad(&self, invoked: &Invoked) -> bool {
        invoked.failed > 0 || self.latency_max.is_some_and(|latency| invoked.took > latency)
    }

    /// Whether a version is well, by its invocations.
    pub fn judge(&self, tally: &Tally, now: Timestamp) -> Verdict {
        let invoked: Vec<&Invoked> = tally.within(self.window, now).collect();
        if invoked.len() < self.invocations_min {
            return Verdict::Unknown;
        }
        let sum = |of: fn(&Invoked) -> u32| invoked.iter().map(|invoked| u64::from(of(invoked))).sum();
        let (parts, failed): (u64, u64) = (sum(|invoked| invoked.parts), sum(|invoked| invoked.failed));
        if let Some(max) = self.error_rate_max
            && number(failed) > max * number(parts)
        {
            return Verdict::Failing { failed, of: parts };
        }
        if let Some(max) = self.latency_max {
            let slow = invoked.iter().filter(|invoked| invoked.took > max).count();
            if number(slow as u64) > (1.0 - QUANTILE) * number(invoked.len() as u64) + 1e-9 {
                return Verdict::Slow { slow, of: invoked.len(), max };
            }
        }
        Verdict::Well
    }
}

/// What is said of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few invocations to say.
    Unknown,
    /// It is well.
    Well,
    /// Too much of its work fails.
    Failing {
        /// So much has failed.
        failed: u64,
        /// Of so much.
        of: u64,
    },
    /// Too many of its invocations take too long.
    Slow {
        /// So many took longer.
        slow: usize,
        /// Of so many.
        of: usize,
        /// Than this.
        max: Duration,
    },
}

impl Verdict {
    /// Whether the version must go.
    pub fn is_unwell(self) -> bool {
        matches!(self, Self::Failing { .. } | Self::Slow { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "too few invocations to say"),
            Self::Well => write!(f, "well"),
            Self::Failing { failed, of } => write!(f, "{failed} of {of} failed"),
            Self::Slow { slow, of, max } => write!(f, "{slow} of {of} invocations took longer than {max:?}"),
        }
    }
}
