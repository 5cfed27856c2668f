//! The catalog: which queues there are, as it is stored. Definitions change rarely and are JSON, so that fields can be
//! added and a curious person can read them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{Malformed, Reader, write_u32, write_u64},
    ids::Seed,
    keys,
    queue::{settings::Settings, shell::Description, state::QueueState},
    storage::{Page, Storage, StorageError},
};

/// A queue as the catalog stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    pub(crate) last_modified_at: u64,
}

impl Definition {
    pub(crate) fn of(state: &QueueState, description: &Description) -> Self {
        Self {
            id: state.id,
            settings: state.settings.clone(),
            tags: description.tags.clone(),
            created_at: description.created_at,
            last_modified_at: description.last_modified_at,
        }
    }

    pub(crate) fn description(&self) -> Description {
        Description {
            tags: self.tags.clone(),
            created_at: self.created_at,
            last_modified_at: self.last_modified_at,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a definition has string keys and plain numbers only")
    }
}

/// What a store says about itself and its queues.
pub(crate) struct Stored {
    pub(crate) seed: Seed,
    pub(crate) next_id: u64,
    pub(crate) queues: Vec<(String, Definition)>,
    /// Names of deleted queues and when they were deleted.
    pub(crate) tombstones: Vec<(String, u64)>,
}

/// The header of a new store.
pub(crate) fn encode_header(seed: Seed) -> Vec<u8> {
    let mut header = Vec::with_capacity(12);
    write_u32(&mut header, keys::FORMAT_VERSION);
    write_u64(&mut header, seed.0);
    header
}

/// Definitions read at once.
const PAGE: Page = Page { entries: 1_000, bytes: 1024 * 1024 };

/// Reads the catalog, or `None` if the store is new.
pub(crate) fn read(store: &dyn Storage) -> Result<Option<Stored>, StorageError> {
    let Some(header) = store.meta(keys::HEADER)? else { return Ok(None) };
    let seed = decode_header(&header)?;
    let next_id = match store.meta(keys::NEXT_ID)? {
        Some(stored) => Reader::new(&stored).u64().map_err(|what| damaged("the next id", what.0))?,
        None => FIRST_ID,
    };
    let decode_definition = |name: &str, value: &Bytes| {
        serde_json::from_slice(value)
            .map_err(|what| damaged(&format!("the definition of queue {name:?}"), what))
    };
    let decode_tombstone = |name: &str, value: &Bytes| {
        let time = Reader::new(value).u64();
        time.map_err(|what| damaged(&format!("the tombstone of queue {name:?}"), what.0))
    };
    Ok(Some(Stored {
        seed,
        next_id,
        queues: named(store, keys::DEFINITION, decode_definition)?,
        tombstones: named(store, keys::TOMBSTONE, decode_tombstone)?,
    }))
}

/// The first id that is given out.
pub(crate) const FIRST_ID: u64 = 1;

fn decode_header(header: &Bytes) -> Result<Seed, StorageError> {
    let place = "the store's header";
    let mut reader = Reader::new(header);
    let mut fields = || -> Result<(u32, u64), Malformed> { Ok((reader.u32()?, reader.u64()?)) };
    let (version, seed) = fields().map_err(|what| damaged(place, what.0))?;
    if version > keys::FORMAT_VERSION {
        let supported = keys::FORMAT_VERSION;
        return Err(StorageError::NewerFormat { place: place.into(), found: version, supported });
    }
    Ok(Seed(seed))
}

/// All entries under a tag, by the name in their key.
pub(crate) fn named<T>(
    store: &dyn Storage,
    tag: u8,
    decode: impl Fn(&str, &Bytes) -> Result<T, StorageError>,
) -> Result<Vec<(String, T)>, StorageError> {
    let (mut from, to) = (vec![tag], keys::after_tag(tag));
    let mut found = Vec::new();
    loop {
        let page = store.meta_range(&from, &to, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &page {
            let name =
                keys::name_of(key).ok_or_else(|| damaged(&format!("meta key {key:?}"), "not UTF-8"))?;
            found.push((name.to_owned(), decode(name, value)?));
        }
    }
}

fn damaged(place: &str, what: impl std::fmt::Display) -> StorageError {
    StorageError::corrupt(place, what.to_string())
}
