//! What a queue is told once: its settings, as users give them; `stored` has them as the catalog keeps them.

mod stored;

use std::time::Duration;

use serde::{Deserialize, Serialize};
pub(crate) use stored::{Fifo, Settings, StoredDurability};

use super::redrive::{RedriveAllowPolicy, RedrivePolicy};
use crate::{
    error::{Error, Result},
    limits::Limits,
    storage::Durability,
};

/// Among which messages of a FIFO queue a deduplication id counts as the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeduplicationScope {
    /// Among all.
    #[default]
    Queue,
    /// Among those of one message group.
    MessageGroup,
}

/// What SQS counts its throughput quota of a FIFO queue by. Kept and checked; this broker has no such quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FifoThroughputLimit {
    /// The queue.
    #[default]
    PerQueue,
    /// Each message group; only with [`DeduplicationScope::MessageGroup`].
    PerMessageGroupId,
}

/// Settings to create a queue with, or to change on one. What is `None` stays as it is, or takes its default.
///
/// ```
/// use std::time::Duration;
/// use broker_core::QueueSettings;
///
/// let settings = QueueSettings::new().visibility_timeout(Duration::from_secs(60));
/// assert_eq!(settings.delay, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays invisible: 0 to 12 hours, by default 30 seconds.
    pub visibility_timeout: Option<Duration>,
    /// How long a new message stays invisible: 0 to 15 minutes, by default zero. A change does not affect messages
    /// already in a standard queue; on a FIFO queue it does, as far as they have not been received. While one of those
    /// waits for a raised delay, the messages behind it wait too: of all groups, and those that were received before.
    pub delay: Option<Duration>,
    /// How long a message is kept: 1 minute to 14 days, by default 4 days. A change affects messages already in the
    /// queue: lowered, it may expire them at once.
    pub retention: Option<Duration>,
    /// The largest message in bytes, attributes included: 1 KiB to 1 MiB, by default the most that the limits allow.
    pub max_message_size: Option<usize>,
    /// How long a receive waits for a message if it does not say: 0 to 20 seconds, by default zero.
    pub receive_wait_time: Option<Duration>,
    /// What a send or delete survives before it is answered, by default [`Durability::Synced`]. With less, a power cut
    /// can undo what was acknowledged, and the ids and receipts of messages that were lost can be given out again.
    pub durability: Option<Durability>,
    /// Whether the queue is FIFO, by default not. Settled when it is created; its name ends with `.fifo` exactly if
    /// it is.
    pub fifo: Option<bool>,
    /// FIFO: whether the SHA-256 of the body is the deduplication id of a message that has none; by default not.
    pub content_based_deduplication: Option<bool>,
    /// FIFO: among which messages an id counts as the same. A later change is shown and has no effect: the scope at
    /// creation stays in force, as on SQS.
    pub deduplication_scope: Option<DeduplicationScope>,
    /// FIFO: kept and checked as SQS does, without an effect.
    pub fifo_throughput_limit: Option<FifoThroughputLimit>,
    /// Where messages go that were received too often; by default nowhere.
    pub redrive_policy: Option<RedrivePolicy>,
    /// Which queues may have this one as their dead-letter queue; by default all.
    pub redrive_allow_policy: Option<RedriveAllowPolicy>,
}

impl QueueSettings {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`visibility_timeout`](Self::visibility_timeout).
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { visibility_timeout: Some(timeout), ..self }
    }

    /// Sets [`delay`](Self::delay).
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    /// Sets [`retention`](Self::retention).
    pub fn retention(self, retention: Duration) -> Self {
        Self { retention: Some(retention), ..self }
    }

    /// Sets [`max_message_size`](Self::max_message_size), in bytes.
    pub fn max_message_size(self, bytes: usize) -> Self {
        Self { max_message_size: Some(bytes), ..self }
    }

    /// Sets [`receive_wait_time`](Self::receive_wait_time).
    pub fn receive_wait_time(self, wait: Duration) -> Self {
        Self { receive_wait_time: Some(wait), ..self }
    }

    /// Sets [`durability`](Self::durability).
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability: Some(durability), ..self }
    }

    /// Sets [`fifo`](Self::fifo).
    pub fn fifo(self, fifo: bool) -> Self {
        Self { fifo: Some(fifo), ..self }
    }

    /// Sets [`content_based_deduplication`](Self::content_based_deduplication).
    pub fn content_based_deduplication(self, on: bool) -> Self {
        Self { content_based_deduplication: Some(on), ..self }
    }

    /// Sets [`deduplication_scope`](Self::deduplication_scope).
    pub fn deduplication_scope(self, scope: DeduplicationScope) -> Self {
        Self { deduplication_scope: Some(scope), ..self }
    }

    /// Sets [`fifo_throughput_limit`](Self::fifo_throughput_limit).
    pub fn fifo_throughput_limit(self, limit: FifoThroughputLimit) -> Self {
        Self { fifo_throughput_limit: Some(limit), ..self }
    }

    /// Sets [`redrive_policy`](Self::redrive_policy).
    pub fn redrive_policy(self, policy: RedrivePolicy) -> Self {
        Self { redrive_policy: Some(policy), ..self }
    }

    /// Sets [`redrive_allow_policy`](Self::redrive_allow_policy).
    pub fn redrive_allow_policy(self, policy: RedriveAllowPolicy) -> Self {
        Self { redrive_allow_policy: Some(policy), ..self }
    }

    /// Refuses what the limits do not allow.
    pub(crate) fn check(&self, limits: &Limits, value_bytes_max: usize) -> Result<()> {
        let max = limits.visibility_timeout_max;
        check_duration("visibility_timeout", self.visibility_timeout, Duration::ZERO, max)?;
        check_duration("delay", self.delay, Duration::ZERO, limits.delay_max)?;
        check_duration("retention", self.retention, limits.retention_min, limits.retention_max)?;
        check_duration("receive_wait_time", self.receive_wait_time, Duration::ZERO, limits.wait_max)?;
        if let Some(bytes) = self.max_message_size {
            let (min, max) = (limits.message_bytes_min, limits.message_bytes_max.min(value_bytes_max));
            if !(min..=max).contains(&bytes) {
                let reason = format!("must be between {min} and {max} bytes");
                return Err(Error::invalid("max_message_size", bytes, reason));
            }
        }
        self.redrive_policy.as_ref().map_or(Ok(()), RedrivePolicy::check)?;
        self.redrive_allow_policy.as_ref().map_or(Ok(()), RedriveAllowPolicy::check)
    }

    /// Refuses settings that only a queue of the other type has, and a change of the type (rules of section B1).
    pub(crate) fn check_type(&self, fifo: bool) -> Result<()> {
        if self.fifo.is_some_and(|wanted| wanted != fifo) {
            return Err(Error::invalid("fifo", !fifo, "the type of a queue cannot be changed"));
        }
        let only_fifo = [
            ("content_based_deduplication", self.content_based_deduplication.is_some()),
            ("deduplication_scope", self.deduplication_scope.is_some()),
            ("fifo_throughput_limit", self.fifo_throughput_limit.is_some()),
        ];
        match only_fifo.iter().find(|(_, given)| *given && !fifo) {
            Some((field, _)) => Err(Error::invalid(field, "given", "is a setting of FIFO queues only")),
            None => Ok(()),
        }
    }
}

/// Refuses a duration outside its limits.
pub(crate) fn check_duration(
    field: &'static str,
    given: Option<Duration>,
    min: Duration,
    max: Duration,
) -> Result<()> {
    match given {
        Some(value) if value < min || value > max => {
            let reason = format!("must be between {min:?} and {max:?}");
            Err(Error::invalid(field, format!("{value:?}"), reason))
        }
        _ => Ok(()),
    }
}
