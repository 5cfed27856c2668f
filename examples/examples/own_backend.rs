//! A storage backend of one's own: one ordered map, and the proof that it keeps the contract.
//!
//! Run it with `cargo run -p broker-examples --example own_backend`. In a crate of your own, the line
//! `broker_core::storage_conformance!(OneMap);` makes a named test of each law instead.

use std::{collections::BTreeMap, ops::Range, sync::Arc, sync::Mutex};

use broker_core::storage::{
    Batch, Durability, Op, Page, Profile, Storage, StorageError,
    conformance::{Subject, laws},
};
use bytes::Bytes;

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

impl OneMap {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.lock().expect("no holder panics").get(key).cloned()
    }

    /// The entries in a range, up to and including the one that reaches a bound of the page.
    fn page(&self, range: Range<Vec<u8>>, page: Page) -> Vec<(Vec<u8>, Bytes)> {
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        if range.start < range.end {
            for (key, value) in self.0.lock().expect("no holder panics").range(range) {
                bytes += value.len();
                found.push((key.clone(), value.clone()));
                if found.len() >= page.entries || bytes >= page.bytes {
                    break;
                }
            }
        }
        found
    }
}

impl Storage for OneMap {
    fn commit(&self, batch: &Batch, _: Durability) -> Result<(), StorageError> {
        let mut map = self.0.lock().expect("no holder panics");
        for op in batch.ops() {
            let gone = match op {
                Op::PutRow { partition, seq, value } => {
                    map.insert(row_key(partition, seq), value.clone());
                    continue;
                }
                Op::PutMeta { key, value } => {
                    map.insert(meta_key(key), Bytes::copy_from_slice(value));
                    continue;
                }
                Op::DeleteRow { partition, seq } => row_key(partition, seq)..row_key(partition, seq + 1),
                Op::TrimRows { partition, below } => row_key(partition, 0)..row_key(partition, below),
                Op::DeleteMeta { key } => meta_key(key)..[&meta_key(key)[..], &[0]].concat(),
                Op::DeleteMetaRange { from, to } => meta_key(from)..meta_key(to),
            };
            map.retain(|key, _| !gone.contains(key));
        }
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        Ok(self.get(&row_key(partition, seq)))
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let found = self.page(row_key(partition, range.start)..row_key(partition, range.end), page);
        let seq = |key: &[u8]| key[9..].iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte));
        Ok(found.into_iter().map(|(key, value)| (seq(&key), value)).collect())
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.get(&meta_key(key)))
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let found = self.page(meta_key(from)..meta_key(to), page);
        Ok(found.into_iter().map(|(key, value)| (Bytes::from(key).slice(1..), value)).collect())
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

/// What the conformance suite needs to know: how a store is made, and how it is opened again.
struct Proof;

impl Subject for Proof {
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
    for (name, law) in laws::<Proof>() {
        law(&Proof);
        println!("passed: {}", name.replace('_', " "));
    }
}
