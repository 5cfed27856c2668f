//! The limits of SNS as data.

use std::time::Duration;

use crate::filter::FilterLimits;

/// What topics refuse: a part of [`Limits`](crate::Limits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicLimits {
    /// The longest topic name, in characters.
    pub name_chars_max: usize,
    /// The most standard topics.
    pub standard_max: usize,
    /// The most FIFO topics.
    pub fifo_max: usize,
    /// The most subscriptions of a standard topic.
    pub subscriptions_max: usize,
    /// The most subscriptions of a FIFO topic.
    pub fifo_subscriptions_max: usize,
    /// The largest message that a new topic takes by default, in bytes.
    pub message_bytes_default: usize,
    /// The most filter policies on a topic.
    pub filter_policies_max: usize,
    /// The most filter policies in the broker.
    pub filter_policies_total_max: usize,
    /// What a filter policy may be.
    pub filter: FilterLimits,
    /// The most retries of a delivery policy.
    pub retries_max: u32,
    /// The longest delay of a delivery policy.
    pub retry_delay_max: Duration,
    /// The longest time that all retries of a delivery policy take together.
    pub retry_time_max: Duration,
}

impl TopicLimits {
    /// The limits of SNS as of November 2026.
    pub const fn aws() -> Self {
        Self {
            name_chars_max: 256,
            standard_max: 100_000,
            fifo_max: 1_000,
            subscriptions_max: 12_500_000,
            fifo_subscriptions_max: 100,
            message_bytes_default: 256 * 1024,
            filter_policies_max: 200,
            filter_policies_total_max: 10_000,
            filter: FilterLimits::aws(),
            retries_max: 100,
            retry_delay_max: Duration::from_secs(3_600),
            retry_time_max: Duration::from_secs(3_600),
        }
    }

    /// As little refused as the engine allows.
    pub const fn unlimited() -> Self {
        Self {
            name_chars_max: 256,
            standard_max: usize::MAX,
            fifo_max: usize::MAX,
            subscriptions_max: usize::MAX,
            fifo_subscriptions_max: usize::MAX,
            message_bytes_default: 64 * 1024 * 1024,
            filter_policies_max: usize::MAX,
            filter_policies_total_max: usize::MAX,
            filter: FilterLimits::most(),
            retries_max: 100_000,
            retry_delay_max: Duration::from_secs(365 * 86_400),
            retry_time_max: Duration::from_secs(100 * 365 * 86_400),
        }
    }
}
