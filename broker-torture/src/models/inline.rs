//! A store that commits where it is asked to, not on a thread of its own.

use std::{ops::Range, sync::Arc};

use broker_core::storage::{Batch, Durability, Page, Profile, Storage, StorageError};
use bytes::Bytes;

/// Says of a store that its calls do not block, so that the broker makes them itself.
pub(super) struct Inline(pub(super) Arc<dyn Storage>);

impl Storage for Inline {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.0.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.0.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.0.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.0.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.0.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.0.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: false, ..self.0.profile() }
    }
}
