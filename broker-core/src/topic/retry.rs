//! When a failed delivery to a push subscriber is tried again (rules N50 to N52): four phases, then it is given up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::millis,
    error::{Error, Result},
    ids::Seed,
    limits::Limits,
};

/// How the delays of the backoff phase grow from the shortest to the longest.
///
/// SNS gives the curves as a drawing only. Linear and exponential are what they say; of the two between them, this takes
/// a third and two thirds of the way from the one to the other (rule N51).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackoffFunction {
    /// By the same amount each time.
    #[default]
    Linear,
    /// A little slower at first than linear.
    Arithmetic,
    /// A little faster at first than exponential.
    Geometric,
    /// By the same factor each time.
    Exponential,
}

/// How often and when a failed delivery is tried again: at once, then after the shortest delay, then after growing ones,
/// then after the longest (rule N50). Only failures of the server are retried ([`Outcome`](crate::DeliveryOutcome)).
///
/// ```
/// use std::time::Duration;
/// use broker_core::RetryPolicy;
///
/// let policy = RetryPolicy { retries: 4, no_delay_retries: 1, ..RetryPolicy::http() };
/// assert_eq!(policy.delay(1), Some(Duration::ZERO));
/// assert_eq!(policy.delay(2), Some(Duration::from_secs(20)));
/// assert_eq!(policy.delay(5), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The shortest delay: 1 second up to `max_delay`.
    pub min_delay: Duration,
    /// The longest delay: `min_delay` up to 1 hour.
    pub max_delay: Duration,
    /// All retries, those of the three other phases included: 0 to 100.
    pub retries: u32,
    /// Retries at once.
    pub no_delay_retries: u32,
    /// Retries after the shortest delay.
    pub min_delay_retries: u32,
    /// Retries after the longest delay, at the end.
    pub max_delay_retries: u32,
    /// How the delays between them grow.
    pub backoff: BackoffFunction,
    /// By how many per cent a delay may be shorter, at most: 0 to 100. Which share of it is computed from the store's seed,
    /// the message and the attempt, so that subscribers do not all come at once and tests can be repeated.
    pub jitter_percent: u8,
}

/// How a push subscriber is delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPolicy {
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// The most deliveries in a second, at least 1; `None`: as fast as the subscriber takes them.
    pub max_receives_per_second: Option<u32>,
    /// The content type that an endpoint is to be told, if not the usual one. Handlers do not see it.
    pub content_type: Option<String>,
}

impl DeliveryPolicy {
    /// What holds for HTTP endpoints that set nothing.
    pub fn http() -> Self {
        Self::new(RetryPolicy::http())
    }

    /// Retries by this policy, as fast as the subscriber takes messages.
    pub fn new(retry: RetryPolicy) -> Self {
        Self { retry, max_receives_per_second: None, content_type: None }
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        self.retry.check(limits)?;
        if self.max_receives_per_second == Some(0) {
            return Err(Error::invalid("max_receives_per_second", 0, "must be at least 1"));
        }
        match &self.content_type {
            Some(given) if given.is_empty() || given.len() > CONTENT_TYPE_BYTES_MAX => {
                let reason = format!("must have 1 to {CONTENT_TYPE_BYTES_MAX} bytes");
                Err(Error::invalid("content_type", given, reason))
            }
            _ => Ok(()),
        }
    }
}

const CONTENT_TYPE_BYTES_MAX: usize = 256;

const SECOND: Duration = Duration::from_secs(1);

impl RetryPolicy {
    /// What SNS does for HTTP endpoints that set nothing: three retries, 20 seconds apart.
    pub fn http() -> Self {
        Self {
            min_delay: 20 * SECOND,
            max_delay: 20 * SECOND,
            retries: 3,
            no_delay_retries: 0,
            min_delay_retries: 0,
            max_delay_retries: 0,
            backoff: BackoffFunction::Linear,
            jitter_percent: 0,
        }
    }

    /// What SNS does for endpoints inside AWS: 100,015 retries over 23 days. The default of handlers.
    pub fn aws_managed() -> Self {
        Self {
            min_delay: SECOND,
            max_delay: 20 * SECOND,
            retries: 100_015,
            no_delay_retries: 3,
            min_delay_retries: 2,
            max_delay_retries: 100_000,
            backoff: BackoffFunction::Exponential,
            jitter_percent: 10,
        }
    }

    /// What SNS does for mail, text messages and mobile push: 50 retries over six hours.
    pub fn customer_managed() -> Self {
        Self {
            min_delay: 10 * SECOND,
            max_delay: 600 * SECOND,
            retries: 50,
            no_delay_retries: 0,
            min_delay_retries: 2,
            max_delay_retries: 38,
            backoff: BackoffFunction::Exponential,
            jitter_percent: 10,
        }
    }

    /// No retry at all.
    pub fn none() -> Self {
        Self { retries: 0, ..Self::http() }
    }

    /// How long to wait before the retry of this number, counted from 1; `None` if there is none.
    pub fn delay(&self, retry: u32) -> Option<Duration> {
        if retry == 0 || retry > self.retries {
            return None;
        }
        let Some(retry) = retry.checked_sub(self.no_delay_retries).filter(|left| *left > 0) else {
            return Some(Duration::ZERO);
        };
        let Some(step) = retry.checked_sub(self.min_delay_retries).filter(|left| *left > 0) else {
            return Some(self.min_delay);
        };
        let steps = self.backoff_retries();
        Some(if step > steps { self.max_delay } else { self.backoff_delay(step - 1, steps) })
    }

    /// The delay, shortened by what the seed says for this message and retry.
    pub(crate) fn jittered_delay(&self, retry: u32, seed: Seed, queue: u64, seq: u64) -> Option<Duration> {
        let delay = self.delay(retry)?;
        let share = f64::from(seed.check(queue, seq, u64::from(retry))) / f64::from(u32::MAX);
        let share = 1.0 - share * f64::from(self.jitter_percent.min(100)) / 100.0;
        Some(Duration::try_from_secs_f64(delay.as_secs_f64() * share).unwrap_or(delay))
    }

    /// How many retries the growing delays have.
    fn backoff_retries(&self) -> u32 {
        let others = [self.no_delay_retries, self.min_delay_retries, self.max_delay_retries];
        others.iter().fold(self.retries, |left, phase| left.saturating_sub(*phase))
    }

    /// The delay of a step of the backoff phase, counted from zero: the first is the shortest, the last the longest.
    fn backoff_delay(&self, step: u32, steps: u32) -> Duration {
        let (min, max) = (self.min_delay.as_secs_f64(), self.max_delay.as_secs_f64());
        let way = if steps > 1 { f64::from(step) / f64::from(steps - 1) } else { 0.0 };
        let linear = min + (max - min) * way;
        let exponential = if min > 0.0 { min * (max / min).powf(way) } else { linear };
        let delay = match self.backoff {
            BackoffFunction::Linear => linear,
            BackoffFunction::Arithmetic => (2.0 * linear + exponential) / 3.0,
            BackoffFunction::Geometric => (linear + 2.0 * exponential) / 3.0,
            BackoffFunction::Exponential => exponential,
        };
        // In whole milliseconds, which is what the broker's time has.
        Duration::from_millis(millis(Duration::try_from_secs_f64(delay).unwrap_or(self.max_delay)))
            .max(self.min_delay)
            .min(self.max_delay)
    }

    /// All delays together.
    fn total(&self) -> Duration {
        let growing =
            (0..self.backoff_retries()).map(|step| self.backoff_delay(step, self.backoff_retries()));
        let growing = growing.fold(Duration::ZERO, Duration::saturating_add);
        let fixed = self.min_delay.saturating_mul(self.min_delay_retries);
        fixed.saturating_add(growing).saturating_add(self.max_delay.saturating_mul(self.max_delay_retries))
    }

    /// Refuses what SNS refuses of a policy for HTTP (rule N50). The built-in ones are always taken.
    fn check(&self, limits: &Limits) -> Result<()> {
        if [Self::aws_managed(), Self::customer_managed()].contains(self) {
            return Ok(());
        }
        let delay_max = limits.topics.retry_delay_max;
        if self.max_delay > delay_max || self.min_delay > self.max_delay || self.min_delay < SECOND {
            let given = format!("{:?} to {:?}", self.min_delay, self.max_delay);
            let reason = format!("must lie between 1s and {delay_max:?}, the shorter first");
            return Err(Error::invalid("min_delay, max_delay", given, reason));
        }
        let max = limits.topics.retries_max;
        if self.retries > max {
            return Err(Error::invalid("retries", self.retries, format!("must be between 0 and {max}")));
        }
        let phases = [self.no_delay_retries, self.min_delay_retries, self.max_delay_retries];
        if phases.iter().map(|phase| u64::from(*phase)).sum::<u64>() > u64::from(self.retries) {
            return Err(Error::invalid("retries", self.retries, "must include those of the three phases"));
        }
        if self.jitter_percent > 100 {
            return Err(Error::invalid("jitter_percent", self.jitter_percent, "must be between 0 and 100"));
        }
        let (total, max) = (self.total(), limits.topics.retry_time_max);
        if total > max {
            let reason = format!("all retries together must not take longer than {max:?}");
            return Err(Error::invalid("retry policy", format!("{total:?}"), reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
