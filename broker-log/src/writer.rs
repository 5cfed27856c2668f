//! The one place that writes: frames at the end of the active segment, one at a time.
//!
//! A frame is written and, if asked for, synced; only then is it applied to what readers see. After any error nothing more
//! is written: what the device holds is unknown then, and a sync that failed must not be tried again.

use std::{collections::BTreeSet, io::IoSlice};

use broker_core::storage::{Durability, StorageError};

use crate::{
    LogStorage,
    files::Handle,
    format::{FRAME_HEADER_BYTES, Header, size},
    ops::Frame,
    seeded::seeded,
    state::Dead,
};

/// A frame larger than this part of what is pre-written has no use for it: one sync is little against its write.
const PREWRITE_SHARE: u64 = 8;

/// About how many segments there are at most, unless many are small.
const SEGMENTS: u64 = 512;

/// The active segment, as its writer knows it.
pub(crate) struct Writer {
    pub(crate) header: Header,
    pub(crate) file: Handle,
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// The length of the file: what is behind `end` are zeros, what a closed store left there, or the frames of a segment
    /// that is no more.
    pub(crate) file_bytes: u64,
    /// What a closed store left behind `end` must go before anything is written.
    pub(crate) cut: bool,
    /// Everything before here is durable.
    pub(crate) synced: u64,
    /// The number of the last frame of writes.
    pub(crate) number: u64,
    /// Where frames of writes begin, behind the checkpoint.
    pub(crate) base: u64,
    /// Where the segment should end.
    pub(crate) limit: u64,
    pub(crate) frame: Frame,
    /// How many bytes of survivors may be moved: as many as became garbage.
    pub(crate) budget: u64,
    /// Segments whose survivors cannot be moved, since one of them cannot be read.
    pub(crate) pinned: BTreeSet<u64>,
    /// The file that the next segment is to be written over.
    pub(crate) spare: Option<Dead>,
}

impl Writer {
    /// Where a segment whose frames begin at `base` should end, with `sealed_bytes` in segments before it. A large
    /// checkpoint makes a large segment, so that checkpoints stay a small part of what is written. So does a large
    /// store, so that it does not take a file descriptor for each of thousands of files.
    pub(crate) fn limit(segment_bytes: u64, base: u64, sealed_bytes: u64) -> u64 {
        segment_bytes.max(base.saturating_mul(5)).max(sealed_bytes / SEGMENTS)
    }

    /// Writes the frame in the buffer and its values, and returns where.
    fn write(
        &mut self,
        values: &[IoSlice<'_>],
        length: u64,
        durability: Durability,
        prewrite_bytes: u64,
    ) -> Result<u64, StorageError> {
        if self.cut {
            self.file.set_len(self.end)?;
            self.file.sync_all()?;
            (self.cut, self.file_bytes) = (false, self.end);
        }
        let (offset, number) = (self.end, self.number + 1);
        let values_bytes = length - self.frame.bytes.len() as u64;
        let header = self.frame.header(values_bytes, number, self.synced).encode(self.header, offset);
        self.frame.bytes[..FRAME_HEADER_BYTES].copy_from_slice(&header);
        let mut slices = Vec::with_capacity(1 + values.len());
        slices.push(IoSlice::new(&self.frame.bytes));
        slices.extend_from_slice(values);
        self.file.write_slices(&slices, offset)?;
        (self.end, self.number) = (offset + length, number);
        if self.end > self.file_bytes {
            self.file_bytes = self.end;
            if durability == Durability::Synced && length <= prewrite_bytes / PREWRITE_SHARE {
                self.prewrite(prewrite_bytes)?;
            }
        }
        if durability == Durability::Synced {
            self.sync()?;
        }
        Ok(offset)
    }

    /// Writes zeros ahead, so that the syncs to come find the file as long as it is.
    fn prewrite(&mut self, most: u64) -> Result<(), StorageError> {
        let zeros = most.min(self.limit.saturating_sub(self.end));
        self.file.write(&vec![0; size(zeros)], self.end)?;
        self.file_bytes = self.end + zeros;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        if !seeded("log-sync-skipped") {
            self.file.sync()?;
        }
        self.synced = self.end;
        Ok(())
    }
}

impl LogStorage {
    /// Writes and applies the frame in the writer's buffer, with the values of its rows.
    pub(crate) fn append(
        &self,
        writer: &mut Writer,
        values: &[IoSlice<'_>],
        durability: Durability,
    ) -> Result<(), StorageError> {
        let values_bytes: u64 = values.iter().map(|value| value.len() as u64).sum();
        let length = writer.frame.bytes.len() as u64 + values_bytes;
        if writer.end + length > writer.limit && writer.end > writer.base {
            self.roll(writer)?;
        }
        // Nobody but this thread changes the state, so what is read here still holds when it is applied.
        let prefetched = self.state.read().prefetch(writer.frame.ops(), &self.blocks)?;
        let offset = writer.write(values, length, durability, self.options.prewrite_bytes)?;
        let values_at = offset + writer.frame.values_at();
        let mut state = self.state.write();
        let before = state.killed_bytes;
        state.apply(writer.frame.ops(), values_at, &prefetched);
        writer.budget = writer.budget.saturating_add(length + state.killed_bytes - before);
        Ok(())
    }

    /// Makes earlier commits durable.
    pub(crate) fn sync(writer: &mut Writer) -> Result<(), StorageError> {
        if writer.synced < writer.end { writer.sync() } else { Ok(()) }
    }
}
