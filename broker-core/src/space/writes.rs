//! What is to be written to user keys: for each key the last thing that was said.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;

use super::{History, KeyRange, SpaceCell, check};
use crate::{
    error::{Error, Result},
    keys,
    pipeline::Ticket,
    storage::Batch,
};

struct KeyWrite {
    space: Arc<SpaceCell>,
    /// None: the key is to go.
    value: Option<Bytes>,
    operation: usize,
}

/// Writes by stored key.
#[derive(Default)]
pub(crate) struct KeyWrites(BTreeMap<Vec<u8>, KeyWrite>);

impl KeyWrites {
    /// Adds a write that passes the checks.
    pub(crate) fn add(
        &mut self,
        space: &Arc<SpaceCell>,
        key: &[u8],
        value: Option<Bytes>,
        operation: usize,
    ) -> Result<()> {
        check::key(key)?;
        check::value(value.as_deref().unwrap_or_default())?;
        let write = KeyWrite { space: space.clone(), value, operation };
        self.0.insert(keys::user_key(space.id, key), write);
        Ok(())
    }

    /// Refuses a key that cannot be.
    pub(crate) fn check_key(key: &[u8]) -> Result<()> {
        check::key(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something is to become of a stored key.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.0.contains_key(key)
    }

    /// The value that a stored key is to have, if it is to have one.
    pub(crate) fn value(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key)?.value.clone()
    }

    /// What is to become of the keys in a range.
    pub(crate) fn within(&self, range: &KeyRange) -> impl Iterator<Item = (&[u8], Option<&Bytes>)> {
        let to = range.to.as_slice();
        let bounds = (Bound::Included(range.from.as_slice()), Bound::Excluded(to));
        let writes = (range.from.as_slice() < to).then(|| self.0.range::<[u8], _>(bounds));
        writes.into_iter().flatten().map(|(key, write)| (key.as_slice(), write.value.as_ref()))
    }

    /// The first write to a space that is gone, if there is one.
    pub(crate) fn gone(&self) -> Option<(usize, Error)> {
        self.0.values().find_map(|write| Some((write.operation, write.space.exists().err()?)))
    }

    pub(crate) fn put_into(&self, batch: &mut Batch) {
        for (key, write) in &self.0 {
            match &write.value {
                Some(value) => batch.put_meta(key, value),
                None => batch.delete_meta(key),
            }
        }
    }

    /// Notes that the writes are on their way.
    pub(crate) fn note(&self, history: &mut History, ticket: &Ticket, completed: u64) {
        if !self.is_empty() {
            history.note(self.0.keys().map(Vec::as_slice), ticket, completed);
        }
    }
}
