//! The durable stores, as they are opened here.

use std::{fmt, path::Path, sync::Arc};

use broker_core::storage::{Storage, StorageError};
use broker_log::{LogOptions, LogStorage};
use broker_sled::SledStorage;
use clap::ValueEnum;
use tempfile::TempDir;

/// Segments so small that a short life fills, moves and drops some.
const SEGMENT_BYTES: u64 = 1 << 20;
/// So that a small device has room for it.
const RESERVE_BYTES: u64 = 2 << 20;

/// A durable store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    Log,
    Sled,
}

impl Store {
    /// The name of a suite on this store.
    pub(crate) fn named(self, log: &'static str, sled: &'static str) -> &'static str {
        match self {
            Self::Log => log,
            Self::Sled => sled,
        }
    }

    pub(crate) fn open(self, directory: &Path) -> Result<Arc<dyn Storage>, StorageError> {
        Ok(match self {
            Self::Log => {
                let (segment_bytes, reserve_bytes) = (SEGMENT_BYTES, RESERVE_BYTES);
                let options = LogOptions { segment_bytes, reserve_bytes, ..LogOptions::default() };
                Arc::new(LogStorage::open_with(directory, &options)?)
            }
            Self::Sled => Arc::new(SledStorage::open(directory)?),
        })
    }
}

/// A directory for what no power cut follows: in memory, where the system has such a place, so that no sync is waited for.
pub(crate) fn in_memory() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Sled => "sled",
        })
    }
}
