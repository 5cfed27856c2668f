//! Durable storage for the broker on [sled] 0.34.7, made as safe as that release can be made.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> broker_core::Result<()> {
//! # let home = tempfile::tempdir().unwrap();
//! # let directory = home.path().join("orders");
//! use broker_core::QueueExt as _;
//!
//! let broker = broker_sled::open(&directory).await?;
//! broker.queue("orders").await?.send("two pairs of socks").await?;
//! broker.close().await?; // a crash here would lose nothing either
//!
//! let broker = broker_sled::open(&directory).await?;
//! let order = broker.open_queue("orders").await?.recv().await?;
//! assert_eq!(order.text(), Ok("two pairs of socks"));
//! order.ack().await?;
//! # Ok(()) }
//! ```
//!
//! sled is an unmaintained beta. It is here because it is pure Rust and was measured: with the precautions below, real
//! power cuts (310 of them, values up to 60 kB, sled's default segment size) lost nothing that had been acknowledged.
//! This crate's segments are larger, so that no page goes to `blobs/`, and that setting was not part of the measurement.
//! A log engine is planned and will be the recommended one. What to know:
//!
//! - **sled's `flush` does not sync**: it calls `sync_file_range`, which a power cut does not respect. A `Synced` commit
//!   therefore also calls `fdatasync` on sled's file through a handle of our own, and opening syncs files and
//!   directories once.
//! - **Pages above a quarter of a segment go to files that sled never syncs** (`blobs/`). Values are cut into chunks and
//!   segments are large, so that no page gets there (see `keys.rs` for the sum).
//! - **sled takes what it flushed for durable**: with more than a segment of earlier commits unsynced, a power cut can
//!   leave a store that does not open or has half of a batch (4 of 84 simulated images in one run, none in others).
//!   Bursts of commits that are not `Synced` are therefore synced now and then: since then none of 1,566 images. One
//!   large batch is no burst: with batches of 24 MiB, none of 399 images was bad. Larger ones were not tried.
//! - **The file system must keep the order of names**, as journals do: sled does not sync the name of the snapshot that
//!   it writes when it opens, and then clears segments. Where names may be lost in any order, simulated cuts during
//!   recovery lost commits or the store. See `tests/power_cut`.
//! - **One tree**: sled's batches are atomic per tree. Both spaces share it, told apart by a tag byte.
//! - **No background flush**: sled can deadlock when anything but the writer flushes. All work is done by the thread
//!   that commits, one at a time.
//! - **Panics become errors**: sled panics on damaged files and elsewhere. Opening and calls catch that, which needs
//!   `panic = "unwind"`; the panic message still goes to the panic hook. After one, the store refuses everything.
//! - **Damage looks like the end of the log** to sled: it never gives back a wrong value, but after a flipped bit it takes
//!   what follows for never written. Commits are therefore counted on the side, and a log that has lost a synced one is
//!   an error (see `record.rs`). After a power cut the count itself may be some commits old.
//! - **Space comes back late**: sled rewrites segments as it goes. The file does not shrink while little is written.
//! - sled starts a few threads of its own, shared by all stores of a process.
//!
//! A directory is for one store at a time, in this process and in all others; nothing is created outside it.

mod chunks;
mod directory;
mod errors;
mod keys;
mod open;
mod record;
mod writes;

use std::{
    fs::File,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use broker_core::{
    Broker, Error,
    storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError},
};
use bytes::Bytes;
use errors::{engine_error, panic_text};
use parking_lot::{Mutex, RwLock};
use record::Record;

/// Opens a broker on the store in the directory `path`, which is created if there is none, with the defaults of
/// [`SledOptions`] and [`Broker::builder`].
///
/// Opening reads files, so it is done on a thread that may block. Must be called inside a tokio runtime with its timer
/// enabled. Cancel safe in this sense: a dropped call leaves a whole store or none, and may keep the directory locked for
/// a moment longer.
///
/// The defaults are those of SQS, and so messages expire after **four days**: give a queue that should keep its messages
/// for longer a [`retention`](broker_core::QueueBuilder::retention) of up to 14 days, or open the broker with other
/// [`Limits`](broker_core::Limits).
pub async fn open(path: impl AsRef<Path>) -> broker_core::Result<Broker> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
    let path = path.as_ref().to_owned();
    let opening = runtime.spawn_blocking(move || SledStorage::open(path));
    let opened = opening.await.map_err(|error| StorageError::Engine(format!("opening: {error}")))?;
    Broker::open(opened?).await
}

/// The largest row. Far above any message; what it bounds is the memory that one read can take.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// The most that is committed without a sync.
///
/// sled believes that what it flushed is durable. When it has gone on to the segment after the next, it no longer looks
/// for a hole in the log before that, and writes over segments whose content it has moved. After a power cut that
/// lost such unsynced pages, it fails to open or has half of a batch. So less than a segment may be unsynced when a batch
/// begins; sled writes a committed byte some four times, as it rewrites pages and cleans segments. (Within a batch it
/// seems to do neither, as both wait for the end of the epoch that the batch pins: read in its source, not tested.)
const UNSYNCED_BYTES_MAX: usize = keys::SEGMENT_BYTES / 16;

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// How many bytes of pages sled keeps in memory. A queue needs its head and tail; 64 MiB unless told.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20 }
    }
}

/// A store in a directory, on sled.
pub struct SledStorage {
    /// `None` only while dropping.
    db: Option<sled::Db>,
    /// Our own handle of the file that `db` writes to, for the sync that sled leaves out.
    file: File,
    file_path: PathBuf,
    /// Held over a whole commit: only the committing thread may flush, or sled can deadlock.
    committed: Mutex<Committed>,
    /// Written while a batch applies, read while a scan runs: sled's own iterators see batches in parts.
    view: RwLock<()>,
    /// Set by the first failure that leaves the state unknown. Only reopening clears it.
    failed: AtomicBool,
    /// Declared last, so released last: when the next owner gets the lock, sled has closed its files.
    lock: File,
}

/// What the committing thread keeps count of.
struct Committed {
    /// The number of the newest commit.
    number: u64,
    record: Record,
    /// How much has been committed since the last sync.
    unsynced_bytes: usize,
}

impl SledStorage {
    /// Opens the store in the directory `path`, or creates it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_with(path, &SledOptions::default())
    }

    /// Opens the store in the directory `path`, or creates it.
    ///
    /// A directory that holds other files is not taken over.
    pub fn open_with(path: impl AsRef<Path>, options: &SledOptions) -> Result<Self, StorageError> {
        open::open(path.as_ref(), options)
    }

    /// Runs a call into sled and turns what it panics with into an error.
    fn call<T>(&self, call: impl FnOnce(&sled::Tree) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let db = match &self.db {
            Some(db) if !self.failed.load(Ordering::Acquire) => db,
            _ => return Err(StorageError::Engine("an earlier failure left the state unknown".into())),
        };
        // Unwind safe: whatever state sled was left in, nobody gets to see it after `failed` is set.
        catch_unwind(AssertUnwindSafe(|| call(db))).unwrap_or_else(|panic| {
            self.failed.store(true, Ordering::Release);
            Err(StorageError::Engine(panic_text(panic.as_ref())))
        })
    }

    fn commit_now(
        &self,
        tree: &sled::Tree,
        committed: &mut Committed,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), StorageError> {
        let failed = |action: &str, error| engine_error(action, error, &self.file_path);
        let (mut writes, bytes) =
            writes::of(batch, tree).map_err(|error| failed("reading what a batch deletes", error))?;
        if !batch.is_empty() {
            if committed.unsynced_bytes > 0 && committed.unsynced_bytes + bytes > UNSYNCED_BYTES_MAX {
                tree.flush().map_err(|error| failed("flushing", error))?;
                self.sync(committed)?;
            }
            committed.unsynced_bytes += bytes;
            committed.number += 1;
            writes.insert(&record::KEY, &committed.number.to_be_bytes());
            let _nobody_reads = self.view.write();
            tree.apply_batch(writes).map_err(|error| failed("applying a batch", error))?;
        }
        if durability >= Durability::Buffered {
            tree.flush().map_err(|error| failed("flushing", error))?;
        }
        if durability >= Durability::Synced {
            self.sync(committed)?;
        }
        Ok(())
    }

    /// Makes what sled has written durable, after a flush.
    fn sync(&self, committed: &mut Committed) -> Result<(), StorageError> {
        self.file.sync_data().map_err(|error| directory::io("syncing", &self.file_path, error))?;
        committed.unsynced_bytes = 0;
        committed.record.write(committed.number)
    }

    fn scan<K>(
        &self,
        keys: &Range<Vec<u8>>,
        page: Page,
        decode: impl Fn(&[u8]) -> Option<K>,
    ) -> Result<Vec<(K, Bytes)>, StorageError> {
        self.call(|tree| {
            let _no_batch_applies = self.view.read();
            chunks::read(tree, keys, page, decode, &self.file_path)
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for SledStorage {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        for op in batch.ops() {
            if let Op::PutRow { value, .. } = op
                && value.len() > VALUE_BYTES_MAX
            {
                return Err(StorageError::ValueTooLarge { bytes: value.len(), max: VALUE_BYTES_MAX });
            }
        }
        let mut committed = self.committed.lock();
        let result = self.call(|tree| self.commit_now(tree, &mut committed, batch, durability));
        // A sync must not be tried again: the system may have dropped the pages that it could not write.
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        let found = self.scan(&keys::row(partition, seq), ONE, keys::seq)?;
        Ok(found.into_iter().next().map(|(_, value)| value))
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.scan(&keys::rows(partition, range), page, keys::seq)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        let found = self.scan(&keys::meta(key), ONE, |_| Some(()))?;
        Ok(found.into_iter().next().map(|((), value)| value))
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.scan(&keys::meta_range(from, to), page, keys::meta_key)
    }

    /// Always: sled keeps no reserve, and a full disk is an error of the commit that meets it.
    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile {
            survives_kill: true,
            survives_power_loss: true,
            can_block: true,
            value_bytes_max: VALUE_BYTES_MAX,
        }
    }
}

impl Drop for SledStorage {
    fn drop(&mut self) {
        let db = self.db.take();
        // sled flushes as it closes and may panic at that. A destructor that panics can abort the process, and there
        // is nothing left to tell anyone: what was promised is on the disk.
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
        // Closing is not enough: a child that another thread has just forked holds the file until it executes its program.
        drop(self.lock.unlock());
    }
}

/// A page of one entry, for point reads.
const ONE: Page = Page { entries: 1, bytes: usize::MAX };
