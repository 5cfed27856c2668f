//! Shards: parts of a stream that keep their order, and where they come from.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{hash::HashKeyRange, number::RecordNumber};
use crate::clock::Timestamp;

/// A shard of a stream. As text `shardId-` and twelve digits; fewer are taken, also without the word (rule K21).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shardId-{:012}", self.0)
    }
}

impl fmt::Debug for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the id of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a shard id: expected shardId- and up to 12 digits")]
pub struct ParseShardIdError;

impl FromStr for ShardId {
    type Err = ParseShardIdError;

    fn from_str(text: &str) -> Result<Self, ParseShardIdError> {
        let digits = text.strip_prefix("shardId-").unwrap_or(text);
        if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseShardIdError);
        }
        digits.parse().map(Self).map_err(|_| ParseShardIdError)
    }
}

/// A shard described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Its id.
    pub id: ShardId,
    /// The hash keys that it has, or had when it was closed.
    pub range: HashKeyRange,
    /// The shard that it came from; of two that were merged, the one with the smaller hash keys.
    pub parent: Option<ShardId>,
    /// The other one of two that were merged.
    pub adjacent_parent: Option<ShardId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed by a split or a merge: it takes no more records, and can be read until they expire.
    pub closed_at: Option<Timestamp>,
    /// The number of the first record that it could have.
    pub starting_number: RecordNumber,
    /// The number of the last record, if it is closed.
    pub ending_number: Option<RecordNumber>,
}

/// Which shards are listed (rule K57).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShardFilter {
    /// All that have records or may get some.
    #[default]
    FromTrimHorizon,
    /// Those that were open when the oldest record that there is was put.
    AtTrimHorizon,
    /// Those that are open.
    AtLatest,
    /// Those that were open at this time.
    AtTimestamp(Timestamp),
    /// Those that were open at this time or later.
    FromTimestamp(Timestamp),
    /// Those with a greater id.
    AfterShardId(ShardId),
}

/// What went into a shard over the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardTraffic {
    /// The shard.
    pub shard: ShardId,
    /// Records in the last 60 seconds.
    pub records: u64,
    /// Bytes of data and partition keys in the last 60 seconds.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k21_shard_ids_are_read_loosely_and_written_strictly() {
        assert_eq!(ShardId(7).to_string(), "shardId-000000000007");
        for text in ["7", "shardId-7", "shardId-000000000007", "007"] {
            assert_eq!(text.parse(), Ok(ShardId(7)), "{text}");
        }
        for text in ["", "shardId-", "+7", "shard-7", "99999999999", "shardId-0000000000007", "7 "] {
            assert!(text.parse::<ShardId>().is_err(), "{text}");
        }
    }
}
