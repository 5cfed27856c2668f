//! A stream described.

use std::{collections::BTreeMap, time::Duration};

use super::settings::{RecordDistribution, StreamMode};
use crate::{clock::Timestamp, storage::Durability};

/// A stream described: its settings, times, tags and counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAttributes {
    /// The stream's name.
    pub name: String,
    /// How long a record is kept.
    pub retention: Duration,
    /// The largest record in bytes, its partition key included.
    pub max_record_size: usize,
    /// What a put survives before it is answered.
    pub durability: Durability,
    /// Who decides on the number of shards.
    pub mode: StreamMode,
    /// Who decides on the shard of a record.
    pub distribution: RecordDistribution,
    /// Whether the limits of Kinesis for the traffic of a shard hold.
    pub throttled: bool,
    /// When the stream was created.
    pub created_at: Timestamp,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// How many shards are open.
    pub open_shards: usize,
}
