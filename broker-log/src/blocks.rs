//! Blocks of sealed segments' indexes that were read lately: as many as a bound allows, the oldest goes first.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use broker_core::storage::StorageError;
use parking_lot::Mutex;

use crate::{
    files::Handle,
    index::{self, Block},
    part::Part,
};

/// A block's segment and its place in it.
type Key = (u64, u64);

/// See the module.
pub(crate) struct Blocks {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blocks: HashMap<Key, Arc<Block>>,
    order: VecDeque<Key>,
}

impl Blocks {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), kept: Mutex::default() }
    }

    /// The block of that number.
    pub(crate) fn get(
        &self,
        segment: u64,
        file: &Handle,
        part: &Part,
        number: u64,
    ) -> Result<Arc<Block>, StorageError> {
        let (offset, rows) = part.block_place(number);
        let key = (segment, offset);
        if let Some(found) = self.kept.lock().blocks.get(&key) {
            return Ok(found.clone());
        }
        // Not under the lock: a read may take as long as the device likes.
        let block = Arc::new(index::read_block(file, offset, rows)?);
        let mut kept = self.kept.lock();
        if kept.blocks.insert(key, block.clone()).is_none() {
            kept.order.push_back(key);
            if kept.order.len() > self.most
                && let Some(oldest) = kept.order.pop_front()
            {
                kept.blocks.remove(&oldest);
            }
        }
        Ok(block)
    }
}
