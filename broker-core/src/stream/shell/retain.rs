//! Giving up what has expired: in ranges, in the background, so that it costs nothing per record and no writer waits for it.

use super::{LocalStream, StreamInner};
use crate::{
    error::Result,
    keys,
    queue::fetch::first_since,
    storage::{Durability, Page, Storage},
};

/// How often a stream that is written to is looked through: what has expired may take space that much longer.
const TRIM_EVERY_MS: u64 = 60_000;
/// Sequences given up in one commit: a few milliseconds of work between other commits.
const TRIM_STEP: u64 = 1_024;

impl StreamInner {
    /// Whether it is time to look for what has expired; asking sets the next time.
    pub(super) fn is_time_to_trim(&mut self, now: u64) -> bool {
        let due = now >= self.trim_at;
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
        self.cell.engine.pipeline.runtime().spawn(async move {
            let mut done_below = 0;
            while let Some(broker) = broker.upgrade() {
                let Some(cell) = broker.stream_cell(&name).filter(|cell| cell.id == id) else { return };
                // A failed read harms nobody here, and a failed commit is told to others.
                match (LocalStream { cell, broker }).trim_step(done_below).await {
                    Ok(Some(next)) => done_below = next,
                    Ok(None) | Err(_) => return,
                }
                tokio::task::yield_now().await;
            }
        });
    }

    /// Gives up a part of what has expired, in the first shard from this one on. Returns where to go on.
    async fn trim_step(&self, from: u32) -> Result<Option<u32>> {
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
        let below = first.map_or(keep_from, |first| first.saturating_add(TRIM_STEP).min(keep_from));
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
        Ok(Some(if below < keep_from { number } else { number + 1 }))
    }
}
