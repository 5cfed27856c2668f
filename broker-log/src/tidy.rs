//! Space comes back: segments without a row are removed, and the last rows of segments that are mostly dead are moved.
//!
//! Both happen behind a commit and in bounded steps. A move is a frame like any other, which puts the rows again; the
//! copies in the old segment are dead from then on. Nothing is moved while garbage is less than what lives and one segment;
//! then moves are paid for by what becomes garbage, so that they write about as much as commits do at most.

use std::{io::IoSlice, sync::Arc};

use broker_core::storage::{Durability, StorageError};
use bytes::Bytes;

use crate::{
    LogStorage,
    files::Handle,
    format::size,
    index::{BLOCK_ROWS, Entry},
    ops::Logged,
    part::Part,
    writer::Writer,
};

/// The most that is moved behind one commit.
const STEP_BYTES: u64 = 1 << 20;
/// Less is not worth a frame, unless it is all that survives in a segment.
const STEP_BYTES_MIN: u64 = 64 << 10;

/// A row that survives in a segment that does not.
struct Survivor {
    partition: u64,
    seq: u64,
    entry: Entry,
}

impl LogStorage {
    /// Takes one step.
    pub(crate) fn tidy(&self, writer: &mut Writer) -> Result<(), StorageError> {
        self.reserve.grow_with(self.state.read().sealed_bytes.saturating_add(writer.end));
        self.forget_dead(writer)?;
        let Some((segment, live_bytes)) = self.sparsest(writer) else {
            writer.budget = 0;
            return Ok(());
        };
        if writer.budget < STEP_BYTES_MIN.min(live_bytes) {
            return Ok(());
        }
        let moved = match self.gather(segment, writer.budget.min(STEP_BYTES)) {
            // What is damaged is not moved, and so it stays where it can be looked at.
            Err(StorageError::Corrupt { .. }) => {
                writer.pinned.insert(segment);
                return Ok(());
            }
            moved => moved?,
        };
        if moved.is_empty() {
            return Ok(());
        }
        let left = writer.budget.saturating_sub(moved.iter().map(|(row, _)| row.entry.cost()).sum());
        writer.frame.begin();
        for (Survivor { partition, seq, entry }, _) in &moved {
            let (partition, seq) = (*partition, *seq);
            writer.frame.put(Logged::PutRow { partition, seq, bytes: entry.bytes, crc: entry.crc });
        }
        let values: Vec<_> = moved.iter().map(|(_, value)| IoSlice::new(value)).collect();
        self.append(writer, &values, Durability::Memory)?;
        writer.budget = left;
        self.forget_dead(writer)
    }

    /// The segment of which least lives, and how much that is; `None` while garbage is not worth a move.
    ///
    /// A queue consumes its segments from the head: what is left of one will soon be dead, and is better left alone. So
    /// nothing moves before garbage outgrows what lives and one segment, which the spare one may be.
    fn sparsest(&self, writer: &Writer) -> Option<(u64, u64)> {
        let state = self.state.read();
        let spare = writer.spare.as_ref().map_or(0, |spare| spare.file_bytes);
        let most = state.live_bytes.saturating_mul(2).saturating_add(self.options.segment_bytes);
        if state.sealed_bytes.saturating_add(spare) <= most {
            return None;
        }
        let movable = state.sparse.iter().filter(|number| !writer.pinned.contains(number));
        let live = movable.map(|number| (*number, state.sealed[number].live_bytes));
        live.min_by_key(|(_, live_bytes)| *live_bytes)
    }

    /// Says durably that the dead segments are not needed, then retires their files.
    fn forget_dead(&self, writer: &mut Writer) -> Result<(), StorageError> {
        if self.state.read().dead.is_empty() {
            return Ok(());
        }
        let dead = std::mem::take(&mut self.state.write().dead);
        writer.frame.begin();
        for segment in dead.keys() {
            writer.frame.put(Logged::Forget { segment: *segment });
        }
        self.append(writer, &[], Durability::Synced)?;
        self.retire(writer, dead)
    }

    /// The first survivors of a segment, and their values: at least one, and about `most` bytes.
    fn gather(&self, segment: u64, most: u64) -> Result<Vec<(Survivor, Bytes)>, StorageError> {
        let (file, parts) = {
            let state = self.state.read();
            let sealed = &state.sealed[&segment];
            let parts: Vec<_> =
                sealed.parts.iter().map(|(partition, part)| (*partition, part.clone())).collect();
            (sealed.file.clone(), parts)
        };
        let (mut found, mut bytes) = (Vec::new(), 0);
        for (partition, part) in parts {
            self.gather_part((segment, partition), &file, &part, |row| {
                bytes += row.entry.cost();
                found.push(row);
                bytes < most
            })?;
            if bytes >= most {
                break;
            }
        }
        let read = |row: Survivor| {
            let value = file.read(row.entry.offset, size(u64::from(row.entry.bytes)))?;
            let value = file.checked(value.into(), row.entry.crc, row.entry.offset)?;
            Ok((row, value))
        };
        found.into_iter().map(read).collect()
    }

    /// Gives the rows of a part that live, until `take` has enough.
    fn gather_part(
        &self,
        (segment, partition): (u64, u64),
        file: &Handle,
        part: &Arc<Part>,
        mut take: impl FnMut(Survivor) -> bool,
    ) -> Result<(), StorageError> {
        for number in part.head_block()..part.blocks() {
            let block = self.blocks.get(segment, file, part, number)?;
            for (ordinal, (seq, entry)) in (number * BLOCK_ROWS..).zip(block.iter()) {
                if !part.is_dead(ordinal) && !take(Survivor { partition, seq: *seq, entry: *entry }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
