//! The durable stores that tests run on.

use std::{path::Path, sync::Arc};

use broker_core::storage::Storage;
use broker_log::{LogOptions, LogStorage};
use broker_sled::SledStorage;

/// Segments so small that tests fill, move and drop some.
const SEGMENT_BYTES: u64 = 32 << 10;

/// A durable store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Log,
    Sled,
}

impl Disk {
    /// The store in this directory.
    pub(crate) fn open(self, path: &Path) -> Arc<dyn Storage> {
        match self {
            Self::Log => {
                let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
                Arc::new(LogStorage::open_with(path, &options).unwrap())
            }
            Self::Sled => Arc::new(SledStorage::open(path).unwrap()),
        }
    }
}
