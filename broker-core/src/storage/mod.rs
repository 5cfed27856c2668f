//! The storage trait: two spaces of bytes that know nothing of messages.
//!
//! *Rows* are `(partition, sequence) -> bytes`, written once in ascending sequence, read in order and removed near the
//! head: bodies. *Meta* is a small ordered map of byte keys, rewritten often: due times, counters, the catalog.
//! Engines exploit the difference: memory keeps a deque per partition, a log trims by dropping files.
//!
//! [`Storage`] lists what an implementor owes; the feature `conformance` has a test for every line of it.

mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "faults")]
pub mod faults;

use std::{io, ops::Range, path::PathBuf};

pub use crate::broker::verify::{StoreProblem, StoreReport, verify};
pub use batch::{Batch, Op};
use bytes::Bytes;

/// What a commit must survive before it returns.
///
/// Ordered: a stronger level includes the weaker ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Nothing: the write may go with the process.
    Memory,
    /// A killed process (SIGKILL), not a power cut.
    Buffered,
    /// A power cut.
    Synced,
}

/// What an engine is, so that nothing is promised that it does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Whether a `Buffered` commit survives the death of the process.
    pub survives_kill: bool,
    /// Whether a `Synced` commit survives a power cut.
    pub survives_power_loss: bool,
    /// Whether calls can wait for a device. If not, the broker commits inline on the caller's thread.
    pub can_block: bool,
    /// The largest row value in bytes. The broker refuses queues whose messages could be larger.
    pub value_bytes_max: usize,
}

/// How much one scan returns at most: it stops after the entry that reaches either bound.
///
/// A scan that finds anything returns at least one entry, however large, so that a reader always gets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The most entries; zero counts as one.
    pub entries: usize,
    /// The bytes of values after which the page ends.
    pub bytes: usize,
}

/// Why a store failed.
///
/// After any error from [`Storage::commit`] the broker commits nothing more: what had been acknowledged is safe, what
/// had not may or may not be there. The caller's remedy is always the same: drop the broker, mend the cause, reopen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The device or the file system refused. Look at `source`, then reopen.
    #[error("storage: {action} failed: {source}")]
    Io {
        /// What was being done, with the file if there is one.
        action: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Stored bytes are not what was written. Restore the named file from a copy, or move it away to start empty.
    #[error("storage: {place} is damaged: {detail}")]
    Corrupt {
        /// The file, or the partition and sequence, or the key.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Another broker has this directory open. Close it first; no stale lock can remain after a process has died.
    #[error("storage: {path} is in use by another broker", path = path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was written by a newer version. Upgrade this program.
    #[error("storage: {place} has format version {found}; this build reads up to {supported}")]
    NewerFormat {
        /// The file or the key that says so.
        place: String,
        /// The version found.
        found: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// A row is larger than the engine takes. Lower the queue's maximum message size.
    #[error("storage: a value of {bytes} bytes exceeds the engine's limit of {max} bytes")]
    ValueTooLarge {
        /// The size of the refused value.
        bytes: usize,
        /// The engine's limit.
        max: usize,
    },
    /// There is no room for anything new. Nothing was changed. What is there can still be received and deleted; do that, or make
    /// room on the device, and try again: nothing need be reopened.
    #[error("storage: no room for {bytes} more bytes in {place}")]
    Full {
        /// How many bytes there is no room for.
        bytes: usize,
        /// The device or the directory.
        place: String,
    },
    /// The engine panicked or reported something of its own. Reopen; if it recurs, report it.
    #[error("storage: the engine failed: {0}")]
    Engine(String),
}

impl StorageError {
    /// An [`StorageError::Io`] that says what was being done.
    pub fn io(action: impl Into<String>, source: io::Error) -> Self {
        Self::Io { action: action.into(), source }
    }

    /// An [`StorageError::Corrupt`] at a place.
    pub fn corrupt(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt { place: place.into(), detail: detail.into() }
    }
}

/// Where a broker keeps its bytes.
///
/// Calls block and may come from any thread; the broker makes them where that is harmless. Wrap nothing around them.
///
/// # What an implementor owes
///
/// Each law is a test of the same name in the conformance suite.
///
/// 1. **`rows_come_in_sequence_order`**: `rows` returns ascending sequences of that partition alone, within the range.
/// 2. **`meta_comes_in_key_order`**: `meta_range` returns keys in ascending byte order, `from` included, `to` not.
/// 3. **`an_inverted_range_is_empty`**, in scans and in deletes; it is never an error or a panic.
/// 4. **`pages_are_bounded_and_never_empty_before_the_end`**: see [`Page`].
/// 5. **`a_batch_applies_in_order`**: for one key the last write wins, range deletes and trims included.
/// 6. **`a_batch_is_atomic_across_both_spaces`**: nobody, not even after a crash, sees a part of one.
/// 7. **`a_commit_is_visible_when_it_returns`**, to every thread.
/// 8. **`trim_removes_only_what_is_below`**, and a partition that never existed trims silently.
/// 9. **`deleting_what_is_missing_is_silent`**.
/// 10. **`a_value_comes_back_byte_for_byte`**, from the empty one up to `value_bytes_max`.
/// 11. **`partitions_and_spaces_do_not_touch_each_other`**, whatever the numbers and the key bytes.
/// 12. **`commits_survive_reopening_in_prefix_order`**: if a commit survives, all commits before it do; `Buffered` ones
///     survive the process, `Synced` ones a power cut, as far as the profile claims.
///
/// And the broker owes: one commit at a time; no commit after an error; scans that start at a stored head and end at a
/// stored tail; sequences below `u64::MAX`; meta keys of 1 to 1,024 bytes and meta values of at most 64 KiB.
pub trait Storage: Send + Sync + 'static {
    /// Applies every write of `batch`, or none, and returns when it has the durability asked for.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError>;

    /// One row, or `None`.
    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError>;

    /// The rows of `partition` with sequences in `range`, ascending, at most a page.
    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError>;

    /// One meta value, or `None`.
    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError>;

    /// The meta entries with `from <= key < to`, ascending, at most a page.
    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError>;

    /// Whether there is room for about so many bytes more; [`StorageError::Full`] says that there is not. Asked for everything
    /// that is sent, so quick while there is room; changes nothing that is stored.
    ///
    /// The broker asks before it takes in something new, and tells the caller, to whom nothing has happened. It does not ask
    /// before it gives out, deletes or moves what is there: an engine whose device can be full keeps a reserve for that, or
    /// answers `Ok` and lets the commit fail, after which the broker must be opened again.
    fn room(&self, bytes: usize) -> Result<(), StorageError>;

    /// What this engine is. Constant over the life of the store.
    fn profile(&self) -> Profile;
}
