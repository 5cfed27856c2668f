//! A batch: the writes that a store applies all together or not at all.
//!
//! Keys and small values live in one buffer, so that building a batch costs no allocation per write and two batches
//! merge by copying. Row values are [`Bytes`]: a body is never copied on its way to the store.

use std::ops::Range;

use bytes::Bytes;

/// One write of a [`Batch`], as the store sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op<'a> {
    /// Stores a row. Sequences ascend within a partition and are never written twice.
    PutRow {
        /// The partition that the row belongs to.
        partition: u64,
        /// The row's place in its partition.
        seq: u64,
        /// The row's bytes, at most [`Profile::value_bytes_max`](super::Profile::value_bytes_max).
        value: &'a Bytes,
    },
    /// Removes a row; a missing row is no error.
    DeleteRow {
        /// The partition that the row belongs to.
        partition: u64,
        /// The row's place in its partition.
        seq: u64,
    },
    /// Removes every row of a partition whose sequence is below `below`.
    TrimRows {
        /// The partition to trim.
        partition: u64,
        /// The first sequence that stays.
        below: u64,
    },
    /// Stores a meta entry, in place of an older one under the same key.
    PutMeta {
        /// The entry's key.
        key: &'a [u8],
        /// The entry's value.
        value: &'a [u8],
    },
    /// Removes a meta entry; a missing one is no error.
    DeleteMeta {
        /// The entry's key.
        key: &'a [u8],
    },
    /// Removes every meta entry with `from <= key < to`; an inverted range is empty.
    DeleteMetaRange {
        /// The first key that goes.
        from: &'a [u8],
        /// The first key that stays.
        to: &'a [u8],
    },
}

/// A stretch of the batch's buffer.
type Span = Range<usize>;

#[derive(Debug, Clone)]
enum Slot {
    PutRow { partition: u64, seq: u64, value: Bytes },
    DeleteRow { partition: u64, seq: u64 },
    TrimRows { partition: u64, below: u64 },
    PutMeta { key: Span, value: Span },
    DeleteMeta { key: Span },
    DeleteMetaRange { from: Span, to: Span },
}

/// Writes that belong together, applied in order: for one key, the last write wins.
///
/// ```
/// use broker_core::storage::{Batch, Op};
///
/// let mut batch = Batch::new();
/// batch.put_row(7, 1, "body");
/// batch.put_meta(b"tail", b"1");
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.ops().nth(1), Some(Op::PutMeta { key: b"tail", value: b"1" }));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    slots: Vec<Slot>,
    buffer: Vec<u8>,
    row_bytes: usize,
}

/// A batch with more room than this is not kept: 64 KiB of keys and small values, and about as much for the writes.
const KEPT_BYTES_MAX: usize = 64 * 1024;
const KEPT_WRITES_MAX: usize = 1_024;

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row; see [`Op::PutRow`].
    pub fn put_row(&mut self, partition: u64, seq: u64, value: impl Into<Bytes>) {
        let value = value.into();
        self.row_bytes += value.len();
        self.slots.push(Slot::PutRow { partition, seq, value });
    }

    /// Removes a row; see [`Op::DeleteRow`].
    pub fn delete_row(&mut self, partition: u64, seq: u64) {
        self.slots.push(Slot::DeleteRow { partition, seq });
    }

    /// Removes the rows below a sequence; see [`Op::TrimRows`].
    pub fn trim_rows(&mut self, partition: u64, below: u64) {
        self.slots.push(Slot::TrimRows { partition, below });
    }

    /// Stores a meta entry; see [`Op::PutMeta`].
    pub fn put_meta(&mut self, key: &[u8], value: &[u8]) {
        let key = self.keep(key);
        let value = self.keep(value);
        self.slots.push(Slot::PutMeta { key, value });
    }

    /// Stores a meta entry whose value is the two parts, one behind the other.
    pub(crate) fn put_meta_of(&mut self, key: &[u8], first: &[u8], second: &[u8]) {
        let key = self.keep(key);
        let start = self.keep(first).start;
        let value = start..self.keep(second).end;
        self.slots.push(Slot::PutMeta { key, value });
    }

    /// Removes a meta entry; see [`Op::DeleteMeta`].
    pub fn delete_meta(&mut self, key: &[u8]) {
        let key = self.keep(key);
        self.slots.push(Slot::DeleteMeta { key });
    }

    /// Removes the meta entries in `from..to`; see [`Op::DeleteMetaRange`].
    pub fn delete_meta_range(&mut self, from: &[u8], to: &[u8]) {
        let from = self.keep(from);
        let to = self.keep(to);
        self.slots.push(Slot::DeleteMetaRange { from, to });
    }

    /// The writes, in the order in which they apply.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = Op<'_>> {
        self.slots.iter().map(|slot| match slot {
            Slot::PutRow { partition, seq, value } => Op::PutRow { partition: *partition, seq: *seq, value },
            Slot::DeleteRow { partition, seq } => Op::DeleteRow { partition: *partition, seq: *seq },
            Slot::TrimRows { partition, below } => Op::TrimRows { partition: *partition, below: *below },
            Slot::PutMeta { key, value } => {
                Op::PutMeta { key: &self.buffer[key.clone()], value: &self.buffer[value.clone()] }
            }
            Slot::DeleteMeta { key } => Op::DeleteMeta { key: &self.buffer[key.clone()] },
            Slot::DeleteMetaRange { from, to } => {
                Op::DeleteMetaRange { from: &self.buffer[from.clone()], to: &self.buffer[to.clone()] }
            }
        })
    }

    /// Moves the writes of `later` behind this batch's own and leaves `later` empty.
    pub fn append(&mut self, later: &mut Batch) {
        if self.is_empty() {
            std::mem::swap(self, later);
            later.clear();
            return;
        }
        let base = self.buffer.len();
        self.buffer.append(&mut later.buffer);
        self.row_bytes += std::mem::take(&mut later.row_bytes);
        self.slots.extend(later.slots.drain(..).map(|slot| slot.moved_by(base)));
    }

    /// Empties the batch and keeps its memory for the next use.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.buffer.clear();
        self.row_bytes = 0;
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether it holds so little memory that it may be kept for the next use.
    pub(crate) fn is_small(&self) -> bool {
        self.buffer.capacity() <= KEPT_BYTES_MAX && self.slots.capacity() <= KEPT_WRITES_MAX
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many bytes the batch holds: row values, keys and meta values.
    pub fn size_bytes(&self) -> usize {
        self.row_bytes + self.buffer.len()
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }
}

impl Slot {
    /// The same write, its spans shifted by `base` bytes.
    fn moved_by(self, base: usize) -> Self {
        let shift = |span: Span| span.start + base..span.end + base;
        match self {
            Slot::PutMeta { key, value } => Slot::PutMeta { key: shift(key), value: shift(value) },
            Slot::DeleteMeta { key } => Slot::DeleteMeta { key: shift(key) },
            Slot::DeleteMetaRange { from, to } => Slot::DeleteMetaRange { from: shift(from), to: shift(to) },
            rows => rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_batches_keep_their_order_and_their_bytes() {
        let mut first = Batch::new();
        first.put_meta(b"a", b"1");
        first.put_row(1, 2, "row");
        let mut second = Batch::new();
        second.put_meta(b"b", b"22");
        second.delete_meta(b"a");
        second.delete_meta_range(b"x", b"y");
        first.append(&mut second);

        assert!(second.is_empty() && second.size_bytes() == 0);
        assert_eq!(first.size_bytes(), 2 + 3 + 3 + 1 + 2);
        let ops: Vec<_> = first.ops().collect();
        assert_eq!(ops[2], Op::PutMeta { key: b"b", value: b"22" });
        assert_eq!(ops[3], Op::DeleteMeta { key: b"a" });
        assert_eq!(ops[4], Op::DeleteMetaRange { from: b"x", to: b"y" });
    }
}
