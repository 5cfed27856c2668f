//! Giving up what has expired: in ranges, in the background, so that it costs nothing per record and no writer waits for it.

use std::sync::Arc;

use super::{LocalStream, StreamInner};
use crate::{
    error::Result,
    keys,
    pipeline::Ticket,
    queue::fetch::first_since,
    storage::{Durability, Page, Storage},
};

/// How often a stream that is written to is looked through: what has expired may take space that much longer.
const TRIM_EVERY_MS: u64 = 60_000;
/// Sequences given up in one commit while others commit too: about a millisecond, where a store deletes one by one.
const TRIM_STEP: u64 = 64;
/// The same while nobody else does.
const TRIM_STEP_ALONE: u64 = 1_024;
/// Commits of others between two steps. With that many more is given up than put, unless a commit has very many records.
const COMMITS_BETWEEN: usize = 4;

impl StreamInner {
    /// Whether it is time to look for what has expired; asking sets the next time. Not while that is under way, which may
    /// take minutes: two of them would take the writers twice as much.
    pub(super) fn is_time_to_trim(&mut self, now: u64) -> bool {
        let due = now >= self.trim_at && Arc::strong_count(&self.trimming) == 1;
        if due {
            self.trim_at = now.saturating_add(TRIM_EVERY_MS);
        }
        due
    }
}

impl LocalStream {
    /// Gives up what has expired, in the background.
    pub(super) fn trim(&self) {
        let (broker, name, id) = (self.broker.downgrade(), self.cell.name.clone(), self.cell.id);
        let trimming = self.cell.inner.lock().trimming.clone();
        let all = async move {
            let (mut done_below, mut step) = (0, TRIM_STEP);
            while let Some(broker) = broker.upgrade() {
                let Some(cell) = broker.stream_cell(&name).filter(|cell| cell.id == id) else { return };
                // A failed read harms nobody here, and a failed commit is told to others.
                let stream = LocalStream { cell, broker };
                match stream.trim_step(done_below, step).await {
                    Ok(Some((next, ticket))) => {
                        done_below = next;
                        let Ok(busy) = stream.let_others_pass(ticket.number()).await else { return };
                        step = if busy { TRIM_STEP } else { TRIM_STEP_ALONE };
                    }
                    Ok(None) | Err(_) => return,
                }
            }
        };
        self.cell.engine.pipeline.runtime().spawn(async move {
            all.await;
            drop(trimming);
        });
    }

    /// Waits for some commits of others after the group of this number. Returns whether there were any.
    async fn let_others_pass(&self, own: u64) -> Result<bool> {
        tokio::task::yield_now().await;
        for passed in 0..COMMITS_BETWEEN {
            let others = self.cell.engine.pipeline.barrier()?;
            if others.number() <= own {
                return Ok(passed > 0);
            }
            others.wait().await?;
        }
        Ok(true)
    }

    /// Gives up a part of what has expired, in the first shard from this one on. Returns where to go on, and the commit.
    async fn trim_step(&self, from: u32, step: u64) -> Result<Option<(u32, Ticket)>> {
        let cell = &*self.cell;
        let look = |inner: &mut StreamInner, now: u64| {
            let before = inner.state.horizon(now);
            let shard = inner.state.shards().find(|shard| shard.definition.number >= from);
            Ok(shard.map(|shard| {
                let ends = shard.definition.closed_at.is_some_and(|closed| closed < before);
                let definition = &shard.definition;
                (definition.number, definition.partition, shard.head..shard.readable(), before, ends)
            }))
        };
        let (Some((number, partition, range, before, ends)), _) = cell.operate(Durability::Buffered, look)?
        else {
            return Ok(None);
        };
        let read = move |store: &dyn Storage| {
            let keep_from = first_since(store, partition, range.clone(), before)?;
            let first = store.rows(partition, range.start..keep_from, Page { entries: 1, bytes: 1 })?;
            Ok((keep_from, first.first().map(|(seq, _)| *seq)))
        };
        let (keep_from, first) = cell.engine.pipeline.read(read).await?;
        let below = first.map_or(keep_from, |first| first.saturating_add(step).min(keep_from));
        let ((), ticket) = cell.operate(Durability::Buffered, |inner, _| {
            let StreamInner { state, batch, .. } = inner;
            let Some(shard) = state.shard_mut(crate::stream::shard::ShardId(number)) else { return Ok(()) };
            shard.trim(below, batch);
            if ends && shard.head == shard.tail() {
                batch.delete_meta(&keys::record(shard.definition.id));
                batch.delete_meta(&keys::shard(state.id, u64::from(number)));
                state.remove(number);
            }
            Ok(())
        })?;
        ticket.wait().await?;
        Ok(Some((if below < keep_from { number } else { number + 1 }, ticket)))
    }
}
