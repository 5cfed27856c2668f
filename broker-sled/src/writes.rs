//! A batch as sled takes it: each key written once, with what the last write to it says.
//!
//! sled has no range delete, so the keys in a deleted range are looked up: those in the tree, and those that the same
//! batch has put. Only the committing thread writes, hence nothing changes between that look and the commit.

use std::{collections::BTreeMap, ops::Range};

use broker_core::storage::{Batch, Op};

use crate::{chunks, keys};

pub(crate) fn of(batch: &Batch, tree: &sled::Tree) -> sled::Result<sled::Batch> {
    let mut writes = Writes { tree, last: BTreeMap::new() };
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
    for (key, value) in writes.last {
        match value {
            Some(value) => applied.insert(key, value),
            None => applied.remove(key),
        }
    }
    Ok(applied)
}

struct Writes<'a> {
    tree: &'a sled::Tree,
    /// The last write of each key: a value, or its removal.
    last: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
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
        for key in self.tree.range(range).keys() {
            self.last.insert(key?.to_vec(), None);
        }
        Ok(())
    }
}
