//! The store of the scenes: in memory, with everything that a scene asks a store for.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use broker_core::storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError, faults::point};
use broker_mem::MemStorage;
use bytes::Bytes;

/// A store in memory. Clones share what is in it.
#[derive(Clone)]
pub struct Store {
    rows: MemStorage,
    /// If so, commits and reads have a thread of their own, and commits are made in groups.
    can_block: bool,
    /// The commit that fails.
    fails_at: Option<usize>,
    log: Arc<Mutex<Vec<Committed>>>,
}

struct Committed {
    rows: Vec<Bytes>,
    durability: Durability,
}

impl Store {
    /// One that is committed to on the caller's thread.
    pub fn inline() -> Self {
        Self { rows: MemStorage::new(), can_block: false, fails_at: None, log: Arc::default() }
    }

    /// One whose commits are made in groups, by a committer.
    pub fn grouped() -> Self {
        Self { can_block: true, ..Self::inline() }
    }

    /// The commit of this number fails, counted from those that there are; once.
    pub fn failing_at(self, number: usize) -> Self {
        let fails_at = Some(self.commits() + number);
        Self { fails_at, ..self }
    }

    /// What is in it, to be read in one step.
    pub fn as_it_is(&self) -> &impl Storage {
        &self.rows
    }

    /// How many commits there were, failed ones too.
    pub fn commits(&self) -> usize {
        self.log(|log| log.len())
    }

    /// With what durability a row with this text was committed, if it was.
    pub fn durability_of(&self, text: &str) -> Option<Durability> {
        let has = |row: &Bytes| row.windows(text.len()).any(|part| part == text.as_bytes());
        self.log(|log| log.iter().find(|batch| batch.rows.iter().any(has)).map(|batch| batch.durability))
    }

    fn log<T>(&self, look: impl FnOnce(&mut Vec<Committed>) -> T) -> T {
        look(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storage for Store {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        point();
        let fails = self.fails_at == Some(self.commits());
        let row = |op| if let Op::PutRow { value, .. } = op { Some(Bytes::clone(value)) } else { None };
        let rows = if fails { Vec::new() } else { batch.ops().filter_map(row).collect() };
        self.log(|log| log.push(Committed { rows, durability }));
        if fails {
            return Err(StorageError::Engine("this commit fails".into()));
        }
        let committed = self.rows.commit(batch, durability);
        point();
        committed
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        point();
        self.rows.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        point();
        self.rows.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        point();
        self.rows.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        point();
        self.rows.meta_range(from, to, page)
    }

    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile {
            can_block: self.can_block,
            survives_kill: true,
            survives_power_loss: true,
            ..self.rows.profile()
        }
    }
}
