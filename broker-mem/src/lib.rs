//! Storage in memory: the reference implementation of [`Storage`], read to learn the contract.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> broker_core::Result<()> {
//! use broker_core::QueueExt as _;
//!
//! let broker = broker_mem::open().await?;
//! let orders = broker.queue("orders").await?;
//! orders.send("two pairs of socks").await?;
//! orders.recv().await?.ack().await?;
//! # Ok(()) }
//! ```
//!
//! What it holds goes with the process, whatever [`Durability`] is asked for, and its [`Profile`] says so. It suits tests,
//! which run on virtual time with it, and queues whose messages can be made again.
//!
//! Both spaces stand behind one mutex. A commit holds it from its first write to its last, which is all that atomicity
//! and visibility ask for; nothing here waits for a device, so that is never long.
//!
//! Clones share the same data: a test "reopens" a store by cloning it, and keeps what was there when a broker is dropped.

mod key;
mod rows;

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    ops::Range,
    sync::Arc,
};

use broker_core::{
    Broker, Result,
    storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError},
};
use bytes::Bytes;
use key::Key;
use parking_lot::Mutex;
use rows::Rows;

/// Opens a broker on a new store in memory, with the defaults of [`Broker::builder`].
///
/// Must be called inside a tokio runtime with its timer enabled. Cancel safe.
pub async fn open() -> Result<Broker> {
    Broker::open(MemStorage::new()).await
}

/// A store that lives as long as its last clone, and no longer than the process.
#[derive(Debug, Clone, Default)]
pub struct MemStorage {
    spaces: Arc<Mutex<Spaces>>,
}

/// The two spaces of the contract.
#[derive(Debug, Default)]
struct Spaces {
    partitions: HashMap<u64, Rows>,
    meta: BTreeMap<Key, Vec<u8>>,
}

impl MemStorage {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for MemStorage {
    fn commit(&self, batch: &Batch, _: Durability) -> Result<(), StorageError> {
        // No write below can fail, so there is never a part of a batch to take back.
        let mut spaces = self.spaces.lock();
        batch.ops().for_each(|op| spaces.apply(op));
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        Ok(self.spaces.lock().partitions.get(&partition).and_then(|rows| rows.get(seq)))
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let spaces = self.spaces.lock();
        let rows = spaces.partitions.get(&partition);
        Ok(one_page(rows.into_iter().flat_map(|rows| rows.range(range.clone())), page))
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.spaces.lock().meta.get(&Key::new(key)).map(|value| Bytes::copy_from_slice(value)))
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        // `BTreeMap::range` panics on an inverted range.
        if from >= to {
            return Ok(Vec::new());
        }
        let spaces = self.spaces.lock();
        let entries = spaces.meta.range(Key::new(from)..Key::new(to));
        let copied = entries
            .map(|(key, value)| (key.with_bytes(Bytes::copy_from_slice), Bytes::copy_from_slice(value)));
        Ok(one_page(copied, page))
    }

    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile {
            survives_kill: false,
            survives_power_loss: false,
            can_block: false,
            value_bytes_max: usize::MAX / 2,
        }
    }
}

impl Spaces {
    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::PutRow { partition, seq, value } => {
                self.partitions.entry(partition).or_default().put(seq, value.clone());
            }
            // The emptied deque stays: a short queue empties all the time and would allocate at each message.
            Op::DeleteRow { partition, seq } => {
                self.partitions.get_mut(&partition).into_iter().for_each(|rows| rows.delete(seq));
            }
            Op::TrimRows { partition, below } => {
                if let Some(rows) = self.partitions.get_mut(&partition) {
                    rows.trim(below);
                    // A partition ends with a trim, so this is where its memory goes back.
                    if rows.is_empty() {
                        self.partitions.remove(&partition);
                    }
                }
            }
            Op::PutMeta { key, value } => match self.meta.entry(Key::new(key)) {
                // Counters and due times are rewritten all the time: the old value's allocation serves the new one.
                Entry::Occupied(mut stored) => {
                    stored.get_mut().clear();
                    stored.get_mut().extend_from_slice(value);
                }
                Entry::Vacant(place) => drop(place.insert(value.to_vec())),
            },
            Op::DeleteMeta { key } => drop(self.meta.remove(&Key::new(key))),
            Op::DeleteMetaRange { from, to } if from < to => {
                let range = self.meta.range(Key::new(from)..Key::new(to));
                let keys: Vec<Key> = range.map(|(key, _)| key.clone()).collect();
                for key in &keys {
                    self.meta.remove(key);
                }
            }
            Op::DeleteMetaRange { .. } => {}
        }
    }
}

/// Collects entries up to and including the one that reaches a bound of the page.
fn one_page<K>(entries: impl Iterator<Item = (K, Bytes)>, page: Page) -> Vec<(K, Bytes)> {
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for (key, value) in entries {
        bytes = bytes.saturating_add(value.len());
        found.push((key, value));
        if found.len() >= page.entries || bytes >= page.bytes {
            break;
        }
    }
    found
}
