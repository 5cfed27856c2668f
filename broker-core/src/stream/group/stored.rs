//! Consumer groups as the catalog stores them.

use serde::{Deserialize, Serialize};

use super::state::{GroupState, Progress};
use crate::{
    keys,
    storage::{Batch, Page, Storage, StorageError},
};

/// A consumer group as the catalog stores it. Its leases are beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupDefinition {
    pub(crate) id: u64,
    pub(crate) created_at: u64,
}

impl GroupDefinition {
    pub(crate) fn save(&self, stream: u64, name: &str, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("plain numbers");
        batch.put_meta(&keys::group(stream, name), &json);
    }
}

const PAGE: Page = Page { entries: 1_000, bytes: 1024 * 1024 };

/// All groups of a stream, by name.
pub(crate) fn groups(store: &dyn Storage, stream: u64) -> Result<Vec<(String, GroupState)>, StorageError> {
    let mut found = Vec::new();
    let (from, to) = (keys::group(stream, ""), keys::group(stream.saturating_add(1), ""));
    for (key, value) in all(store, from, &to)? {
        let damaged = |what: String| StorageError::corrupt(format!("meta key {key:?}"), what);
        let name =
            keys::group_name_of(&key).ok_or_else(|| damaged("the key is not one of a group".into()))?;
        let definition: GroupDefinition =
            serde_json::from_slice(&value).map_err(|what| damaged(what.to_string()))?;
        found.push((name.to_owned(), GroupState::new(definition.id, leases(store, definition.id)?)));
    }
    Ok(found)
}

/// How far each shard is consumed.
fn leases(store: &dyn Storage, group: u64) -> Result<Vec<(u32, Progress)>, StorageError> {
    let (from, to) = (keys::group_lease(group, 0).to_vec(), keys::group_lease(group, u64::MAX));
    let lease = |(key, value): (bytes::Bytes, bytes::Bytes)| {
        let damaged = |what: String| StorageError::corrupt(format!("meta key {key:?}"), what);
        let shard = keys::queue_and_number_of(&key).and_then(|(_, shard)| u32::try_from(shard).ok());
        let shard = shard.ok_or_else(|| damaged("the key is not one of a lease".into()))?;
        Ok((shard, serde_json::from_slice(&value).map_err(|what| damaged(what.to_string()))?))
    };
    all(store, from, &to)?.into_iter().map(lease).collect()
}

/// All entries of a range.
pub(crate) fn all(
    store: &dyn Storage,
    mut from: Vec<u8>,
    to: &[u8],
) -> Result<Vec<(bytes::Bytes, bytes::Bytes)>, StorageError> {
    let mut found = Vec::new();
    loop {
        let page = store.meta_range(&from, to, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        from = [last, [0].as_slice()].concat();
        found.extend(page);
    }
}
