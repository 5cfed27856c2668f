//! Streams and shards as the catalog stores them: JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{hash::HashKeyRange, settings::Settings};
use crate::{
    catalog, keys,
    storage::{Batch, Page, Storage, StorageError},
};

/// A stream as the catalog stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamDefinition {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    pub(crate) epoch: u32,
    pub(crate) next_shard: u32,
    /// What was put before this does not come back, whatever the retention.
    #[serde(default)]
    pub(crate) lost_before: u64,
    pub(crate) updates: Vec<u64>,
}

impl StreamDefinition {
    pub(crate) fn save(&self, name: &str, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("a definition has string keys and plain numbers only");
        batch.put_meta(&keys::stream(name), &json);
    }
}

/// A shard as the catalog stores it. Where its records begin and end is in its record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ShardDefinition {
    pub(crate) number: u32,
    /// Of its record.
    pub(crate) id: u64,
    pub(crate) partition: u64,
    pub(crate) range: HashKeyRange,
    pub(crate) parents: [Option<u32>; 2],
    pub(crate) epoch: u32,
    pub(crate) created_at: u64,
    pub(crate) closed_at: Option<u64>,
}

impl ShardDefinition {
    pub(crate) fn save(&self, stream: u64, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("a shard has string keys and plain numbers only");
        batch.put_meta(&keys::shard(stream, u64::from(self.number)), &json);
    }
}

/// Shards read at once.
const PAGE: Page = Page { entries: 1_000, bytes: 1024 * 1024 };

/// All streams, by name.
pub(crate) fn streams(store: &dyn Storage) -> Result<Vec<(String, StreamDefinition)>, StorageError> {
    catalog::named(store, keys::STREAM, |name, value| {
        serde_json::from_slice(value).map_err(|what| {
            StorageError::corrupt(format!("the definition of stream {name:?}"), what.to_string())
        })
    })
}

/// All shards of a stream, by number.
pub(crate) fn shards(store: &dyn Storage, stream: u64) -> Result<Vec<ShardDefinition>, StorageError> {
    let (mut from, to) = (keys::shard(stream, 0).to_vec(), keys::shard(stream, u64::MAX));
    let mut found = Vec::new();
    loop {
        let page = store.meta_range(&from, &to, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &page {
            let damaged = |what: String| StorageError::corrupt(format!("meta key {key:?}"), what);
            let shard: ShardDefinition =
                serde_json::from_slice(value).map_err(|what| damaged(what.to_string()))?;
            if key[..] != keys::shard(stream, u64::from(shard.number)) {
                return Err(damaged("holds a shard of another number".into()));
            }
            found.push(shard);
        }
    }
}
