//! The reference implementation keeps the contract.

use broker_core::storage::conformance::Subject;
use broker_mem::MemStorage;

struct InMemory;

impl Subject for InMemory {
    type Home = MemStorage;
    type Store = MemStorage;

    fn home(&self) -> MemStorage {
        MemStorage::new()
    }

    fn open(&self, home: &MemStorage) -> MemStorage {
        home.clone()
    }
}

broker_core::storage_conformance!(InMemory);
