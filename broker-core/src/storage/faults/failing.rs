//! A device that refuses one commit or one read, and then recovers or does not.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use crate::storage::{Batch, Durability, Page, Profile, Storage, StorageError};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error of the device.
    Io,
    /// No space is left.
    DiskFull,
    /// What is stored is not what was written.
    Damage,
}

/// What calls do after the failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// They work: whoever goes on after an error is found out by what it stored.
    Works,
    /// They fail in the same way.
    Fails,
}

/// A store that fails at a chosen call. A failed commit stores nothing.
pub struct FailingStorage {
    inner: Arc<dyn Storage>,
    commit_fault: Option<(usize, Fault)>,
    read_fault: Option<(usize, Fault)>,
    afterwards: Afterwards,
    commits: AtomicUsize,
    reads: AtomicUsize,
    failed: AtomicBool,
    full: AtomicBool,
}

impl FailingStorage {
    /// A store that works, until told otherwise.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            commit_fault: None,
            read_fault: None,
            afterwards: Afterwards::Works,
            commits: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }
    }

    /// Fails the commit of that number, counted from zero.
    pub fn fail_commit(mut self, number: usize, fault: Fault) -> Self {
        self.commit_fault = Some((number, fault));
        self
    }

    /// Fails the read of that number, counted from zero; a scan is one read.
    pub fn fail_read(mut self, number: usize, fault: Fault) -> Self {
        self.read_fault = Some((number, fault));
        self
    }

    /// What calls do after a failed commit. They work at first.
    pub fn afterwards(mut self, afterwards: Afterwards) -> Self {
        self.afterwards = afterwards;
        self
    }

    /// From now on there is no room for anything new, or there is again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// How many commits were tried, failed ones included: after an error there must be no further one.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// How many reads were tried.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn read(&self) -> Result<(), StorageError> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        self.still_fails()?;
        match self.read_fault {
            Some((chosen, fault)) if chosen == number => Err(fault.error("reading")),
            _ => Ok(()),
        }
    }

    fn still_fails(&self) -> Result<(), StorageError> {
        match (self.afterwards, self.commit_fault) {
            (Afterwards::Fails, Some((_, fault))) if self.failed.load(Ordering::SeqCst) => {
                Err(fault.error("using a device that has failed"))
            }
            _ => Ok(()),
        }
    }
}

impl Fault {
    fn error(self, action: &str) -> StorageError {
        match self {
            Fault::Io => StorageError::io(action, io::Error::other("injected I/O error")),
            Fault::DiskFull => StorageError::io(action, io::ErrorKind::StorageFull.into()),
            Fault::Damage => StorageError::corrupt("injected damage", action),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for FailingStorage {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst);
        self.still_fails()?;
        match self.commit_fault {
            Some((chosen, fault)) if chosen == number => {
                self.failed.store(true, Ordering::SeqCst);
                Err(fault.error("committing"))
            }
            _ => self.inner.commit(batch, durability),
        }
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.read()?;
        self.inner.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.read()?;
        self.inner.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.read()?;
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.read()?;
        self.inner.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StorageError::Full { bytes, place: "a device that was told to be full".into() });
        }
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        self.inner.profile()
    }
}
