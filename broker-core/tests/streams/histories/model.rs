//! A stream as one would write it without caring for speed: shards with all their records.

use broker_core::{HashKeyRange, RecordNumber, ShardId};

/// One record, as it must be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) number: RecordNumber,
    pub(super) key: String,
    pub(super) text: String,
    pub(super) at: u64,
}

/// One shard and everything that was ever in it.
#[derive(Debug, Clone)]
pub(super) struct Shard {
    pub(super) id: ShardId,
    pub(super) range: HashKeyRange,
    pub(super) parents: Vec<ShardId>,
    pub(super) closed_at: Option<u64>,
    pub(super) records: Vec<Put>,
}

/// All shards, open, closed and expired, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) shards: Vec<Shard>,
    pub(super) retention_ms: u64,
    /// Nothing older than this comes back, whatever the retention.
    pub(super) lost_before: u64,
}

impl Model {
    /// The oldest time of a record that can be read.
    pub(super) fn horizon(&self, now: u64) -> u64 {
        self.lost_before.max(now.saturating_sub(self.retention_ms))
    }

    pub(super) fn open(&self) -> Vec<&Shard> {
        let mut open: Vec<_> = self.shards.iter().filter(|shard| shard.closed_at.is_none()).collect();
        open.sort_by_key(|shard| shard.range.start);
        open
    }

    /// Those that are listed: not the closed ones whose records have all expired.
    pub(super) fn listed(&self, now: u64) -> Vec<&Shard> {
        let horizon = self.horizon(now);
        self.shards.iter().filter(|shard| shard.closed_at.is_none_or(|closed| closed >= horizon)).collect()
    }

    pub(super) fn shard(&self, id: ShardId) -> &Shard {
        self.shards.iter().find(|shard| shard.id == id).unwrap()
    }

    pub(super) fn children(&self, of: ShardId) -> Vec<ShardId> {
        self.shards.iter().filter(|shard| shard.parents.contains(&of)).map(|shard| shard.id).collect()
    }

    /// Takes a record into the open shard of a hash key, and returns that one.
    pub(super) fn put(&mut self, hash: u128, put: &Put) -> ShardId {
        let behind = |shard: &Shard| shard.records.last().is_none_or(|last| last.number < put.number);
        let shard =
            self.shards.iter_mut().find(|shard| shard.closed_at.is_none() && shard.range.contains(hash));
        let shard = shard.unwrap();
        assert!(behind(shard), "numbers of a shard increase");
        shard.records.push(put.clone());
        let (id, parents) = (shard.id, shard.parents.clone());
        for parent in parents {
            assert!(behind(self.shard(parent)), "and lie behind those of its parents");
        }
        id
    }

    /// Closes some and adds others.
    pub(super) fn reshard(&mut self, closed: &[ShardId], new: &[(ShardId, HashKeyRange)], now: u64) {
        for shard in self.shards.iter_mut().filter(|shard| closed.contains(&shard.id)) {
            assert!(shard.closed_at.replace(now).is_none());
        }
        for (id, range) in new {
            assert!(self.shards.iter().all(|shard| shard.id < *id), "ids increase");
            let (parents, records) = (closed.to_vec(), Vec::new());
            self.shards.push(Shard { id: *id, range: *range, parents, closed_at: None, records });
        }
    }
}
