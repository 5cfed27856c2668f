//! Definitions at the limits of what can be: what is one step further is damaged (IG3, IG10).

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use super::*;
use crate::{
    keys,
    storage::{Batch, Durability, Op, Page, Profile},
    stream::{
        hash::HashKeyRange,
        limits::StreamLimits,
        settings::{Settings, StreamSettings},
    },
};

/// What a batch has written, to be read only.
struct Stored(BTreeMap<Vec<u8>, Bytes>);

impl Storage for Stored {
    fn commit(&self, _: &Batch, _: Durability) -> Result<(), StorageError> {
        unreachable!("opening writes nothing")
    }

    fn row(&self, _: u64, _: u64) -> Result<Option<Bytes>, StorageError> {
        Ok(None)
    }

    fn rows(&self, _: u64, _: Range<u64>, _: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        Ok(Vec::new())
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.get(key).cloned())
    }

    fn meta_range(&self, from: &[u8], to: &[u8], _: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let found = self.0.range(from.to_vec()..to.to_vec());
        Ok(found.map(|(key, value)| (Bytes::from(key.clone()), value.clone())).collect())
    }

    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile {
            survives_kill: false,
            survives_power_loss: false,
            can_block: false,
            value_bytes_max: 1 << 20,
        }
    }
}

/// Whether a stream that counts so many epochs and shards is opened, with one shard of this range.
fn opens(made: u32, start: u128, end: u128) -> bool {
    let mut batch = Batch::new();
    let settings = Settings::new(&StreamLimits::aws(), 1 << 20, &StreamSettings::new());
    let tags = BTreeMap::new();
    let (epoch, next_shard, lost_before, updates) = (made, made, 0, Vec::new());
    StreamDefinition { id: 1, settings, tags, created_at: 0, epoch, next_shard, lost_before, updates }
        .save("clicks", &mut batch);
    let range = HashKeyRange { start, end };
    let (parents, closed_at) = ([None, None], Some(5));
    ShardDefinition { number: 0, id: 2, partition: 3, range, parents, epoch: 0, created_at: 0, closed_at }
        .save(1, &mut batch);
    let record = Record { partition: 3, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: 0 };
    batch.put_meta(&keys::record(2), &record.encode());
    let written = batch.ops().filter_map(|op| match op {
        Op::PutMeta { key, value } => Some((key.to_vec(), Bytes::copy_from_slice(value))),
        _ => None,
    });
    match read(&Stored(written.collect())) {
        Ok(streams) => {
            assert_eq!(streams[0].shards.len(), 1);
            true
        }
        Err(StorageError::Corrupt { place, .. }) => {
            assert!(place.contains("clicks"), "{place}");
            false
        }
        Err(other) => unreachable!("another error: {other}"),
    }
}

#[test]
fn as_many_shards_may_have_been_made_as_can_be_counted() {
    assert!(opens(MADE_MAX, 0, 9));
    assert!(!opens(MADE_MAX + 1, 0, 9));
}

#[test]
fn a_range_of_hash_keys_has_one_at_least() {
    assert!(opens(1, 9, 9));
    assert!(!opens(1, 9, 8));
}
