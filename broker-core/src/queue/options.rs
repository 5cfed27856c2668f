//! What a queue can be told: its settings, and the options of each call.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::{Timestamp, millis},
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
    /// What a send or delete survives before it is answered, by default [`Durability::Synced`].
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
    /// The defaults of SQS.
    pub(crate) fn defaults(limits: &Limits, value_bytes_max: usize) -> Self {
        Self {
            visibility_timeout_ms: 30_000,
            delay_ms: 0,
            retention_ms: 345_600_000,
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

/// A queue described: its settings, times, tags and counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueAttributes {
    /// The queue's name.
    pub name: String,
    /// How long a received message stays invisible.
    pub visibility_timeout: Duration,
    /// How long a new message stays invisible.
    pub delay: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// The largest message in bytes, attributes included.
    pub max_message_size: usize,
    /// How long a receive waits for a message if it does not say.
    pub receive_wait_time: Duration,
    /// What a send or delete survives before it is answered.
    pub durability: Durability,
    /// When the queue was created.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub last_modified_at: Timestamp,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// How many messages there are.
    pub counters: QueueCounters,
}

/// How many messages a queue holds. Exact at the moment of the call.
///
/// One thing lags: a *delayed* message that expires before its delay ends may be counted until then, if more than
/// ten thousand messages are delayed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounters {
    /// Messages that a receive could return.
    pub visible: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages whose delay has not ended.
    pub delayed: u64,
}

impl QueueCounters {
    /// All messages stored.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// The options of a receive. What is `None` follows the queue's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// The most messages to return: 1 to 10, by default 1.
    pub max_messages: usize,
    /// How long to wait if there is none: 0 to 20 seconds. Zero is a *short poll*, more a *long poll*.
    pub wait_time: Option<Duration>,
    /// How long the returned messages stay invisible: 0 to 12 hours.
    pub visibility_timeout: Option<Duration>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self { max_messages: 1, wait_time: None, visibility_timeout: None }
    }
}

impl ReceiveOptions {
    /// At most `max` messages, everything else as the queue's settings say.
    pub fn up_to(max: usize) -> Self {
        Self { max_messages: max, ..Self::default() }
    }

    /// Waits up to `wait` if there is no message.
    pub fn wait_time(self, wait: Duration) -> Self {
        Self { wait_time: Some(wait), ..self }
    }

    /// Keeps the returned messages invisible for `timeout`.
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { visibility_timeout: Some(timeout), ..self }
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        if !(1..=limits.receive_max).contains(&self.max_messages) {
            let reason = format!("must be between 1 and {}", limits.receive_max);
            return Err(Error::invalid("max_messages", self.max_messages, reason));
        }
        check_duration("wait_time", self.wait_time, Duration::ZERO, limits.wait_max)?;
        let max = limits.visibility_timeout_max;
        check_duration("visibility_timeout", self.visibility_timeout, Duration::ZERO, max)
    }
}

/// What became of a message that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, now or since before: deleted earlier, expired or purged.
    Gone,
    /// It has been received again since this receipt was given out, and stays for its new receiver.
    Stale,
}

/// What became of a message whose visibility timeout was to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisibilityChanged {
    /// It becomes visible at this time.
    Until(Timestamp),
    /// It has been received again since this receipt was given out: the newer lease is left alone.
    Stale,
    /// It is no longer in the queue: deleted, expired or purged.
    Gone,
}

/// A change of the visibility timeout of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeVisibility {
    /// The delivery.
    pub receipt: crate::ids::ReceiptHandle,
    /// How long the message stays invisible from now on: zero makes it visible at once.
    pub timeout: Duration,
}
