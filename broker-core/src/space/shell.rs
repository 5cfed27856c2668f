//! [`Space`]: reading and writing user keys one at a time, outside of transactions.

use std::sync::Arc;

use bytes::Bytes;

use super::{KeyPage, KeyRange, KeyWrites, Scan, check};
use crate::{
    engine::Engine,
    error::{Error, Result},
    keys,
    storage::{Batch, Durability},
    sync::{AtomicBool, Ordering},
};

/// Keys read at once where all of a space are counted.
const COUNTED_AT_ONCE: usize = 1_000;

/// A named space of user keys. Cheap to clone; all clones are the same space.
///
/// Keys are 1 to [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX) bytes, values at most [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX), and keys
/// are in the order of their bytes. What is written by itself here is written together with messages in a
/// [`Transaction`](crate::Transaction). Keys are for state that is small: `broker-log` and `broker-mem` keep all of them in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let totals = broker.space("totals").await?;
/// totals.put("orders/2026-11", "12").await?;
/// totals.put("orders/2026-12", "7").await?;
/// assert_eq!(totals.get("orders/2026-11").await?.as_deref(), Some(&b"12"[..]));
/// assert_eq!(totals.scan("orders/", None, 100).await?.entries.len(), 2);
/// totals.delete("orders/2026-11").await?;
/// assert_eq!(totals.stats().await?.keys, 1);
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Space {
    pub(crate) cell: Arc<SpaceCell>,
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// What all handles of a space share.
pub(crate) struct SpaceCell {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) engine: Arc<Engine>,
    /// Set under the lock of the user keys.
    deleted: AtomicBool,
}

impl SpaceCell {
    pub(crate) fn new(name: String, id: u64, engine: Arc<Engine>) -> Arc<Self> {
        Arc::new(Self { name, id, engine, deleted: AtomicBool::new(false) })
    }

    /// Fails if the space was deleted.
    pub(crate) fn exists(&self) -> Result<()> {
        if self.deleted.load(Ordering::Acquire) {
            return Err(Error::SpaceDoesNotExist { name: self.name.clone() });
        }
        Ok(())
    }

    /// Ends the space. The caller holds the lock of the user keys.
    pub(crate) fn end(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    /// Waits until what was written in a range is committed, so that a read finds it.
    async fn settled(&self, range: &KeyRange) -> Result<()> {
        let pipeline = &self.engine.pipeline;
        let pending = {
            let history = self.engine.user_keys.lock();
            self.exists()?;
            history.pending(range, pipeline.completed())
        };
        match pending {
            Some(ticket) => ticket.wait().await,
            None => Ok(()),
        }
    }
}

/// How much is in a space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpaceStats {
    /// How many keys there are.
    pub keys: u64,
    /// The bytes of keys and values together.
    pub bytes: u64,
}

impl Space {
    /// The space's name.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// The value of a key, if it has one. Cancel safe.
    pub async fn get(&self, key: impl AsRef<[u8]> + Send) -> Result<Option<Bytes>> {
        let cell = &*self.cell;
        check::key(key.as_ref())?;
        let key = keys::user_key(cell.id, key.as_ref());
        cell.settled(&KeyRange::one(key.clone())).await?;
        cell.engine.pipeline.read(move |store| store.meta(&key)).await
    }

    /// Sets a key, whatever it was before, and returns when that survives a power cut, as far as the store can.
    ///
    /// A transaction that has read the key and is not committed yet will not be. Cancel safe in this sense: a dropped call has
    /// set the key or not, and later calls agree on which.
    pub async fn put(&self, key: impl AsRef<[u8]> + Send, value: impl Into<Bytes> + Send) -> Result<()> {
        self.write(key.as_ref(), Some(value.into())).await
    }

    /// Removes a key; one that is not there is no error. As [`put`](Self::put) otherwise.
    pub async fn delete(&self, key: impl AsRef<[u8]> + Send) -> Result<()> {
        self.write(key.as_ref(), None).await
    }

    async fn write(&self, key: &[u8], value: Option<Bytes>) -> Result<()> {
        let Engine { pipeline, user_keys, .. } = &*self.cell.engine;
        let bytes = value.as_ref().map(|value| key.len() + value.len());
        let mut writes = KeyWrites::default();
        writes.add(&self.cell, key, value, 0)?;
        let admission = match bytes {
            Some(bytes) => Some(pipeline.admit(bytes).await?),
            // What makes room is not asked whether there is room for it.
            None => None,
        };
        let ticket = {
            let mut history = user_keys.lock();
            self.cell.exists()?;
            let mut batch = Batch::new();
            writes.put_into(&mut batch);
            let ticket = pipeline.submit(&mut batch, Durability::Synced, admission)?;
            writes.note(&mut history, &ticket, pipeline.completed());
            ticket
        };
        ticket.wait().await
    }

    /// Up to `max` keys, 1 to 1,000, that start with `prefix`, behind the key `after` if one is given: for the next page, what the last
    /// one had as [`next`](KeyPage::next). A page has about one MiB of values at most. It is read at one moment; between two
    /// pages, keys may change. Cancel safe.
    pub async fn scan(
        &self,
        prefix: impl AsRef<[u8]> + Send,
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<KeyPage> {
        let scan = Scan::new(self.cell.id, prefix.as_ref(), after, max)?;
        self.cell.settled(scan.range()).await?;
        self.cell.engine.pipeline.read(move |store| scan.read(store)).await.map(KeyPage::from)
    }

    /// Counts what is in the space, by reading all of it in pages: for looking at, not for every call. Cancel safe.
    pub async fn stats(&self) -> Result<SpaceStats> {
        let mut stats = SpaceStats::default();
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.scan([], after.as_deref(), COUNTED_AT_ONCE).await?;
            let bytes = page.entries.iter().map(|(key, value)| (key.len() + value.len()) as u64);
            stats.keys += page.entries.len() as u64;
            stats.bytes += bytes.sum::<u64>();
            after = page.next;
            if after.is_none() {
                return Ok(stats);
            }
        }
    }
}
