//! A checkpoint that is moved in a transaction.

use std::sync::Arc;

use super::{
    cell::{GroupCell, LeaseKey},
    consumer::Consumed,
    processor::Checkpointer,
    state::GroupState,
};
use crate::{
    error::{Error, Result},
    storage::Batch,
    stream::{LocalStream, record::Record, shard::ShardId, state::StreamState},
};

/// How far a shard is consumed, to be stored in a [`Transaction`](crate::Transaction).
///
/// Of a record of a [`Consumer`](crate::Consumer), by `Checkpoint::from`, or of a processor, by [`Checkpointer::at`].
#[derive(Clone)]
pub struct Checkpoint {
    key: LeaseKey,
    next: u64,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (shard, next) = (&self.key.shard, &self.next);
        f.debug_struct("Checkpoint").field("shard", shard).field("next", next).finish_non_exhaustive()
    }
}

impl From<&Consumed> for Checkpoint {
    fn from(consumed: &Consumed) -> Self {
        consumed.place()
    }
}

impl Checkpointer {
    /// This record and all before it, to be checkpointed in a [`Transaction`](crate::Transaction). Refuses what was not delivered.
    pub fn at(&self, record: &Record) -> Result<Checkpoint> {
        let next = record.number.seq + 1;
        self.check_delivered(next)?;
        Ok(Checkpoint { key: self.key.clone(), next })
    }
}

impl Checkpoint {
    pub(super) fn new(key: LeaseKey, next: u64) -> Self {
        Self { key, next }
    }

    pub(crate) fn stream(&self) -> &LocalStream {
        &self.key.stream
    }

    pub(crate) fn group(&self) -> &Arc<GroupCell> {
        &self.key.group
    }

    /// The lease that it is for, among those of its group.
    pub(crate) fn shard(&self) -> ShardId {
        self.key.shard
    }

    /// Whether it can be moved to here, from where it is or from where the same transaction moves it before.
    pub(crate) fn check(&self, stream: &StreamState, group: &GroupState, before: Option<u64>) -> Result<u64> {
        let LeaseKey { shard, token, .. } = self.key;
        if stream.shard(shard).is_some_and(|shard| self.next > shard.readable()) {
            return Err(Error::invalid("checkpoint", self.next, "is behind the last record that there is"));
        }
        group.may_checkpoint(shard, token, self.next)?;
        if before.is_some_and(|before| self.next < before) {
            let reason = format!("is before what the same transaction checkpoints of {shard}");
            return Err(Error::invalid("checkpoint", self.next, reason));
        }
        Ok(self.next)
    }

    /// The same for a transaction, which is the work of what it consumes: refuses what is consumed already, so that it is done once.
    pub(crate) fn check_once(
        &self,
        stream: &StreamState,
        group: &GroupState,
        before: Option<u64>,
    ) -> Result<u64> {
        let next = self.check(stream, group, before)?;
        if before.is_none() && next <= group.consumed(self.key.shard) {
            let reason = format!("is consumed already in {}", self.key.shard);
            return Err(Error::invalid("checkpoint", next, reason));
        }
        Ok(next)
    }

    pub(crate) fn apply(&self, group: &mut GroupState, now: u64, batch: &mut Batch) -> Result<()> {
        group.checkpoint(self.key.shard, self.key.token, self.next, now, batch)
    }

    /// Whether its shard takes no more records: then its children may be due now.
    pub(crate) fn may_end(&self, stream: &StreamState) -> bool {
        stream.shard(self.key.shard).is_none_or(|shard| !shard.is_open())
    }
}
