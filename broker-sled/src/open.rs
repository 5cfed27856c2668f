//! Opening a store: the lock, the first creation, and sled itself with its panics caught.

use std::{
    fs::{self, File, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::AtomicBool,
    thread,
    time::Duration,
};

use broker_core::storage::StorageError;
use parking_lot::{Mutex, RwLock};

use crate::{
    Committed, SledOptions, SledStorage,
    directory::{Directory, io},
    engine_error, keys, panic_text,
    record::{self, Record},
};

/// The first line of the marker file, and the version that this build writes and reads.
const FORMAT_NAME: &str = "broker-sled";
const FORMAT_VERSION: u32 = 1;

/// How often opening is tried while sled's threads still close what this process had open a moment ago.
const CLOSING_TRIES: u32 = 400;
const CLOSING_PAUSE: Duration = Duration::from_millis(5);

pub(crate) fn open(path: &Path, options: &SledOptions) -> Result<SledStorage, StorageError> {
    let home = Directory::prepare(path)?;
    // From here on nobody else creates, renames or opens anything below `path`.
    let lock = home.lock()?;
    home.remove_half_created()?;
    if !home.is_created() {
        create(&home, options)?;
    }
    check_format(&home)?;
    home.refuse_symlinks()?;
    let db = open_without_bad_snapshots(&home, options)?;
    // sled has created what it was missing; from now on only the content of its file changes.
    home.make_private()?;
    home.sync()?;
    let file_path = home.sled().join("db");
    let file = OpenOptions::new().read(true).write(true).open(&file_path);
    let file = file.map_err(|error| io("opening", &file_path, error))?;
    let mut record = Record::open(home.store().join("synced"))?;
    let stored = db.get(record::KEY).map_err(|error| engine_error("opening", error, &file_path))?;
    let number = record.check(stored.as_deref(), &file_path)?;
    Ok(SledStorage {
        db: Some(db),
        file,
        file_path,
        committed: Mutex::new(Committed { number, record, unsynced_bytes: 0 }),
        view: RwLock::new(()),
        failed: AtomicBool::new(false),
        lock,
    })
}

/// Makes an empty store under a temporary name and renames it when it is whole and synced: after a crash in between,
/// there is no store yet.
fn create(home: &Directory, options: &SledOptions) -> Result<(), StorageError> {
    home.begin_creation()?;
    let marker = home.half_created().join("format");
    let text = format!("{FORMAT_NAME} {FORMAT_VERSION}\n");
    fs::write(&marker, text).map_err(|error| io("writing", &marker, error))?;
    Record::create(&home.half_created().join("synced"))?;
    let db = open_sled(home, &home.half_created().join("sled"), options)?;
    let flushed = db.flush().map_err(|error| engine_error("creating", error, &marker));
    drop(db);
    flushed?;
    home.finish_creation()
}

fn check_format(home: &Directory) -> Result<(), StorageError> {
    let marker = home.store().join("format");
    let place = || marker.display().to_string();
    let text = fs::read_to_string(&marker).map_err(|error| {
        StorageError::corrupt(place(), format!("the format marker cannot be read: {error}"))
    })?;
    let version = text.strip_prefix(FORMAT_NAME).and_then(|rest| rest.trim().parse().ok());
    match version {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) if found > FORMAT_VERSION => {
            Err(StorageError::NewerFormat { place: place(), found, supported: FORMAT_VERSION })
        }
        _ => Err(StorageError::corrupt(place(), "it is not a format marker of this engine")),
    }
}

/// sled sums up its log in `snap.*` when it opens, and neither syncs that file nor opens with a torn one: a power cut
/// while opening would end the store. The log has everything, so a snapshot that does not help is thrown away.
fn open_without_bad_snapshots(home: &Directory, options: &SledOptions) -> Result<sled::Db, StorageError> {
    match open_sled(home, &home.sled(), options) {
        Err(StorageError::Corrupt { .. }) if home.remove_snapshots()? => {
            open_sled(home, &home.sled(), options)
        }
        result => result,
    }
}

fn open_sled(home: &Directory, path: &Path, options: &SledOptions) -> Result<sled::Db, StorageError> {
    let file = path.join("db");
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(options.cache_bytes)
        .segment_size(keys::SEGMENT_BYTES)
        .flush_every_ms(None);
    for _ in 0..CLOSING_TRIES {
        // Unwind safe: nothing of a half-opened sled is used again.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(sled::Error::Io(error))) if is_locked(&error) => {
                #[allow(
                    clippy::disallowed_methods,
                    reason = "sled has no way to wait until it has closed a file"
                )]
                thread::sleep(CLOSING_PAUSE);
            }
            Ok(Err(error)) => return Err(engine_error("opening", error, &file)),
            Err(panic) => {
                return Err(StorageError::corrupt(file.display().to_string(), panic_text(panic.as_ref())));
            }
        }
    }
    Err(StorageError::InUse { path: home.path().to_owned() })
}

/// sled wraps the refusal of its lock in an error of no particular kind.
fn is_locked(error: &std::io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

/// Locks the directory until the returned file is closed, be it by the end of the process.
pub(crate) fn lock(file: &Path, directory: &Path) -> Result<File, StorageError> {
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(file);
    let opened = opened.map_err(|error| io("opening", file, error))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(fs::TryLockError::WouldBlock) => Err(StorageError::InUse { path: directory.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(io("locking", file, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{SledOptions, open};

    /// A child between its fork and its program has all files of the process, the lock's too.
    #[test]
    fn a_child_that_is_being_forked_does_not_keep_a_closed_store() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(home.path(), &SledOptions::default()).expect("a new store");
        let of_the_child = store.lock.try_clone().expect("another handle of the same opening");
        drop(store);
        open(home.path(), &SledOptions::default()).expect("nobody has it open");
        drop(of_the_child);
    }
}
