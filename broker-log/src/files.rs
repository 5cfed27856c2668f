//! The few calls that a store makes to its device, as traits: real files, or a simulation that loses and tears writes.
//!
//! A store names files by number, in one directory; what it names is never taken from outside. All that it relies on is
//! written here, and a simulation may do everything that is not excluded:
//!
//! - What [`File::write_at`] wrote is durable after [`File::sync`] or [`File::sync_all`] on the same file returned, and a
//!   length after the latter. Before that, any part of it may or may not be, in any order.
//! - A name that was created, given or removed is durable after [`Files::sync_dir`]. Before that it may be or not be; a
//!   renamed file has one of its two names.
//! - A file that is removed can be read by those who have it open.

mod directory;

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use broker_core::storage::StorageError;
use bytes::Bytes;
pub use directory::Directory;

use crate::seeded::seeded;

/// One open file.
pub trait File: Send + Sync + 'static {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` with what is at `offset`; an error of the kind `UnexpectedEof` if the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `slices`, one behind the other, at `offset`. The file grows if it has to. One thread writes at a time.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Cuts the file or lets it grow, by zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes what was written durable, and a length that grew by writing.
    fn sync(&self) -> io::Result<()>;

    /// Makes what was written and the length durable, whichever way it changed.
    fn sync_all(&self) -> io::Result<()>;
}

/// One directory, owned by one store.
pub trait Files: Send + Sync + 'static {
    /// The names in it, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Creates a file that is not there, for its owner alone.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name, which nothing has.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// A number that nobody can guess, for a new segment.
    fn salt(&self) -> io::Result<u64>;

    /// How a file is called in errors.
    fn place(&self, name: &str) -> String;
}

/// An open file that names itself in errors.
#[derive(Clone)]
pub(crate) struct Handle {
    file: Arc<dyn File>,
    place: Arc<str>,
}

impl Handle {
    pub(crate) fn open(files: &dyn Files, name: &str) -> Result<Self, StorageError> {
        let place: Arc<str> = files.place(name).into();
        let file = files.open(name).map_err(|error| StorageError::io(format!("opening {place}"), error))?;
        Ok(Self { file, place })
    }

    /// A file that is there, and will be called `later`.
    pub(crate) fn reopen(files: &dyn Files, name: &str, later: &str) -> Result<Self, StorageError> {
        Ok(Self { place: files.place(later).into(), ..Self::open(files, name)? })
    }

    /// Whether nobody else has this open: no reader will miss what is written over.
    pub(crate) fn is_exclusive(&self) -> bool {
        Arc::strong_count(&self.file) == 1
    }

    /// A new file, which will be called `later`.
    pub(crate) fn create(files: &dyn Files, name: &str, later: &str) -> Result<Self, StorageError> {
        let place: Arc<str> = files.place(later).into();
        let file =
            files.create(name).map_err(|error| StorageError::io(format!("creating {place}"), error))?;
        Ok(Self { file, place })
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn size(&self) -> Result<u64, StorageError> {
        self.file.size().map_err(|error| self.failed("looking at", error))
    }

    pub(crate) fn read_into(&self, buffer: &mut [u8], offset: u64) -> Result<(), StorageError> {
        self.file.read_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                self.corrupt(offset, &format!("the file ends within {} bytes from there", buffer.len()))
            }
            _ => self.failed("reading", error),
        })
    }

    /// `bytes` must have been checked against something trusted: it is allocated.
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, StorageError> {
        let mut buffer = vec![0; bytes];
        self.read_into(&mut buffer, offset)?;
        Ok(buffer)
    }

    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), StorageError> {
        self.write_slices(&[IoSlice::new(bytes)], offset)
    }

    pub(crate) fn write_slices(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<(), StorageError> {
        self.file.write_at(slices, offset).map_err(|error| self.failed("writing", error))
    }

    pub(crate) fn set_len(&self, bytes: u64) -> Result<(), StorageError> {
        self.file.set_len(bytes).map_err(|error| self.failed("setting the length of", error))
    }

    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.file.sync().map_err(|error| self.failed("syncing", error))
    }

    pub(crate) fn sync_all(&self) -> Result<(), StorageError> {
        self.file.sync_all().map_err(|error| self.failed("syncing", error))
    }

    pub(crate) fn corrupt(&self, offset: u64, detail: &str) -> StorageError {
        StorageError::corrupt(format!("{} at {offset}", self.place), detail)
    }

    /// A value whose checksum is known.
    pub(crate) fn checked(&self, value: Bytes, crc: u32, offset: u64) -> Result<Bytes, StorageError> {
        if crc32fast::hash(&value) == crc || seeded("log-row-not-checked") {
            Ok(value)
        } else {
            Err(self.corrupt(offset, "a row does not match its checksum"))
        }
    }

    fn failed(&self, action: &str, error: io::Error) -> StorageError {
        StorageError::io(format!("{action} {}", self.place), error)
    }
}
