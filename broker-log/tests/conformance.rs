//! The log keeps the contract, in segments of the usual size and in tiny ones.

use broker_core::storage::conformance::Subject;
use broker_log::{LogOptions, LogStorage};
use tempfile::TempDir;

struct OnLog {
    options: LogOptions,
}

impl Subject for OnLog {
    type Home = TempDir;
    type Store = LogStorage;

    fn home(&self) -> TempDir {
        TempDir::new().expect("a temporary directory")
    }

    fn open(&self, home: &TempDir) -> LogStorage {
        LogStorage::open_with(home.path(), &self.options).expect("an undamaged store opens")
    }
}

mod usual {
    use super::*;

    broker_core::storage_conformance!(OnLog { options: LogOptions::default() });
}

mod tiny {
    use super::*;

    fn options() -> LogOptions {
        LogOptions { segment_bytes: 2_000, prewrite_bytes: 3_000, reserve_bytes: 2_000, cached_blocks: 2 }
    }

    broker_core::storage_conformance!(OnLog { options: options() });
}
