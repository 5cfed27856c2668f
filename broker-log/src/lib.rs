//! Durable storage for the broker in append-only segment files of its own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> broker_core::Result<()> {
//! # let home = tempfile::tempdir().unwrap();
//! # let directory = home.path().join("orders");
//! use broker_core::QueueExt as _;
//!
//! let broker = broker_log::open(&directory).await?;
//! broker.queue("orders").await?.send("two pairs of socks").await?;
//! broker.close().await?; // a crash here would lose nothing either
//!
//! let broker = broker_log::open(&directory).await?;
//! let order = broker.open_queue("orders").await?.recv().await?;
//! assert_eq!(order.text(), Ok("two pairs of socks"));
//! order.ack().await?;
//! # Ok(()) }
//! ```
//!
//! A message is written once, read once or a few times in order, and deleted near the head; a log does no more than that.
//!
//! - **A commit is one write**, of one frame with checksums, and one sync if it is asked for. A frame is there or not.
//! - **Segments** are files of 64 MiB. Each begins with a checkpoint; only frames behind the newest one are read when a
//!   store opens, and none if it was closed. A sealed segment has its own index, so memory follows what is being written
//!   and what was deleted, not the backlog.
//! - **Space comes back**: a segment whose rows are all dead is removed, but for one, which the next segment is written
//!   over. When there is more garbage than what lives and one segment, the last rows of the emptiest segment are moved, in
//!   small steps behind commits.
//! - **Meta is whole in memory**, and is written out with each checkpoint.
//! - **A full segment is synced** before the next one begins, also where no commit asked for it: one commit in many waits
//!   for what the commits before it had only written. Readers do not.
//! - **Damage is reported**: each row, frame and index block has a checksum. A torn tail is cut. What a later frame knows
//!   to have been durable and is not whole fails the opening, with file and place, and nothing is deleted.
//!   [`verify`] reads everything.
//! - **A full disk** is told before anything is written ([`Storage::room`]), and a file that is kept in reserve makes room for
//!   deletions.
//! - **After a failed write or sync** the store commits nothing more, and can still be read.
//!
//! `docs/LOG-FORMAT.md` draws the files byte by byte. What it does to its device is behind [`files::Files`], so that a test
//! can lose, tear and fail any of it. It is not: a background compactor (all work is done by the thread that commits), or
//! a cache (the system's is enough).
//!
//! A directory is for one store at a time, in this process and in all others; nothing is created outside it.

mod blocks;
mod checkpoint;
mod extents;
#[cfg(feature = "faults")]
pub mod faults;
mod fields;
pub mod files;
mod format;
mod frames;
mod index;
mod names;
mod ops;
mod part;
mod recover;
mod reserve;
mod roll;
mod scan;
mod seeded;
mod state;
mod tidy;
mod verify;
mod writer;

use std::{
    ops::{Bound, Range},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use blocks::Blocks;
use broker_core::{
    Broker, Error,
    storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError},
};
use bytes::Bytes;
use files::{Directory, Files};
pub use names::is_store_file;
use parking_lot::{Mutex, RwLock};
use reserve::{Reserve, Reserved};
use state::State;
pub use verify::{Problem, Report, verify, verify_on};
use writer::Writer;

/// Opens a broker on the store in the directory `path`, which is created if there is none, with the defaults of
/// [`LogOptions`] and [`Broker::builder`].
///
/// Opening reads files, so it is done on a thread that may block. Must be called inside a tokio runtime with its timer
/// enabled. Cancel safe in this sense: a dropped call leaves a whole store or none, and may keep the directory locked for
/// a moment longer.
pub async fn open(path: impl AsRef<Path>) -> broker_core::Result<Broker> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
    let path = path.as_ref().to_owned();
    let opening = runtime.spawn_blocking(move || LogStorage::open(path));
    let opened = opening.await.map_err(|error| StorageError::Engine(format!("opening: {error}")))?;
    Broker::open(opened?).await
}

/// The largest row. Far above any message; what it bounds is the memory that one read can take.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// How a store is opened. Any options open any store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// How large a segment grows before the next one begins; 64 MiB unless told. Smaller ones give space back sooner,
    /// larger ones are fewer. One larger commit, or a lot of meta, makes a larger segment.
    pub segment_bytes: u64,
    /// How far zeros are written ahead of synced commits, which makes their syncs cheaper; 1 MiB unless told. Zero for
    /// not at all.
    pub prewrite_bytes: u64,
    /// How much space is kept for a full device, in a file of its own, once the store has grown to an eighth of that; 16 MiB
    /// unless told. It lets messages be received and deleted while there is no room for new ones. Zero for none: then a
    /// full device ends the store's life until it is opened again.
    pub reserve_bytes: u64,
    /// How many blocks of sealed segments' indexes are kept in memory, of 12 KiB each; 512 unless told.
    pub cached_blocks: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, prewrite_bytes: 1 << 20, reserve_bytes: 16 << 20, cached_blocks: 512 }
    }
}

/// A store in a directory, in segments.
pub struct LogStorage {
    options: LogOptions,
    /// What readers see. Written for a moment behind each commit; nothing waits for a device under a write lock.
    state: RwLock<State>,
    blocks: Blocks,
    /// Held over a whole commit.
    writer: Mutex<Writer>,
    reserve: Arc<Reserve>,
    /// Set by the first failure. Only reopening clears it.
    failed: AtomicBool,
    /// Declared last, so released last: it holds the lock of the directory.
    files: Arc<dyn Files>,
}

impl LogStorage {
    /// Opens the store in the directory `path`, or creates it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_with(path, &LogOptions::default())
    }

    /// Opens the store in the directory `path`, or creates it.
    ///
    /// A directory that holds other files is not taken over.
    pub fn open_with(path: impl AsRef<Path>, options: &LogOptions) -> Result<Self, StorageError> {
        Self::open_on(Arc::new(Directory::lock(path.as_ref())?), options)
    }

    /// Opens the store in these files, or creates it.
    pub fn open_on(files: Arc<dyn Files>, options: &LogOptions) -> Result<Self, StorageError> {
        let blocks = Blocks::new(options.cached_blocks);
        let reserve = Reserve::of(files, options.reserve_bytes);
        let files: Arc<dyn Files> = Arc::new(Reserved(reserve.clone()));
        let (state, writer) = recover::open(&files, options.segment_bytes, &blocks)?;
        let (state, writer) = (RwLock::new(state), Mutex::new(writer));
        let (options, failed) = (options.clone(), AtomicBool::new(false));
        Ok(Self { options, state, blocks, writer, reserve, failed, files })
    }

    fn commit_now(
        &self,
        writer: &mut Writer,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), StorageError> {
        if batch.is_empty() {
            return if durability == Durability::Synced { Self::sync(writer) } else { Ok(()) };
        }
        writer.frame.begin();
        let values = writer.frame.put_batch(batch);
        self.append(writer, &values, durability)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for LogStorage {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        for op in batch.ops() {
            if let Op::PutRow { value, .. } = op
                && value.len() > VALUE_BYTES_MAX
            {
                return Err(StorageError::ValueTooLarge { bytes: value.len(), max: VALUE_BYTES_MAX });
            }
        }
        let mut writer = self.writer.lock();
        if self.failed.load(Ordering::Acquire) {
            return Err(StorageError::Engine("an earlier commit failed: reopen the store".into()));
        }
        let result = self.commit_now(&mut writer, batch, durability);
        // The batch is committed before anything is tidied: a failure there is for the next commit.
        if result.is_err() || self.tidy(&mut writer).is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        let single = scan::Single::new(&self.state.read(), partition, seq);
        single.read(seq, &self.blocks)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let plan = scan::Plan::new(&self.state.read(), partition, range, page);
        plan.read(&self.blocks)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.state.read().meta.get(key).cloned())
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        // `BTreeMap::range` panics on an inverted range.
        if from >= to {
            return Ok(Vec::new());
        }
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        let state = self.state.read();
        for (key, value) in state.meta.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))) {
            bytes = bytes.saturating_add(value.len());
            found.push((Bytes::copy_from_slice(key), value.clone()));
            if found.len() >= page.entries || bytes >= page.bytes {
                break;
            }
        }
        Ok(found)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        if self.reserve.has_room() {
            return Ok(());
        }
        Err(StorageError::Full { bytes, place: self.files.place("") })
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

impl Drop for LogStorage {
    fn drop(&mut self) {
        // Everything that was promised is in the frames: without what this leaves, opening takes longer.
        if !self.failed.load(Ordering::Acquire) {
            drop(self.close(&mut self.writer.lock()));
        }
    }
}
