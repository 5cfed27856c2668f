//! The stores that histories run on.

use std::sync::Arc;

use broker_core::storage::{
    Storage,
    faults::{CrashStorage, Survive},
};
use broker_mem::MemStorage;
use tempfile::TempDir;

use crate::disk::Disk;

use super::driver::Ground;

/// Memory that forgets, at a crash, what was not synced.
pub(crate) struct Crashing {
    store: Arc<CrashStorage>,
    can_block: bool,
    /// Commits of earlier lives that survived.
    inherited: usize,
}

impl Crashing {
    pub(crate) fn new(can_block: bool) -> Self {
        let store = CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block);
        Self { store: Arc::new(store), can_block, inherited: 0 }
    }

    /// All that was committed, as a number.
    pub(crate) fn trace(&self) -> u64 {
        self.store.trace()
    }

    fn restart(&mut self, survive: Survive) -> usize {
        let survived = self.store.survivors(survive, &MemStorage::new()).unwrap();
        let fresh = Arc::new(MemStorage::new());
        self.store = Arc::new(self.store.restart(survive, fresh).unwrap().can_block(self.can_block));
        self.inherited = survived;
        survived
    }
}

impl Ground for Crashing {
    fn store(&self) -> Arc<dyn Storage> {
        self.store.clone()
    }

    fn commits(&self) -> usize {
        self.inherited + self.store.commits()
    }

    fn reopen(&mut self) {}

    fn can_crash(&self) -> bool {
        true
    }

    fn crash(&mut self, unsynced: usize) -> usize {
        match unsynced {
            0 => self.restart(Survive::Kill),
            more => self.restart(Survive::PowerCut { unsynced: more - 1 }),
        }
    }
}

/// A durable store in a directory of its own, opened and closed like a user's.
pub(crate) struct OnDisk {
    disk: Disk,
    directory: TempDir,
    store: Option<Arc<dyn Storage>>,
}

impl OnDisk {
    pub(crate) fn new(disk: Disk) -> Self {
        let mut ground = Self { disk, directory: tempfile::tempdir().unwrap(), store: None };
        ground.reopen();
        ground
    }
}

impl Ground for OnDisk {
    fn store(&self) -> Arc<dyn Storage> {
        self.store.clone().unwrap()
    }

    fn can_crash(&self) -> bool {
        false
    }

    fn commits(&self) -> usize {
        0
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(self.disk.open(&self.directory.path().join("store")));
    }

    fn crash(&mut self, _: usize) -> usize {
        0
    }
}
