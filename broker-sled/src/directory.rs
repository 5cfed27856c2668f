//! The directory of a store: what lies where, who may read it, and when its names are durable.
//!
//! | path | what |
//! |---|---|
//! | `lock` | empty; locked while a store is open |
//! | `store/format` | the name and version of the format |
//! | `store/synced` | how many commits are on the disk at least; see `record.rs` |
//! | `store/sled/` | sled's files: `db`, `conf`, `snap.*`, and `blobs/`, which stays empty |
//! | `store.new/` | a store that is being created, or a leftover of a crash in that |

use std::{
    fs::{self, DirBuilder, File},
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
};

use broker_core::storage::StorageError;

/// Levels below the directory that are walked: `store`, `sled`, `blobs` and the files in it.
const DEPTH_MAX: usize = 4;

pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes sure that `path` is a directory that is or may become a store.
    pub(crate) fn prepare(path: &Path) -> Result<Self, StorageError> {
        let home = Self { path: path.to_owned() };
        if !path.is_dir() {
            create_private(path, true)?;
            if let Some(parent) = parent(path) {
                sync_directory(parent)?;
            }
        }
        home.refuse_foreign_files()?;
        refuse_symlink(&home.path.join("lock"))?;
        refuse_symlink(&home.store())?;
        refuse_symlink(&home.half_created())?;
        set_private(&home.path, 0o700)?;
        Ok(home)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(crate) fn sled(&self) -> PathBuf {
        self.path.join("store/sled")
    }

    pub(crate) fn half_created(&self) -> PathBuf {
        self.path.join("store.new")
    }

    pub(crate) fn lock(&self) -> Result<File, StorageError> {
        crate::open::lock(&self.path.join("lock"), &self.path)
    }

    pub(crate) fn is_created(&self) -> bool {
        self.store().exists()
    }

    pub(crate) fn remove_half_created(&self) -> Result<(), StorageError> {
        match fs::remove_dir_all(self.half_created()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(io("removing", &self.half_created(), error))
            }
            _ => Ok(()),
        }
    }

    /// Removes sled's snapshots of its log. Says whether there were any.
    pub(crate) fn remove_snapshots(&self) -> Result<bool, StorageError> {
        let is_snapshot = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"snap."))
        };
        let snapshots: Vec<_> = children(&self.sled())?.into_iter().filter(is_snapshot).collect();
        for path in &snapshots {
            fs::remove_file(path).map_err(|error| io("removing", path, error))?;
        }
        Ok(!snapshots.is_empty())
    }

    pub(crate) fn begin_creation(&self) -> Result<(), StorageError> {
        create_private(&self.half_created(), false)?;
        create_private(&self.half_created().join("sled"), false)
    }

    /// Gives the half-created store its name, once all of it is on the disk.
    pub(crate) fn finish_creation(&self) -> Result<(), StorageError> {
        let (from, to) = (self.half_created(), self.store());
        walk(&from, DEPTH_MAX, &mut sync_any)?;
        fs::rename(&from, &to).map_err(|error| io("renaming", &from, error))?;
        sync_directory(&self.path)
    }

    /// A link inside the directory could lead writes out of it.
    pub(crate) fn refuse_symlinks(&self) -> Result<(), StorageError> {
        walk(&self.store(), DEPTH_MAX, &mut refuse_symlink)
    }

    /// Takes all rights from everybody but the owner.
    pub(crate) fn make_private(&self) -> Result<(), StorageError> {
        set_private(&self.path.join("lock"), 0o600)?;
        walk(&self.store(), DEPTH_MAX, &mut |path| {
            set_private(path, if path.is_dir() { 0o700 } else { 0o600 })
        })
    }

    /// Makes every file and every name durable, up to the name of the directory itself.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        walk(&self.store(), DEPTH_MAX, &mut sync_any)?;
        sync_directory(&self.path)?;
        parent(&self.path).map_or(Ok(()), sync_directory)
    }

    /// A directory that is not a store becomes one only if there is nothing else in it: a wrong path must not turn a
    /// home directory into a private one with a database.
    fn refuse_foreign_files(&self) -> Result<(), StorageError> {
        if self.is_created() {
            return Ok(());
        }
        // `store` may appear while this looks: another process may be creating it.
        let ours = ["lock", "store.new", "store"];
        match children(&self.path)?.into_iter().find(|path| !ours.iter().any(|name| path.ends_with(name))) {
            Some(foreign) => {
                let error = Error::new(ErrorKind::DirectoryNotEmpty, "the directory holds other files");
                Err(io("creating a store next to", &foreign, error))
            }
            None => Ok(()),
        }
    }
}

/// An I/O error that names the file.
pub(crate) fn io(action: &str, path: &Path, error: Error) -> StorageError {
    StorageError::io(format!("{action} {}", path.display()), error)
}

/// The directory that holds the name of `path`.
fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn children(path: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let entries = fs::read_dir(path).map_err(|error| io("listing", path, error))?;
    entries.map(|entry| entry.map(|e| e.path()).map_err(|error| io("listing", path, error))).collect()
}

/// Visits what is below `path`, then `path`. Links are visited and not followed.
fn walk(
    path: &Path,
    depth: usize,
    visit: &mut impl FnMut(&Path) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let is_directory = fs::symlink_metadata(path).map_err(|error| io("looking at", path, error))?.is_dir();
    if is_directory && depth > 0 {
        for child in children(path)? {
            walk(&child, depth - 1, visit)?;
        }
    }
    visit(path)
}

fn refuse_symlink(path: &Path) -> Result<(), StorageError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Err(StorageError::corrupt(path.display().to_string(), "a symbolic link does not belong here"))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("looking at", path, error)),
        _ => Ok(()),
    }
}

fn sync_any(path: &Path) -> Result<(), StorageError> {
    if path.is_dir() {
        return sync_directory(path);
    }
    let synced = File::options().write(true).open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| io("syncing", path, error))
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> Result<(), StorageError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| io("syncing", path, error))
}

/// Directories cannot be opened for that here; the file system journals names.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> Result<(), StorageError> {
    Ok(())
}

fn create_private(path: &Path, with_parents: bool) -> Result<(), StorageError> {
    let mut builder = DirBuilder::new();
    builder.recursive(with_parents);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| io("creating", path, error))
}

#[cfg(unix)]
fn set_private(path: &Path, mode: u32) -> Result<(), StorageError> {
    use std::os::unix::fs::PermissionsExt;

    let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set.map_err(|error| io("restricting", path, error))
}

/// Rights are inherited from the parent directory here.
#[cfg(not(unix))]
fn set_private(_: &Path, _: u32) -> Result<(), StorageError> {
    Ok(())
}
