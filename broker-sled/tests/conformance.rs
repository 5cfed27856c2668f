//! sled keeps the contract.

use broker_core::storage::conformance::Subject;
use broker_sled::SledStorage;
use tempfile::TempDir;

struct OnSled;

impl Subject for OnSled {
    type Home = TempDir;
    type Store = SledStorage;

    fn home(&self) -> TempDir {
        TempDir::new().expect("a temporary directory")
    }

    fn open(&self, home: &TempDir) -> SledStorage {
        SledStorage::open(home.path()).expect("an undamaged store opens")
    }
}

broker_core::storage_conformance!(OnSled);
