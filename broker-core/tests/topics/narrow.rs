//! A store that takes no row above some size, as real ones do, and says so in its profile.

use std::ops::Range;

use broker_core::storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError};
use broker_mem::MemStorage;
use bytes::Bytes;

/// The store, and the most bytes of a row.
pub(crate) struct Narrow(pub(crate) MemStorage, pub(crate) usize);

impl Storage for Narrow {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        for op in batch.ops() {
            if let Op::PutRow { value, .. } = op
                && value.len() > self.1
            {
                return Err(StorageError::ValueTooLarge { bytes: value.len(), max: self.1 });
            }
        }
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
        Profile { value_bytes_max: self.1, ..self.0.profile() }
    }
}
