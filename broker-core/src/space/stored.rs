//! Spaces as the catalog keeps them.

use serde::{Deserialize, Serialize};

use crate::{
    catalog, keys,
    storage::{Batch, Storage, StorageError},
};

/// A space as the catalog keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SpaceDefinition {
    pub(crate) id: u64,
    pub(crate) created_at: u64,
}

impl SpaceDefinition {
    pub(crate) fn save(&self, name: &str, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("plain numbers");
        batch.put_meta(&keys::space(name), &json);
    }
}

/// All spaces, by name.
pub(crate) fn stored(store: &dyn Storage) -> Result<Vec<(String, SpaceDefinition)>, StorageError> {
    catalog::named(store, keys::SPACE, |name, value| {
        let damaged = |what: serde_json::Error| {
            StorageError::corrupt(format!("the definition of space {name:?}"), what.to_string())
        };
        serde_json::from_slice(value).map_err(damaged)
    })
}
