//! Records: what is put into a stream, and what comes out.

use bytes::Bytes;

use super::{
    number::{RecordNumber, ShardIterator},
    shard::ShardId,
};
use crate::clock::Timestamp;

/// A record to be put.
///
/// ```
/// use broker_core::PutRecord;
///
/// let record = PutRecord::new("user-7", r#"{"clicked": "buy"}"#);
/// assert_eq!(record.partition_key, "user-7");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutRecord {
    /// Decides which shard the record goes to: 1 to 256 characters. Records of one key keep their order. May be empty where the
    /// stream decides on the shard ([`RecordDistribution::Auto`](crate::RecordDistribution::Auto)).
    pub partition_key: String,
    /// Decides that in place of the partition key's hash, if it is given.
    pub explicit_hash_key: Option<u128>,
    /// The data, any bytes, perhaps none.
    pub data: Bytes,
    /// The number of an earlier record: this one gets a greater one, which in this broker it always does. One that was not
    /// given out yet is refused.
    pub after: Option<RecordNumber>,
}

impl PutRecord {
    /// A record with a key and data.
    pub fn new(partition_key: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self { partition_key: partition_key.into(), data: data.into(), ..Self::default() }
    }

    /// Goes to the shard of this hash key.
    pub fn explicit_hash_key(self, hash: u128) -> Self {
        Self { explicit_hash_key: Some(hash), ..self }
    }

    /// The size that limits count: data and partition key.
    pub fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// A record that the stream has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOutcome {
    /// The shard that it is in.
    pub shard: ShardId,
    /// Its place there.
    pub number: RecordNumber,
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the stream.
    pub number: RecordNumber,
    /// The partition key.
    pub partition_key: String,
    /// The data, byte for byte as it was put.
    pub data: Bytes,
    /// When it was put. Does not go back within a shard.
    pub arrived_at: Timestamp,
}

/// Where to begin to read a shard (rule K50).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingPosition {
    /// At this record.
    At(RecordNumber),
    /// Behind this record.
    After(RecordNumber),
    /// At the oldest record that there is.
    TrimHorizon,
    /// Behind the newest record.
    Latest,
    /// At the first record that was put at this time or later.
    AtTimestamp(Timestamp),
}

/// What a read of a shard found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The records, perhaps none although there are more further on.
    pub records: Vec<Record>,
    /// Where to go on. `None`: the shard was closed, and this was its end.
    pub next: Option<ShardIterator>,
    /// How far behind the newest record the last of these is, in milliseconds; zero if there are no more.
    pub millis_behind_latest: u64,
    /// At the end of a closed shard, those that came from it: read them next.
    pub child_shards: Vec<ShardId>,
    /// How many records before these were trimmed before they could be read here. A reader that is too slow learns it so.
    pub missed: u64,
}
