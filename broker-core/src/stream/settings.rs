//! What a stream is told once: its settings, as users give them and as the catalog keeps them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::StreamLimits;
use crate::{
    clock::millis,
    error::{Error, Result},
    queue::settings::{StoredDurability, check_duration},
    storage::Durability,
};

/// Who decides on the number of shards (rule K60).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamMode {
    /// The user does, with splits and merges.
    #[default]
    Provisioned,
    /// The stream does: splits and merges are refused. This broker gives it four shards, which in one process have no limit.
    OnDemand,
}

/// Who decides on the shard of a record (rule K25).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordDistribution {
    /// Its partition key does, or its explicit hash key.
    #[default]
    PartitionKey,
    /// The stream does: records go to all shards in turn, whatever their keys, and need none. There is no order then between
    /// two records. Only on demand ([`StreamMode::OnDemand`]).
    Auto,
}

/// Settings to create a stream with, or to change on one. What is `None` stays as it is, or takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamSettings {
    /// How long a record is kept: 24 hours to 365 days, by default 24 hours. Raised, it keeps what has not expired yet;
    /// lowered, it may expire records at once.
    pub retention: Option<Duration>,
    /// The largest record in bytes, its partition key included: 1 MiB to 10 MiB, by default 1 MiB.
    pub max_record_size: Option<usize>,
    /// What a put survives before it is answered, by default [`Durability::Synced`].
    pub durability: Option<Durability>,
    /// Who decides on the number of shards.
    pub mode: Option<StreamMode>,
    /// Who decides on the shard of a record. Changed, it holds for records to come.
    pub distribution: Option<RecordDistribution>,
    /// Whether the limits of Kinesis for the traffic of a shard hold ([`StreamLimits`]); by default not.
    pub throttled: Option<bool>,
}

impl StreamSettings {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn check(&self, limits: &StreamLimits, value_bytes_max: usize) -> Result<()> {
        check_duration("retention", self.retention, limits.retention_min, limits.retention_max)?;
        if let Some(bytes) = self.max_record_size {
            let (min, max) = (limits.record_bytes_min, limits.record_bytes_max.min(value_bytes_max));
            if !(min..=max).contains(&bytes) {
                let reason = format!("must be between {min} and {max} bytes");
                return Err(Error::invalid("max_record_size", bytes, reason));
            }
        }
        Ok(())
    }
}

/// The settings in force, as the catalog stores them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) retention_ms: u64,
    pub(crate) max_record_size: usize,
    pub(crate) durability: StoredDurability,
    pub(crate) mode: StreamMode,
    /// Not in what earlier versions stored.
    #[serde(default)]
    pub(crate) distribution: RecordDistribution,
    pub(crate) throttled: bool,
}

impl Settings {
    /// The settings of a new stream.
    pub(crate) fn new(limits: &StreamLimits, value_bytes_max: usize, given: &StreamSettings) -> Self {
        Self {
            retention_ms: millis(limits.retention_min),
            max_record_size: limits.record_bytes_min.min(value_bytes_max),
            durability: StoredDurability::Synced,
            mode: StreamMode::Provisioned,
            distribution: RecordDistribution::PartitionKey,
            throttled: false,
        }
        .changed(given)
    }

    /// The settings with the given ones changed.
    pub(crate) fn changed(&self, change: &StreamSettings) -> Self {
        Self {
            retention_ms: change.retention.map_or(self.retention_ms, millis),
            max_record_size: change.max_record_size.unwrap_or(self.max_record_size),
            durability: change.durability.map_or(self.durability, Into::into),
            mode: change.mode.unwrap_or(self.mode),
            distribution: change.distribution.unwrap_or(self.distribution),
            throttled: change.throttled.unwrap_or(self.throttled),
        }
    }

    /// Refuses what does not go together (rule K25).
    pub(crate) fn check(&self) -> Result<()> {
        if (self.mode, self.distribution) == (StreamMode::Provisioned, RecordDistribution::Auto) {
            return Err(Error::invalid("distribution", "auto", "needs a stream whose mode is on demand"));
        }
        Ok(())
    }
}
