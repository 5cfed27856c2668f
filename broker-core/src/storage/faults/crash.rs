//! A machine that dies at a chosen commit, and what a new one finds on its disk.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::storage::{Batch, Durability, Page, Profile, Storage, StorageError};

/// When the machine dies. Commits count from zero, anew after each [`CrashStorage::restart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Not at all: to count the commits of a history, or to end it by dropping the broker.
    Never,
    /// During this commit, which is lost.
    Before(usize),
    /// During this commit, which is applied although its caller gets an error.
    After(usize),
}

/// What a crash leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survive {
    /// The process was killed: everything up to the newest commit that is at least `Buffered`.
    Kill,
    /// The power was cut: everything up to the newest `Synced` commit, and of what came later the first commits.
    PowerCut {
        /// How many commits after the newest synced one had reached the disk by luck.
        unsynced: usize,
    },
}

/// A store that records its commits, dies at one of them, and says what survived.
///
/// After the crash every call fails, reads included: the machine is off. Claims to survive everything, since a test
/// decides what it survives.
pub struct CrashStorage {
    inner: Arc<dyn Storage>,
    point: CrashPoint,
    can_block: bool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// What the disk holds, oldest first, with the commits of earlier lives.
    applied: Vec<(Batch, Durability)>,
    /// How many of them are from earlier lives.
    inherited: usize,
    off: bool,
}

impl CrashStorage {
    /// A recorder over `inner`, which must be empty: what it holds already would not survive.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, point: CrashPoint::Never, can_block: false, log: Mutex::default() }
    }

    /// Dies at that point.
    pub fn crash_at(mut self, point: CrashPoint) -> Self {
        self.point = point;
        self
    }

    /// Says in its profile whether it can block: the broker commits inline on one that cannot. It cannot at first.
    pub fn can_block(mut self, can_block: bool) -> Self {
        self.can_block = can_block;
        self
    }

    /// How many commits of this life were applied, the one with [`CrashPoint::After`] included.
    pub fn commits(&self) -> usize {
        let log = self.log.lock();
        log.applied.len() - log.inherited
    }

    /// The commits that were applied, oldest first, those of earlier lives included: the first of them, committed to an empty
    /// store, are the disk of an earlier moment.
    pub fn applied(&self) -> Vec<(Batch, Durability)> {
        self.log.lock().applied.clone()
    }

    /// A number that stands for all commits that are on the disk, to the last byte and in their order: runs that did the same
    /// have the same.
    pub fn trace(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (batch, durability) in &self.log.lock().applied {
            durability.hash(&mut hasher);
            batch.ops().for_each(|op| op.hash(&mut hasher));
        }
        hasher.finish()
    }

    /// Whether the machine is off.
    pub fn crashed(&self) -> bool {
        self.log.lock().off
    }

    /// Writes what survives into `fresh`, an empty store, and returns how many commits that is, with the survivors of
    /// earlier lives.
    pub fn survivors(&self, survive: Survive, fresh: &dyn Storage) -> Result<usize, StorageError> {
        let log = self.log.lock();
        let surviving = &log.applied[..log.surviving(survive)];
        surviving.iter().try_for_each(|(batch, durability)| fresh.commit(batch, *durability))?;
        Ok(surviving.len())
    }

    /// The machine after the crash: a recorder over `fresh`, an empty store, that starts with the survivors and can
    /// crash again. What survived a kill only can still be lost in a power cut.
    pub fn restart(&self, survive: Survive, fresh: Arc<dyn Storage>) -> Result<Self, StorageError> {
        let inherited = self.survivors(survive, fresh.as_ref())?;
        let mut applied = self.log.lock().applied[..inherited].to_vec();
        if let Survive::PowerCut { .. } = survive {
            for (_, durability) in &mut applied {
                *durability = Durability::Synced;
            }
        }
        let log = Mutex::new(Log { applied, inherited, off: false });
        Ok(Self { inner: fresh, point: CrashPoint::Never, can_block: self.can_block, log })
    }

    fn on(&self) -> Result<(), StorageError> {
        if self.crashed() { Err(machine_is_off()) } else { Ok(()) }
    }
}

impl Log {
    /// How many commits survive. Always a prefix: a tear falls between batches.
    fn surviving(&self, survive: Survive) -> usize {
        let (needed, luck) = match survive {
            Survive::Kill => (Durability::Buffered, 0),
            Survive::PowerCut { unsynced } => (Durability::Synced, unsynced),
        };
        let newest = self.applied.iter().rposition(|(_, durability)| *durability >= needed);
        newest.map_or(0, |at| at + 1).saturating_add(luck).min(self.applied.len())
    }
}

fn machine_is_off() -> StorageError {
    StorageError::io("using a machine that is off", io::Error::other("injected crash"))
}

#[deny(clippy::missing_trait_methods)]
impl Storage for CrashStorage {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        // Held over the inner commit, so that the log has the order in which the commits were applied.
        let mut log = self.log.lock();
        let number = log.applied.len() - log.inherited;
        if log.off || self.point == CrashPoint::Before(number) {
            log.off = true;
            return Err(machine_is_off());
        }
        self.inner.commit(batch, durability)?;
        log.applied.push((batch.clone(), durability));
        if self.point == CrashPoint::After(number) {
            log.off = true;
            return Err(machine_is_off());
        }
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.on()?;
        self.inner.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.on()?;
        self.inner.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.on()?;
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.on()?;
        self.inner.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile {
            survives_kill: true,
            survives_power_loss: true,
            can_block: self.can_block,
            ..self.inner.profile()
        }
    }
}
