//! Room that is kept for a full device: a file of zeros, given up when a write finds no space.
//!
//! Deleting takes space before it gives some back: the deletion is a frame, and a segment goes when its last row does. With
//! the reserve that frame finds room. From then on the store is full ([`Storage::room`](broker_core::storage::Storage::room)):
//! nothing new is taken in until the reserve can be made again.

use std::{
    io::{Error, ErrorKind, IoSlice, Result},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    files::{File, Files},
    names,
};

/// So much is written at once, so that a device that is still full says so early.
const STRIDE_BYTES: u64 = 256 << 10;
/// A store much smaller than its reserve has none yet.
const SMALL_SHARE: u64 = 8;

/// Whether the reserve is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The store is small, or there is to be none.
    NotYet,
    Whole,
    /// It was given up: the device is full.
    GivenUp,
}

/// See the module.
pub(crate) struct Reserve {
    files: Arc<dyn Files>,
    bytes: u64,
    /// Held while the reserve is made.
    kept: Mutex<Kept>,
    /// Whether it was given up: what everybody who sends asks, without waiting for the lock.
    is_full: AtomicBool,
}

impl Reserve {
    /// The reserve of a store in these files, of so many bytes, as the last owner left it.
    pub(crate) fn of(files: Arc<dyn Files>, bytes: u64) -> Arc<Self> {
        // Of another size, it was being made when the process ended, or other options were given.
        let size = files.open(names::RESERVE).and_then(|file| file.size());
        let whole = bytes > 0 && size.as_ref().is_ok_and(|size| *size == bytes);
        if !whole && size.is_ok() {
            drop(files.remove(names::RESERVE));
        }
        let kept = Mutex::new(if whole { Kept::Whole } else { Kept::NotYet });
        Arc::new(Self { files, bytes, kept, is_full: AtomicBool::new(false) })
    }

    /// Makes the reserve once the store has grown to so many bytes. Without space for it the device counts as full.
    pub(crate) fn grow_with(&self, store_bytes: u64) {
        let mut kept = self.kept.lock();
        if *kept == Kept::NotYet && self.bytes > 0 && store_bytes >= self.bytes / SMALL_SHARE {
            let made = self.make().is_ok();
            self.set(&mut kept, if made { Kept::Whole } else { Kept::GivenUp });
        }
    }

    /// Whether something new can be taken in: the reserve is there, or can be made again now.
    pub(crate) fn has_room(&self) -> bool {
        if !self.is_full.load(Ordering::Acquire) {
            return true;
        }
        let mut kept = self.kept.lock();
        if *kept == Kept::GivenUp && self.make().is_ok() {
            self.set(&mut kept, Kept::Whole);
        }
        *kept != Kept::GivenUp
    }

    fn set(&self, kept: &mut Kept, to: Kept) {
        *kept = to;
        self.is_full.store(to == Kept::GivenUp, Ordering::Release);
    }

    fn make(&self) -> Result<()> {
        let write = || {
            let file = self.files.create(names::RESERVE)?;
            let zeros = vec![0; usize::try_from(STRIDE_BYTES.min(self.bytes)).unwrap_or(usize::MAX)];
            let mut at = 0;
            while at < self.bytes {
                let stride = usize::try_from(self.bytes - at).unwrap_or(usize::MAX).min(zeros.len());
                file.write_at(&[IoSlice::new(&zeros[..stride])], at)?;
                at += stride as u64;
            }
            file.sync_all()
        };
        let made = write();
        if made.is_err() {
            drop(self.files.remove(names::RESERVE));
        }
        made
    }

    /// A call that is tried once more, after giving the reserve up, if the device is full.
    fn with_space<T>(&self, call: impl Fn() -> Result<T>) -> Result<T> {
        match call() {
            Err(error) if is_full(&error) => {
                // Held over the second try, or whoever makes the reserve again could take the space first.
                let mut kept = self.kept.lock();
                if *kept == Kept::Whole {
                    self.files.remove(names::RESERVE)?;
                }
                self.set(&mut kept, Kept::GivenUp);
                call()
            }
            done => done,
        }
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The files of a store, whose writes may use the reserve.
pub(crate) struct Reserved(pub(crate) Arc<Reserve>);

impl Reserved {
    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(ReservedFile { file, reserve: self.0.clone() })
    }
}

impl Files for Reserved {
    fn list(&self) -> Result<Vec<String>> {
        self.0.files.list()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(self.0.files.open(name)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(self.0.with_space(|| self.0.files.create(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.0.with_space(|| self.0.files.rename(from, to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.0.files.remove(name)
    }

    fn sync_dir(&self) -> Result<()> {
        self.0.files.sync_dir()
    }

    fn salt(&self) -> Result<u64> {
        self.0.files.salt()
    }

    fn place(&self, name: &str) -> String {
        self.0.files.place(name)
    }
}

struct ReservedFile {
    file: Arc<dyn File>,
    reserve: Arc<Reserve>,
}

impl File for ReservedFile {
    fn size(&self) -> Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<()> {
        // A write that was cut short is done again as a whole, at the same place.
        self.reserve.with_space(|| self.file.write_at(slices, offset))
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        self.file.set_len(bytes)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }
}
