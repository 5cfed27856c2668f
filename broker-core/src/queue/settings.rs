//! What a queue is told once: its settings, as users give them and as the catalog stores them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::millis,
    error::{Error, Result},
    limits::Limits,
    storage::Durability,
};

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
    /// already in the queue.
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
        Ok(())
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

/// The settings in force, in the form that the queue's state works with and the catalog stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) visibility_timeout_ms: u64,
    pub(crate) delay_ms: u64,
    pub(crate) retention_ms: u64,
    pub(crate) max_message_size: usize,
    pub(crate) receive_wait_time_ms: u64,
    pub(crate) durability: StoredDurability,
}

/// [`Durability`] as the catalog spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredDurability {
    Memory,
    Buffered,
    Synced,
}

impl From<Durability> for StoredDurability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Memory => Self::Memory,
            Durability::Buffered => Self::Buffered,
            Durability::Synced => Self::Synced,
        }
    }
}

impl From<StoredDurability> for Durability {
    fn from(durability: StoredDurability) -> Self {
        match durability {
            StoredDurability::Memory => Self::Memory,
            StoredDurability::Buffered => Self::Buffered,
            StoredDurability::Synced => Self::Synced,
        }
    }
}

impl Settings {
    /// The defaults of SQS, as far as the limits allow them.
    pub(crate) fn defaults(limits: &Limits, value_bytes_max: usize) -> Self {
        Self {
            visibility_timeout_ms: 30_000.min(millis(limits.visibility_timeout_max)),
            delay_ms: 0,
            // Not `clamp`, which panics if somebody sets the minimum above the maximum.
            retention_ms: 345_600_000.min(millis(limits.retention_max)).max(millis(limits.retention_min)),
            max_message_size: limits.message_bytes_max.min(value_bytes_max),
            receive_wait_time_ms: 0,
            durability: StoredDurability::Synced,
        }
    }

    /// The settings with the given ones changed.
    pub(crate) fn with(&self, change: &QueueSettings) -> Self {
        let ms = |given: Option<Duration>, old| given.map_or(old, millis);
        Self {
            visibility_timeout_ms: ms(change.visibility_timeout, self.visibility_timeout_ms),
            delay_ms: ms(change.delay, self.delay_ms),
            retention_ms: ms(change.retention, self.retention_ms),
            max_message_size: change.max_message_size.unwrap_or(self.max_message_size),
            receive_wait_time_ms: ms(change.receive_wait_time, self.receive_wait_time_ms),
            durability: change.durability.map_or(self.durability, Into::into),
        }
    }

    /// The first of the given settings that differs from these (rule Q6).
    pub(crate) fn first_difference(&self, given: &QueueSettings) -> Option<&'static str> {
        let wanted = self.with(given);
        [
            ("visibility_timeout", self.visibility_timeout_ms == wanted.visibility_timeout_ms),
            ("delay", self.delay_ms == wanted.delay_ms),
            ("retention", self.retention_ms == wanted.retention_ms),
            ("max_message_size", self.max_message_size == wanted.max_message_size),
            ("receive_wait_time", self.receive_wait_time_ms == wanted.receive_wait_time_ms),
            ("durability", self.durability == wanted.durability),
        ]
        .into_iter()
        .find_map(|(name, same)| (!same).then_some(name))
    }
}
