//! Giving up what has expired: in ranges, in the background, so that it costs nothing per record and no writer waits for it.
//!
//! A stream that has records has one task for that. It sleeps until the oldest of them expires, and ends with the last one.

use std::{pin::pin, sync::Arc};

use super::{LocalStream, StreamCell, StreamInner};
use crate::{
    clock::Sleep,
    error::Result,
    keys,
    pipeline::Ticket,
    queue::{fetch::first_since, row::RowHead},
    seeded::seeded,
    storage::{Durability, Page, Storage},
    stream::{shard::ShardId, stored::ShardDefinition},
    sync::yield_now,
};

/// How often it is looked for what has expired, at most: it may take space that much longer.
const TRIM_EVERY_MS: u64 = 60_000;
/// Sequences given up in one commit while others commit too: about a millisecond, where a store deletes one by one.
const TRIM_STEP: u64 = 64;
/// The same while nobody else does.
const TRIM_STEP_ALONE: u64 = 1_024;
/// Commits of others between two steps. With that many more is given up than put, unless a commit has very many records.
const COMMITS_BETWEEN: usize = 4;

/// What a step in one shard has done.
struct Step {
    /// The shard to go on with.
    next: u32,
    /// The commit of what was given up.
    ticket: Ticket,
    /// When the oldest record was put that is left in the shard, if all that had expired is gone; without one, when the shard
    /// was closed.
    oldest: Option<u64>,
}

impl StreamInner {
    /// Whether somebody must begin to give up what expires; whoever asks must do it.
    pub(super) fn needs_trimming(&mut self) -> bool {
        !std::mem::replace(&mut self.trimming, true)
    }
}

impl LocalStream {
    /// Begins to give up what expires, in the background, or makes the one that does so look again: the retention may be
    /// another.
    pub(crate) fn trim(&self) {
        if self.cell.inner.lock().needs_trimming() {
            self.start_trimming();
        } else {
            self.cell.look_again.notify_one();
        }
    }

    /// Gives up what expires until the stream is empty or gone, or the broker has stopped.
    pub(crate) fn start_trimming(&self) {
        let (broker, name, id) = (self.broker.downgrade(), self.cell.name.clone(), self.cell.id);
        let (stop, again) = (self.cell.engine.pipeline.stop_signal(), self.cell.look_again.clone());
        self.cell.engine.pipeline.runtime().spawn(async move {
            loop {
                // Enabled before the look: a stop after it is not missed.
                let mut stopped = pin!(stop.notified());
                stopped.as_mut().enable();
                let Some(broker) = broker.upgrade() else { return };
                let Some(cell) = broker.stream_cell(&name).filter(|cell| cell.id == id) else { return };
                let Some(alarm) = (LocalStream { cell, broker }).trim_all().await else { return };
                // Nothing of the broker is held while this sleeps.
                tokio::select! {
                    () = alarm => {}
                    () = again.notified() => {}
                    () = stopped => return,
                }
            }
        });
    }

    /// Gives up all that has expired, and returns what to wait for before the next time. `None`: there is nothing more to
    /// do until the next put.
    async fn trim_all(self) -> Option<Sleep<'static>> {
        let (mut shard, mut size, mut oldest) = (0, TRIM_STEP, None::<u64>);
        loop {
            // A failed read harms nobody here, and a failed commit is told to others.
            match self.trim_step(shard, size).await {
                Ok(Some(step)) => {
                    shard = step.next;
                    oldest = oldest.into_iter().chain(step.oldest).min();
                    let busy = self.let_others_pass(step.ticket.number()).await;
                    size = if busy.unwrap_or(false) { TRIM_STEP } else { TRIM_STEP_ALONE };
                }
                Ok(None) => break,
                Err(_) => {
                    self.cell.inner.lock().trimming = false;
                    return None;
                }
            }
        }
        let mut inner = self.cell.inner.lock();
        if inner.state.is_empty() {
            inner.trimming = false;
            return None;
        }
        let timeline = &self.cell.engine.timeline;
        let soonest = timeline.now().saturating_add(TRIM_EVERY_MS);
        // What is exactly as old as the retention is kept.
        let kept_ms = inner.state.settings.retention_ms.saturating_add(1);
        Some(timeline.alarm(oldest.map_or(0, |oldest| oldest.saturating_add(kept_ms)).max(soonest)))
    }

    /// Waits for some commits of others after the group of this number. Returns whether there were any.
    async fn let_others_pass(&self, own: u64) -> Result<bool> {
        yield_now().await;
        for passed in 0..COMMITS_BETWEEN {
            let others = self.cell.engine.pipeline.barrier()?;
            if others.number() <= own {
                return Ok(passed > 0);
            }
            others.wait().await?;
        }
        Ok(true)
    }

    /// Gives up a part of what has expired, in the first shard from this one on. `None`: there is none.
    async fn trim_step(&self, from: u32, size: u64) -> Result<Option<Step>> {
        let cell: &StreamCell = &self.cell;
        let look = |inner: &mut StreamInner, now: u64| {
            let before = inner.state.horizon(now);
            let shard = inner.state.shards().find(|shard| shard.definition.number >= from);
            Ok(shard.map(|shard| (shard.definition.clone(), shard.head..shard.readable(), before)))
        };
        let (Some((definition, range, before)), _) = cell.operate(Durability::Buffered, look)? else {
            return Ok(None);
        };
        let ShardDefinition { number, partition, closed_at, .. } = definition;
        let ends = closed_at.is_some_and(|closed| closed < before);
        let read = move |store: &dyn Storage| {
            let one = |from: u64, to: u64| store.rows(partition, from..to, Page { entries: 1, bytes: 1 });
            let mut keep_from = first_since(store, partition, range.clone(), before)?;
            if keep_from > range.start && keep_from < range.end {
                keep_from += u64::from(seeded("record-trimmed-too-early"));
            }
            let first = one(range.start, keep_from)?.first().map(|(seq, _)| *seq);
            let oldest = one(keep_from, range.end)?;
            let oldest = oldest.first().and_then(|(_, row)| RowHead::read(row).ok()).map(|head| head.sent_at);
            Ok((keep_from, first, oldest))
        };
        let (keep_from, first, oldest) = cell.engine.pipeline.read(read).await?;
        let below = first.map_or(keep_from, |first| first.saturating_add(size).min(keep_from));
        let ((), ticket) = cell.operate(Durability::Buffered, |inner, _| {
            let StreamInner { state, batch, .. } = inner;
            let Some(shard) = state.shard_mut(ShardId(number)) else { return Ok(()) };
            shard.trim(below, batch);
            if ends && shard.head == shard.tail() {
                batch.delete_meta(&keys::record(shard.definition.id));
                batch.delete_meta(&keys::shard(state.id, u64::from(number)));
                state.remove(number);
            }
            Ok(())
        })?;
        ticket.wait().await?;
        let done = below >= keep_from;
        let next = if done { number.saturating_add(1) } else { number };
        Ok(Some(Step { next, ticket, oldest: oldest.or(closed_at).filter(|_| done && !ends) }))
    }
}

/// Begins to give up what expires in a stream that was opened.
pub(crate) fn resume(broker: &crate::broker::Broker, cell: &Arc<StreamCell>) {
    let stream = LocalStream { cell: cell.clone(), broker: broker.clone() };
    if !stream.cell.inner.lock().state.is_empty() {
        stream.trim();
    }
}
