//! A device that takes its time: behind a gate that a test opens, or with a fixed delay for demonstrations.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::storage::{Batch, Durability, Page, Profile, Storage, StorageError};

/// Holds commits until a test lets them go on. Clones are the same gate; a new one is open.
#[derive(Clone, Default)]
pub struct Gate {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    held: bool,
    waiting: usize,
}

impl Gate {
    /// An open gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on commits wait.
    pub fn hold(&self) {
        self.shared.0.lock().held = true;
    }

    /// Lets every commit pass, those that wait and those to come.
    pub fn open(&self) {
        self.shared.0.lock().held = false;
        self.shared.1.notify_all();
    }

    /// How many commits wait.
    pub fn waiting(&self) -> usize {
        self.shared.0.lock().waiting
    }

    /// Blocks this thread until at least that many commits wait. For ever, if they never come.
    pub fn until_waiting(&self, commits: usize) {
        let (state, changed) = &*self.shared;
        changed.wait_while(&mut state.lock(), |state| state.waiting < commits);
    }

    fn pass(&self) {
        let (state, changed) = &*self.shared;
        let mut state = state.lock();
        if state.held {
            state.waiting += 1;
            changed.notify_all();
            changed.wait_while(&mut state, |state| state.held);
            state.waiting -= 1;
        }
    }
}

/// A store whose commits wait before they apply, and that remembers how large they were.
pub struct SlowStorage {
    inner: Arc<dyn Storage>,
    gate: Gate,
    delay: Duration,
    sizes: Mutex<Vec<usize>>,
}

impl SlowStorage {
    /// A store that waits for nothing yet. Its profile says that it can block.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, gate: Gate::new(), delay: Duration::ZERO, sizes: Mutex::default() }
    }

    /// Each commit passes through this gate.
    pub fn gated(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    /// Each commit takes at least that long. A gate makes a test faster and surer.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How many commits were applied.
    pub fn commits(&self) -> usize {
        self.sizes.lock().len()
    }

    /// How many writes each applied commit had, in order.
    pub fn sizes(&self) -> Vec<usize> {
        self.sizes.lock().clone()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for SlowStorage {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.gate.pass();
        if !self.delay.is_zero() {
            #[allow(
                clippy::disallowed_methods,
                reason = "a slow device is what this is, and no clock is read"
            )]
            std::thread::sleep(self.delay);
        }
        self.inner.commit(batch, durability)?;
        self.sizes.lock().push(batch.len());
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.inner.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.inner.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.inner.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: true, ..self.inner.profile() }
    }
}
