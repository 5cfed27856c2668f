//! The limits of Kinesis as data.

use std::time::Duration;

/// What streams refuse: a part of [`Limits`](crate::Limits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLimits {
    /// The longest stream name, in characters.
    pub name_chars_max: usize,
    /// The most open shards of a stream.
    pub shards_max: usize,
    /// The longest partition key, in characters.
    pub partition_key_chars_max: usize,
    /// The least that a stream's maximum record size can be set to, in bytes, and the default of new streams.
    pub record_bytes_min: usize,
    /// The most that a stream's maximum record size can be set to, in bytes.
    pub record_bytes_max: usize,
    /// The most records in a batch.
    pub batch_records_max: usize,
    /// The most bytes in a batch, partition keys included.
    pub batch_bytes_max: usize,
    /// The most records that one read returns.
    pub read_records_max: usize,
    /// The most bytes that one read returns, but for the first record.
    pub read_bytes_max: usize,
    /// The shortest retention, and the default of new streams.
    pub retention_min: Duration,
    /// The longest retention.
    pub retention_max: Duration,
    /// How long an iterator can be used.
    pub iterator_valid: Duration,
    /// How often in 24 hours the number of shards can be set.
    pub updates_a_day_max: usize,
    /// On a throttled stream: bytes that a shard takes in a second.
    pub write_bytes_per_second: u64,
    /// On a throttled stream: records that a shard takes in a second.
    pub write_records_per_second: u64,
    /// On a throttled stream: bytes that can be read from a shard in a second.
    pub read_bytes_per_second: u64,
    /// On a throttled stream: reads of a shard in a second.
    pub reads_per_second: u64,
}

const MIB: usize = 1024 * 1024;
const HOUR: Duration = Duration::from_secs(3_600);

impl StreamLimits {
    /// The limits of Kinesis as of November 2026.
    pub const fn aws() -> Self {
        Self {
            name_chars_max: 128,
            shards_max: 10_000,
            partition_key_chars_max: 256,
            record_bytes_min: MIB,
            record_bytes_max: 10 * MIB,
            batch_records_max: 500,
            batch_bytes_max: 10 * MIB,
            read_records_max: 10_000,
            read_bytes_max: 10 * MIB,
            retention_min: Duration::from_secs(24 * HOUR.as_secs()),
            retention_max: Duration::from_secs(8_760 * HOUR.as_secs()),
            iterator_valid: Duration::from_secs(300),
            updates_a_day_max: 10,
            write_bytes_per_second: MIB as u64,
            write_records_per_second: 1_000,
            read_bytes_per_second: 2 * MIB as u64,
            reads_per_second: 5,
        }
    }

    /// As little refused as the engine allows. The default retention is that of Kinesis all the same.
    pub const fn unlimited() -> Self {
        Self {
            shards_max: 100_000,
            record_bytes_max: 64 * MIB,
            batch_records_max: 10_000,
            batch_bytes_max: 256 * MIB,
            read_records_max: 100_000,
            read_bytes_max: 64 * MIB,
            retention_max: Duration::from_secs(100 * 8_760 * HOUR.as_secs()),
            updates_a_day_max: usize::MAX,
            ..Self::aws()
        }
    }
}
