//! The real directory: who may read it, whose it is, and when its names are durable.
//!
//! | name | what |
//! |---|---|
//! | `lock` | empty; locked while a store is open |
//! | `reserve` | zeros, given up when the device is full |
//! | `spare` | the file of a dead segment, for the next one to be written over |
//! | sixteen hex digits and `.log` | the segment of that number |
//! | sixteen hex digits and `.new` | a segment that is being created, or a leftover of a crash in that |

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{Error, ErrorKind, IoSlice, Result},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(unix)]
use std::io::{Seek as _, SeekFrom, Write as _};

use broker_core::storage::StorageError;

use super::{File, Files};
use crate::names;

/// A directory of the file system, locked for as long as this lives.
pub struct Directory {
    path: PathBuf,
    lock: fs::File,
}

impl Directory {
    /// Makes sure that `path` is a directory that is or may become a store, and locks it.
    ///
    /// A directory that holds other files and no segment is not taken over.
    pub fn lock(path: &Path) -> std::result::Result<Self, StorageError> {
        if !path.is_dir() {
            create_private(path).map_err(|error| failed("creating", path, error))?;
        }
        refuse_foreign(path)?;
        set_private(path, 0o700).map_err(|error| failed("restricting", path, error))?;
        let file = path.join(names::LOCK);
        let opened =
            private(OpenOptions::new().create(true).truncate(false).read(true).write(true)).open(&file);
        let lock = opened.map_err(|error| failed("opening", &file, error))?;
        match lock.try_lock() {
            Ok(()) => {
                // Each time: a process that was killed may have created the directory and done no more.
                if let Some(parent) = parent(path) {
                    sync_directory(parent).map_err(|error| failed("syncing", parent, error))?;
                }
                Ok(Self { path: path.to_owned(), lock })
            }
            Err(fs::TryLockError::WouldBlock) => Err(StorageError::InUse { path: path.to_owned() }),
            Err(fs::TryLockError::Error(error)) => Err(failed("locking", &file, error)),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked holds the file until it executes its program.
        drop(self.lock.unlock());
    }
}

impl Files for Directory {
    fn list(&self) -> Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        // A name that is no text is none of ours.
        names.filter_map(Result::transpose).collect()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        let path = self.path.join(name);
        if fs::symlink_metadata(&path)?.is_symlink() {
            return Err(Error::new(ErrorKind::InvalidInput, "a symbolic link does not belong here"));
        }
        Ok(Arc::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        let file = private(options.create_new(true).read(true).write(true)).open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> Result<()> {
        sync_directory(&self.path)
    }

    fn salt(&self) -> Result<u64> {
        getrandom::u64().map_err(|error| Error::other(error.to_string()))
    }

    fn place(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn size(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<()> {
        while !buffer.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            (buffer, offset) = (&mut buffer[read..], offset + read as u64);
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<()> {
        // The file's own position is the writer's: readers name their places.
        let mut file = &self.0;
        file.seek(SeekFrom::Start(offset))?;
        let mut slices = slices.to_vec();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0); // those that are empty
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, slices: &[IoSlice<'_>], mut offset: u64) -> Result<()> {
        for mut bytes in slices.iter().map(|slice| &slice[..]) {
            while !bytes.is_empty() {
                let written = std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)?;
                (bytes, offset) = (&bytes[written..], offset + written as u64);
            }
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.0.sync_all()
    }
}

/// A wrong path must not turn a home directory into a private one with a store in it; a link could lead out of it.
fn refuse_foreign(path: &Path) -> std::result::Result<(), StorageError> {
    let (mut foreign, mut ours) = (None, false);
    for entry in fs::read_dir(path).map_err(|error| failed("listing", path, error))? {
        let entry = entry.map_err(|error| failed("listing", path, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if names::is_store_file(&name) {
            ours |= names::segment(&name).is_some();
            if fs::symlink_metadata(entry.path()).is_ok_and(|found| !found.is_file()) {
                let detail = "a symbolic link or directory does not belong here";
                return Err(StorageError::corrupt(entry.path().display().to_string(), detail));
            }
        } else {
            foreign = Some(entry.path());
        }
    }
    match foreign {
        Some(foreign) if !ours => {
            let error = Error::new(ErrorKind::DirectoryNotEmpty, "the directory holds other files");
            Err(failed("creating a store next to", &foreign, error))
        }
        _ => Ok(()),
    }
}

fn failed(action: &str, path: &Path, error: Error) -> StorageError {
    StorageError::io(format!("{action} {}", path.display()), error)
}

/// The directory that holds the name of `path`.
fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn create_private(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Files that are created so are for their owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn set_private(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Rights are inherited from the parent directory here.
#[cfg(not(unix))]
fn set_private(_: &Path, _: u32) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Directories cannot be opened for that here; the file system journals names.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> Result<()> {
    Ok(())
}
