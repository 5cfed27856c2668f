//! A storage backend of one's own: two ordered maps, and the proof that they keep the contract.
//!
//! Run it with `cargo run -p broker-examples --example own_backend`. In a crate of your own, the line
//! `broker_core::storage_conformance!(TwoMaps::default());` makes a named test of each law instead.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use broker_core::storage::{
    Batch, Durability, Op, Page, Profile, Storage, StorageError,
    conformance::{Subject, laws},
};
use bytes::Bytes;
use parking_lot::Mutex;

/// The two spaces: rows by partition and sequence, meta by key.
#[derive(Default)]
struct Spaces {
    rows: BTreeMap<(u64, u64), Bytes>,
    meta: BTreeMap<Bytes, Bytes>,
}

#[derive(Clone, Default)]
struct TwoMaps(Arc<Mutex<Spaces>>);

/// The entries in a range, up to and including the one that reaches a bound of the page.
fn scan<K: Ord + Clone>(map: &BTreeMap<K, Bytes>, keys: Range<K>, page: Page) -> Vec<(K, Bytes)> {
    let (mut bytes, end) = (0, keys.end.max(keys.start.clone())); // an inverted range is empty
    let before_the_bound = |(_, value): &(&K, &Bytes)| {
        bytes += value.len();
        bytes - value.len() < page.bytes.max(1)
    };
    let found = map.range(keys.start..end).take(page.entries.max(1)).take_while(before_the_bound);
    found.map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Storage for TwoMaps {
    fn commit(&self, batch: &Batch, _: Durability) -> Result<(), StorageError> {
        let Spaces { rows, meta } = &mut *self.0.lock();
        for op in batch.ops() {
            match op {
                Op::PutRow { partition, seq, value } => _ = rows.insert((partition, seq), value.clone()),
                Op::DeleteRow { partition, seq } => _ = rows.remove(&(partition, seq)),
                Op::TrimRows { partition, below } => rows.retain(|r, _| r.0 != partition || r.1 >= below),
                Op::PutMeta { key, value } => _ = meta.insert(key.to_vec().into(), value.to_vec().into()),
                Op::DeleteMeta { key } => _ = meta.remove(key),
                Op::DeleteMetaRange { from, to } => meta.retain(|key, _| **key < *from || **key >= *to),
            }
        }
        Ok(())
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.lock().rows.get(&(partition, seq)).cloned())
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let found = scan(&self.0.lock().rows, (partition, range.start)..(partition, range.end), page);
        Ok(found.into_iter().map(|((_, seq), value)| (seq, value)).collect())
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.lock().meta.get(key).cloned())
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        Ok(scan(&self.0.lock().meta, Bytes::copy_from_slice(from)..Bytes::copy_from_slice(to), page))
    }

    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        let (survives_kill, survives_power_loss, can_block) = (false, false, false);
        Profile { survives_kill, survives_power_loss, can_block, value_bytes_max: 1 << 30 }
    }
}

#[rustfmt::skip] // what the suite needs to know: how a store is made, and how it is opened again
impl Subject for TwoMaps {
    type Home = TwoMaps;
    type Store = TwoMaps;
    fn home(&self) -> TwoMaps { TwoMaps::default() }
    fn open(&self, home: &TwoMaps) -> TwoMaps { home.clone() }
}

fn main() {
    for (name, law) in laws::<TwoMaps>() {
        law(&TwoMaps::default());
        println!("passed: {}", name.replace('_', " "));
    }
}
