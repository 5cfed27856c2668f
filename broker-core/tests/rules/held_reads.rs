//! A store whose next read waits for a test, so that something can happen between a read and what follows it.

use std::{ops::Range, sync::Arc};

use broker_core::storage::{Batch, Durability, Page, Profile, Storage, StorageError};
use broker_mem::MemStorage;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

/// A store that can block, and whose next read of rows or of one meta key can be held after it has read. Clones are the
/// same store.
#[derive(Clone)]
pub(crate) struct HeldReads {
    store: Arc<dyn Storage>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

#[derive(Default)]
struct Shared {
    state: State,
    /// How many meta keys were read.
    meta_reads: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    HoldNext(Kind),
    Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rows,
    Meta,
}

impl HeldReads {
    pub(crate) fn new(store: &MemStorage) -> Self {
        Self { store: Arc::new(store.clone()), shared: Arc::default() }
    }

    /// Holds the next read of rows.
    pub(crate) fn hold_next_rows(&self) {
        self.set(State::HoldNext(Kind::Rows));
    }

    /// Lets what is held go on, and holds the next read of a meta key.
    pub(crate) fn hold_next_meta(&self) {
        self.set(State::HoldNext(Kind::Meta));
    }

    /// Lets what is held go on, and holds nothing more.
    pub(crate) fn release(&self) {
        self.set(State::Open);
    }

    /// Waits until a read is held. Time stands still meanwhile.
    pub(crate) async fn held(&self) {
        while self.shared.0.lock().state != State::Held {
            tokio::task::yield_now().await;
        }
    }

    /// How many meta keys were read.
    pub(crate) fn meta_reads(&self) -> usize {
        self.shared.0.lock().meta_reads
    }

    fn set(&self, state: State) {
        self.shared.0.lock().state = state;
        self.shared.1.notify_all();
    }

    fn pass(&self, kind: Kind) {
        let (shared, changed) = &*self.shared;
        let mut shared = shared.lock();
        shared.meta_reads += usize::from(kind == Kind::Meta);
        if shared.state == State::HoldNext(kind) {
            shared.state = State::Held;
            changed.notify_all();
            changed.wait_while(&mut shared, |shared| shared.state == State::Held);
        }
    }
}

impl Storage for HeldReads {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.store.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.store.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let rows = self.store.rows(partition, range, page);
        self.pass(Kind::Rows);
        rows
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        let value = self.store.meta(key);
        self.pass(Kind::Meta);
        value
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.store.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.store.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: true, ..self.store.profile() }
    }
}
