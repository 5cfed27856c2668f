//! Giving back the room of purged and deleted queues, and of deleted spaces: in small commits, behind everybody's back, and again after a
//! crash. A purge itself is one small write, whatever the backlog.

use std::{
    ops::Range,
    sync::{Arc, Weak},
};

use bytes::Bytes;

use crate::{
    codec::{Malformed, Reader, write_u64},
    engine::Engine,
    error::Result,
    keys,
    queue::state::Leftover,
    storage::{Batch, Durability, Page, Storage, StorageError},
    sync::yield_now,
};

/// Sequences cleared in one commit: a few milliseconds of work between other commits.
const STEP: u64 = 1_024;

/// Notes in the batch that a partition is to be cleared.
pub(crate) fn note(leftover: Leftover, batch: &mut Batch) {
    let mut value = Vec::with_capacity(16);
    write_u64(&mut value, leftover.from);
    write_u64(&mut value, leftover.to);
    batch.put_meta(&keys::garbage(leftover.partition), &value);
}

/// What is noted and not cleared yet, at most a page of it; the rest is found at the next open.
pub(crate) fn noted(store: &dyn Storage) -> Result<Vec<Leftover>, StorageError> {
    let page = Page { entries: 10_000, bytes: usize::MAX };
    let entries = store.meta_range(&[keys::GARBAGE], &keys::after_tag(keys::GARBAGE), page)?;
    let damaged = |key: &Bytes, what: Malformed| StorageError::corrupt(format!("meta key {key:?}"), what.0);
    let decode = |(key, value): &(Bytes, Bytes)| {
        let partition = keys::number_of(key).ok_or(Malformed("the key has the wrong length"))?;
        let mut reader = Reader::new(value);
        let leftover = Leftover { partition, from: reader.u64()?, to: reader.u64()? };
        reader.end()?;
        Ok(leftover)
    };
    entries.iter().map(|entry| decode(entry).map_err(|what| damaged(&entry.0, what))).collect()
}

/// Clears a partition in the background. Stops with the broker; the note stays until the work is done.
pub(crate) fn start(engine: &Arc<Engine>, leftover: Leftover) {
    let runtime = engine.pipeline.runtime().clone();
    // What was written to the partition before its note may still be on its way, and no read would find it. A broker that has
    // stopped clears nothing.
    let Ok(written) = engine.pipeline.barrier() else { return };
    let engine = Arc::downgrade(engine);
    runtime.spawn(async move {
        // A failed commit has stopped the broker, whose users are told, and a failed read harms nobody: either way the
        // note is found at the next open.
        if written.wait().await.is_ok() {
            let _ = clear(&engine, leftover).await;
        }
    });
}

async fn clear(engine: &Weak<Engine>, mut left: Leftover) -> Result<()> {
    let Leftover { partition, to, .. } = left;
    loop {
        let Some(engine) = engine.upgrade() else { return Ok(()) };
        let from = left.from;
        let first = engine.pipeline.read(move |store| store.rows(partition, from..to, FIRST)).await?;
        // From row to row, so that the work is bounded by what is there and not by what the note says.
        let Some((first, _)) = first.first() else { break };
        let below = first.saturating_add(STEP).min(to);
        let mut batch = Batch::new();
        batch.trim_rows(partition, below);
        delete_leases(partition, left.from..below, &mut batch);
        left.from = below;
        note(left, &mut batch);
        engine.pipeline.submit(&mut batch, Durability::Buffered, None)?.wait().await?;
        drop(engine);
        yield_now().await;
    }
    clear_time_index(engine, partition).await?;
    clear_ids(engine, partition, u64::MAX).await?;
    // Those of a space that was deleted. No queue has its id.
    let (first, last) = (keys::user_key(partition, &[]), keys::after_user_keys(partition, &[]));
    clear_meta(engine, (&first, &last), |_, _| {}).await?;
    let Some(engine) = engine.upgrade() else { return Ok(()) };
    let mut batch = Batch::new();
    delete_leases(partition, left.from..to, &mut batch);
    batch.delete_meta(&keys::garbage(partition));
    engine.pipeline.submit(&mut batch, Durability::Buffered, None)?.wait().await
}

/// Clears the deduplication ids of generations that are forgotten, in the background. Stops with the broker; what is
/// left is found when the next generation ends.
pub(crate) fn start_ids(engine: &Arc<Engine>, partition: u64, below: u64) {
    let runtime = engine.pipeline.runtime().clone();
    let engine = Arc::downgrade(engine);
    runtime.spawn(async move {
        // As above: a failure harms nobody here.
        let _ = clear_ids(&engine, partition, below).await;
    });
}

async fn clear_ids(engine: &Weak<Engine>, partition: u64, below: u64) -> Result<()> {
    let from = keys::deduplication_generation(partition, 0);
    let to = keys::deduplication_generation(partition, below);
    clear_meta(engine, (&from, &to), |_, _| {}).await
}

/// The first row of a stretch is enough to know where the work begins.
const FIRST: Page = Page { entries: 1, bytes: 1 };

fn delete_leases(partition: u64, seqs: Range<u64>, batch: &mut Batch) {
    for key in [keys::hot, keys::cold] {
        batch.delete_meta_range(&key(partition, seqs.start), &key(partition, seqs.end));
    }
}

/// The time index is ordered by time, so it is cleared by pages of keys instead of stretches of sequences; and with
/// it the rows that it stands for, which may lie before everything else that was left.
async fn clear_time_index(engine: &Weak<Engine>, partition: u64) -> Result<()> {
    let (from, to) = (keys::delayed(partition, 0, 0), keys::delayed(partition, u64::MAX, u64::MAX));
    let row = |key: &[u8], batch: &mut Batch| {
        if let Some((_, seq)) = keys::time_and_seq_of(key) {
            batch.delete_row(partition, seq);
        }
    };
    clear_meta(engine, (&from, &to), row).await
}

/// Deletes the keys of a range, page by page, each with what it stands for.
async fn clear_meta(
    engine: &Weak<Engine>,
    (from, to): (&[u8], &[u8]),
    also: impl Fn(&[u8], &mut Batch),
) -> Result<()> {
    let page = Page { entries: 1_024, bytes: usize::MAX };
    loop {
        let Some(engine) = engine.upgrade() else { return Ok(()) };
        let (first, last) = (from.to_vec(), to.to_vec());
        let found = engine.pipeline.read(move |store| store.meta_range(&first, &last, page)).await?;
        if found.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for (key, _) in &found {
            batch.delete_meta(key);
            also(key, &mut batch);
        }
        engine.pipeline.submit(&mut batch, Durability::Buffered, None)?.wait().await?;
        drop(engine);
        yield_now().await;
    }
}
