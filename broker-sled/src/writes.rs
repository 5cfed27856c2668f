//! A batch as sled takes it: each key written once, with what the last write to it says.
//!
//! sled has no range delete, so the keys in a deleted range are looked up: those in the tree, and those that the same
//! batch has put. Only the committing thread writes, hence nothing changes between that look and the commit.

use std::{collections::BTreeMap, ops::Range};

use broker_core::storage::{Batch, Op};

use crate::{chunks, keys};

/// What sled adds to each operation in its log, about.
const OVERHEAD_BYTES: usize = 64;

/// The batch, and how much it asks sled to write and to clean up, in bytes.
pub(crate) fn of(batch: &Batch, tree: &sled::Tree) -> sled::Result<(sled::Batch, usize)> {
    let mut writes = Writes { tree, last: BTreeMap::new(), removed_bytes: 0 };
    for op in batch.ops() {
        match op {
            Op::PutRow { partition, seq, value } => writes.put(&keys::row(partition, seq).start, value),
            Op::DeleteRow { partition, seq } => writes.delete(keys::row(partition, seq))?,
            Op::TrimRows { partition, below } => writes.delete(keys::rows(partition, 0..below))?,
            Op::PutMeta { key, value } => writes.put(&keys::meta(key).start, value),
            Op::DeleteMeta { key } => writes.delete(keys::meta(key))?,
            Op::DeleteMetaRange { from, to } => writes.delete(keys::meta_range(from, to))?,
        }
    }
    let mut applied = sled::Batch::default();
    let mut bytes = writes.removed_bytes;
    for (key, value) in writes.last {
        bytes += OVERHEAD_BYTES + key.len() + value.as_ref().map_or(0, Vec::len);
        match value {
            Some(value) => applied.insert(key, value),
            None => applied.remove(key),
        }
    }
    Ok((applied, bytes))
}

struct Writes<'a> {
    tree: &'a sled::Tree,
    /// The last write of each key: a value, or its removal.
    last: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The values that are removed: sled writes the rest of their pages again.
    removed_bytes: usize,
}

impl Writes<'_> {
    fn put(&mut self, first: &[u8], value: &[u8]) {
        chunks::cut(first, value, |key, chunk| drop(self.last.insert(key, Some(chunk))));
    }

    fn delete(&mut self, range: Range<Vec<u8>>) -> sled::Result<()> {
        // Both maps panic on an inverted range.
        if range.start >= range.end {
            return Ok(());
        }
        for (_, value) in self.last.range_mut(range.clone()) {
            *value = None;
        }
        for entry in self.tree.range(range) {
            let (key, value) = entry?;
            self.removed_bytes += value.len();
            self.last.insert(key.to_vec(), None);
        }
        Ok(())
    }
}
