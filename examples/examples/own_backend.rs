//! A storage backend of one's own: one ordered map, and the proof that it keeps the contract.
//!
//! Run it with `cargo run -p broker-examples --example own_backend`. In a crate of your own, the line
//! `broker_core::storage_conformance!(OneMap::default());` makes a named test of each law instead.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use broker_core::storage::{
    Batch, Durability, Op, Page, Profile, Storage, StorageError,
    conformance::{Subject, laws},
};
use bytes::Bytes;
use parking_lot::Mutex;

/// Both spaces in one map, told apart by the first byte of the key.
#[derive(Clone, Default)]
struct OneMap(Arc<Mutex<BTreeMap<Vec<u8>, Bytes>>>);

/// Big-endian, so that the order of the bytes is the order of the numbers.
fn row_key(partition: u64, seq: u64) -> Vec<u8> {
    [&b"r"[..], &partition.to_be_bytes(), &seq.to_be_bytes()].concat()
}

fn meta_key(key: &[u8]) -> Vec<u8> {
    [b"m", key].concat()
}

impl Storage for OneMap {
    fn commit(&self, batch: &Batch, _: Durability) -> Result<(), StorageError> {
        let mut map = self.0.lock();
        for op in batch.ops() {
            match op {
                Op::PutRow { partition, seq, value } => {
                    drop(map.insert(row_key(partition, seq), value.clone()));
                }
                Op::PutMeta { key, value } => drop(map.insert(meta_key(key), Bytes::copy_from_slice(value))),
                Op::DeleteRow { partition, seq } => drop(map.remove(&row_key(partition, seq))),
                Op::DeleteMeta { key } => drop(map.remove(&meta_key(key))),
                Op::TrimRows { partition, below } => {
                    map.retain(|key, _| !(row_key(partition, 0)..row_key(partition, below)).contains(key));
                }
                Op::DeleteMetaRange { from, to } => {
                    map.retain(|key, _| !(meta_key(from)..meta_key(to)).contains(key));
                }
            }
        }
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.lock().get(&row_key(partition, seq)).cloned())
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let keys = row_key(partition, range.start)..row_key(partition, range.end);
        Ok(self.scan(keys, page, |key| key[9..].iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte))))
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.lock().get(&meta_key(key)).cloned())
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        Ok(self.scan(meta_key(from)..meta_key(to), page, |key| Bytes::copy_from_slice(&key[1..])))
    }

    fn profile(&self) -> Profile {
        Profile {
            survives_kill: false,
            survives_power_loss: false,
            can_block: false,
            value_bytes_max: 1 << 30,
        }
    }
}

impl OneMap {
    /// The entries in a range, up to and including the one that reaches a bound of the page.
    fn scan<K>(&self, keys: Range<Vec<u8>>, page: Page, decode: fn(&[u8]) -> K) -> Vec<(K, Bytes)> {
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        if keys.start < keys.end {
            for (key, value) in self.0.lock().range(keys) {
                bytes += value.len();
                found.push((decode(key), value.clone()));
                if found.len() >= page.entries || bytes >= page.bytes {
                    break;
                }
            }
        }
        found
    }
}

/// What the conformance suite needs to know: how a store is made, and how it is opened again.
impl Subject for OneMap {
    type Home = OneMap;
    type Store = OneMap;

    fn home(&self) -> OneMap {
        OneMap::default()
    }

    fn open(&self, home: &OneMap) -> OneMap {
        home.clone()
    }
}

fn main() {
    for (name, law) in laws::<OneMap>() {
        law(&OneMap::default());
        println!("passed: {}", name.replace('_', " "));
    }
}
