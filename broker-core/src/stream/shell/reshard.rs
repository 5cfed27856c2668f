//! Splits, merges, new numbers of shards.

use super::{LocalStream, StreamInner};
use crate::{
    error::{Error, Result},
    storage::{Batch, Durability},
    stream::{
        settings::StreamMode,
        shard::ShardId,
        state::{NewIds, StreamState},
    },
};

impl LocalStream {
    /// Splits a shard: it is closed, and two others have its hash keys; the second begins at `new_starting_hash_key`. What is
    /// in it stays there until it expires. Returns the two. Fails with [`Error::TooMany`] if the stream has as many open shards
    /// as the limits allow.
    ///
    /// Refused on a stream that decides on its shards itself. Cancel safe in this sense: a dropped call has split the shard or
    /// not, and later calls agree on which.
    pub async fn split_shard(&self, shard: ShardId, new_starting_hash_key: u128) -> Result<[ShardId; 2]> {
        let limits = &self.cell.engine.limits.streams;
        self.reshard(|state, now, ids, batch| {
            state.check_room(limits)?;
            state.split(shard, new_starting_hash_key, now, ids, batch)
        })
        .await
    }

    /// Merges two shards, of which the second begins where the first ends: they are closed, and another one has their hash
    /// keys. Cancel safe as [`split_shard`](Self::split_shard) is.
    pub async fn merge_shards(&self, first: ShardId, second: ShardId) -> Result<ShardId> {
        self.reshard(|state, now, ids, batch| state.merge(first, second, now, ids, batch)).await
    }

    /// Splits and merges until there are `count` open shards of the same size: at least half as many as now, at most twice
    /// as many, and 10 times in 24 hours. Cancel safe as [`split_shard`](Self::split_shard) is.
    pub async fn update_shard_count(&self, count: u32) -> Result<()> {
        let limits = &self.cell.engine.limits.streams;
        self.reshard(|state, now, ids, batch| state.set_count(count, limits, now, ids, batch)).await
    }

    async fn reshard<T>(
        &self,
        step: impl FnOnce(&mut StreamState, u64, NewIds<'_>, &mut Batch) -> Result<T>,
    ) -> Result<T> {
        let cell = &*self.cell;
        let (done, ticket) = {
            // Before the stream's lock, and held until the batch that stores them is submitted.
            let mut ids = cell.engine.ids.lock();
            cell.operate(Durability::Synced, |inner: &mut StreamInner, now| {
                if inner.state.settings.mode == StreamMode::OnDemand {
                    let reason = "the stream decides on its shards itself".into();
                    return Err(Error::InvalidState { name: cell.name.clone(), reason });
                }
                let mut new = |batch: &mut Batch| (ids.take(batch), ids.take(batch));
                let done = step(&mut inner.state, now, &mut new, &mut inner.batch)?;
                inner.save(&cell.name);
                Ok(done)
            })?
        };
        // Readers of closed shards come to their end.
        cell.news.notify_waiters();
        ticket.wait().await?;
        Ok(done)
    }
}
