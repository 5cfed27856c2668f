//! What is known of a store in memory, and how the writes of a frame change it.
//!
//! Frames are applied in two steps. [`State::prefetch`] reads what applying will have to know from the disk, and may fail;
//! [`State::apply`] reads nothing and cannot fail. So a frame is written only when it can be applied, and it becomes
//! visible as a whole, under one short lock.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry as Place},
    sync::Arc,
};

use broker_core::storage::StorageError;
use bytes::Bytes;

use crate::{
    blocks::Blocks,
    extents::Extents,
    files::Handle,
    index::{BLOCK_ROWS, Block, Entry, Rows},
    ops::{Logged, Ops},
    part::{self, Part},
};

/// A segment that is no longer written, and still has rows.
pub(crate) struct Sealed {
    pub(crate) file: Handle,
    pub(crate) file_bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) parts: BTreeMap<u64, Arc<Part>>,
}

/// A segment without a row.
pub(crate) struct Dead {
    pub(crate) file: Handle,
    pub(crate) file_bytes: u64,
}

/// The segment that is being written.
pub(crate) struct Active {
    pub(crate) file: Handle,
    pub(crate) rows: Rows,
}

/// See the module.
pub(crate) struct State {
    pub(crate) meta: BTreeMap<Box<[u8]>, Bytes>,
    pub(crate) active: Active,
    pub(crate) sealed: BTreeMap<u64, Sealed>,
    /// For each partition with rows in sealed segments: where, by first sequence.
    pub(crate) extents: BTreeMap<u64, Extents>,
    /// Segments without a row whose files are still there.
    pub(crate) dead: BTreeMap<u64, Dead>,
    /// Segments of which less than half is worth keeping.
    pub(crate) sparse: BTreeSet<u64>,
    /// What died in sealed segments, ever.
    pub(crate) killed_bytes: u64,
    /// What the sealed segments take, and what of it lives.
    pub(crate) sealed_bytes: u64,
    pub(crate) live_bytes: u64,
}

/// Blocks of indexes, by segment, partition and number.
#[derive(Default)]
pub(crate) struct Prefetched(BTreeMap<(u64, u64, u64), Arc<Block>>);

impl Sealed {
    pub(crate) fn new(file: Handle, file_bytes: u64, parts: BTreeMap<u64, Arc<Part>>) -> Self {
        let live_bytes = parts.values().map(|part| part.live_bytes).sum();
        Self { file, file_bytes, live_bytes, parts }
    }

    pub(crate) fn is_sparse(&self) -> bool {
        self.live_bytes.saturating_mul(2) < self.file_bytes
    }
}

impl From<Sealed> for Dead {
    fn from(Sealed { file, file_bytes, .. }: Sealed) -> Self {
        Self { file, file_bytes }
    }
}

impl State {
    pub(crate) fn new(active: Active) -> Self {
        Self {
            meta: BTreeMap::new(),
            active,
            sealed: BTreeMap::new(),
            extents: BTreeMap::new(),
            dead: BTreeMap::new(),
            sparse: BTreeSet::new(),
            killed_bytes: 0,
            sealed_bytes: 0,
            live_bytes: 0,
        }
    }

    /// Takes up a sealed segment; one without rows is dead at once.
    pub(crate) fn add_sealed(&mut self, number: u64, sealed: Sealed) {
        if sealed.parts.is_empty() {
            self.dead.insert(number, sealed.into());
            return;
        }
        for (partition, part) in &sealed.parts {
            let extents = self.extents.entry(*partition).or_default();
            extents.insert(part.first(), part.last, number);
        }
        if sealed.is_sparse() {
            self.sparse.insert(number);
        }
        self.sealed_bytes += sealed.file_bytes;
        self.live_bytes += sealed.live_bytes;
        self.sealed.insert(number, sealed);
    }

    /// The sealed segments that may have a row, with their files and their parts of its partition.
    pub(crate) fn holders(
        &self,
        partition: u64,
        seq: u64,
    ) -> impl Iterator<Item = (u64, &Handle, &Arc<Part>)> {
        let extents = self.extents.get(&partition).into_iter();
        extents.flat_map(move |extents| extents.holding(seq)).map(move |extent| {
            let sealed = &self.sealed[&extent.segment];
            (extent.segment, &sealed.file, &sealed.parts[&partition])
        })
    }

    /// Reads the blocks that [`State::apply`] of the same writes needs. An error if they are malformed.
    pub(crate) fn prefetch(&self, ops: &[u8], blocks: &Blocks) -> Result<Prefetched, StorageError> {
        let mut found = Prefetched::default();
        for op in Ops::new(ops) {
            match op {
                Some(Logged::PutRow { partition, seq, .. } | Logged::DeleteRow { partition, seq }) => {
                    for (segment, file, part) in self.holders(partition, seq) {
                        let number = part.block_of(seq);
                        found.need((segment, partition, number), file, part, blocks)?;
                    }
                }
                Some(Logged::TrimRows { partition, below }) if below > 0 => {
                    for (segment, file, part) in
                        self.holders(partition, below).filter(|(_, _, p)| p.first() < below)
                    {
                        for number in part.head_block()..=part.block_of(below - 1) {
                            found.need((segment, partition, number), file, part, blocks)?;
                        }
                    }
                }
                Some(_) => {}
                None => return Err(self.active.file.corrupt(0, "a frame with malformed writes")),
            }
        }
        Ok(found)
    }

    /// Applies a frame of writes whose values begin at `values_at` of the active segment. All of it was prefetched.
    pub(crate) fn apply(&mut self, ops: &[u8], mut values_at: u64, prefetched: &Prefetched) {
        for op in Ops::new(ops).flatten() {
            match op {
                Logged::PutRow { partition, seq, bytes, crc } => {
                    self.kill(partition, seq, prefetched);
                    self.active.rows.insert((partition, seq), Entry { offset: values_at, bytes, crc });
                    values_at += u64::from(bytes);
                }
                Logged::DeleteRow { partition, seq } => {
                    if self.active.rows.remove(&(partition, seq)).is_none() {
                        self.kill(partition, seq, prefetched);
                    }
                }
                Logged::TrimRows { partition, below } => self.trim(partition, below, prefetched),
                Logged::PutMeta { key, value } => match self.meta.get_mut(key) {
                    Some(stored) => *stored = Bytes::copy_from_slice(value),
                    None => drop(self.meta.insert(key.into(), Bytes::copy_from_slice(value))),
                },
                Logged::DeleteMeta { key } => drop(self.meta.remove(key)),
                Logged::DeleteMetaRange { from, to } if from < to => {
                    let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
                    let keys: Vec<_> =
                        self.meta.range::<[u8], _>(range).map(|(key, _)| key.clone()).collect();
                    for key in &keys {
                        drop(self.meta.remove(key));
                    }
                }
                Logged::DeleteMetaRange { .. } => {}
                Logged::Forget { segment } => drop(self.dead.remove(&segment)),
            }
        }
    }

    /// Marks a row of a sealed segment dead, if there is one.
    fn kill(&mut self, partition: u64, seq: u64, prefetched: &Prefetched) {
        // One at most lives: a row that is written again, or moved, dies where it was.
        let mut hit = None;
        for (segment, _, part) in self.holders(partition, seq) {
            let number = part.block_of(seq);
            let row = part::find(prefetched.block((segment, partition, number)), number, seq);
            if let Some((ordinal, cost)) = row.filter(|(ordinal, _)| !part.is_dead(*ordinal)) {
                hit = Some((segment, ordinal, cost));
            }
        }
        if let Some((segment, ordinal, cost)) = hit {
            self.change(segment, partition, |part| part.kill(ordinal, cost));
        }
    }

    fn trim(&mut self, partition: u64, below: u64, prefetched: &Prefetched) {
        let range = self.active.rows.range((partition, 0)..(partition, below));
        let keys: Vec<_> = range.map(|(key, _)| *key).collect();
        for key in &keys {
            self.active.rows.remove(key);
        }
        let extents = self.extents.get(&partition).cloned().unwrap_or_default();
        for extent in extents.reaching(0).take_while(|extent| extent.first < below) {
            self.change(extent.segment, partition, |part| {
                if extent.last < below {
                    part.live = 0;
                    return part.live_bytes;
                }
                let numbers = part.head_block()..=part.block_of(below - 1);
                let mut killed = 0;
                for number in numbers {
                    let block = prefetched.block((extent.segment, partition, number));
                    for (ordinal, (_, entry)) in
                        (number * BLOCK_ROWS..).zip(block.iter().take_while(|(seq, _)| *seq < below))
                    {
                        killed += part.kill(ordinal, entry.cost());
                    }
                }
                killed
            });
        }
    }

    /// Changes a part and counts what died; it returns how many bytes that were.
    fn change(&mut self, segment: u64, partition: u64, change: impl FnOnce(&mut Part) -> u64) {
        let sealed = self.sealed.get_mut(&segment).expect("extents are of sealed segments");
        let part = sealed.parts.get_mut(&partition).expect("extents are of parts");
        // Readers may have it: then this makes a copy, and they keep what they saw.
        let part = Arc::make_mut(part);
        let killed = change(part);
        self.killed_bytes += killed;
        sealed.live_bytes -= killed;
        self.live_bytes -= killed;
        if part.live == 0 {
            sealed.parts.remove(&partition);
            let extents = self.extents.get_mut(&partition).expect("it had a part");
            if extents.remove(segment) {
                self.extents.remove(&partition);
            }
        }
        if sealed.parts.is_empty() {
            self.sealed_bytes -= sealed.file_bytes;
            self.live_bytes -= sealed.live_bytes;
            self.sparse.remove(&segment);
            let dead = self.sealed.remove(&segment).expect("it was there just now");
            self.dead.insert(segment, dead.into());
        } else if sealed.is_sparse() {
            self.sparse.insert(segment);
        }
    }
}

impl Prefetched {
    fn need(
        &mut self,
        key: (u64, u64, u64),
        file: &Handle,
        part: &Part,
        blocks: &Blocks,
    ) -> Result<(), StorageError> {
        if let Place::Vacant(place) = self.0.entry(key) {
            place.insert(blocks.get(key.0, file, part, key.2)?);
        }
        Ok(())
    }

    fn block(&self, key: (u64, u64, u64)) -> &Block {
        self.0.get(&key).expect("prefetched for the same writes")
    }
}

#[cfg(test)]
mod tests;
