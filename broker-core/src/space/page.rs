//! Reading keys in pages.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    KEY_BYTES_MAX, check,
    history::{KeyRange, behind},
};
use crate::{
    error::{Error, Result},
    keys,
    storage::{Page, Storage, StorageError},
};

/// At most so many keys come in a page, so that a page is read in a millisecond or so.
const PAGE_KEYS_MAX: usize = 1_000;
/// A page ends with the key whose value reaches this many bytes together with those before it.
const PAGE_BYTES: usize = 1024 * 1024;

/// Keys of a space, in the order of their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// Keys with their values.
    pub entries: Vec<(Bytes, Bytes)>,
    /// If there may be more: what to give as `after` for the next page. A page may be empty and not be the last.
    pub next: Option<Bytes>,
}

/// A page about to be read.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    range: KeyRange,
    max: usize,
}

/// What was read, under the names in the store.
pub(crate) struct Scanned {
    entries: Vec<(Bytes, Bytes)>,
    /// What the page is the whole of.
    pub(crate) covered: KeyRange,
    more: bool,
}

impl Scan {
    pub(crate) fn new(space: u64, prefix: &[u8], after: Option<&[u8]>, max: usize) -> Result<Self> {
        check::at_most("prefix", prefix, KEY_BYTES_MAX)?;
        check::at_most("after", after.unwrap_or_default(), KEY_BYTES_MAX)?;
        if !(1..=PAGE_KEYS_MAX).contains(&max) {
            return Err(Error::invalid("max", max, format!("must be 1 to {PAGE_KEYS_MAX} keys")));
        }
        let first = keys::user_key(space, prefix);
        let from = after.map_or_else(|| first.clone(), |after| behind(&keys::user_key(space, after)));
        let range = KeyRange { from: from.max(first), to: keys::after_user_keys(space, prefix) };
        Ok(Self { range, max })
    }

    /// Where the page lies.
    pub(crate) fn range(&self) -> &KeyRange {
        &self.range
    }

    pub(crate) fn read(&self, store: &dyn Storage) -> Result<Scanned, StorageError> {
        let KeyRange { from, to } = &self.range;
        let entries = store.meta_range(from, to, Page { entries: self.max, bytes: PAGE_BYTES })?;
        let bytes: usize = entries.iter().map(|(_, value)| value.len()).sum();
        let more = entries.len() >= self.max || bytes >= PAGE_BYTES;
        let last = entries.last().filter(|_| more).map(|(key, _)| behind(key));
        let covered = KeyRange { from: from.clone(), to: last.unwrap_or_else(|| to.clone()) };
        Ok(Scanned { entries, covered, more })
    }
}

impl Scanned {
    /// The page, with what a transaction is about to write: `own` are stored keys and their new values, none if they go.
    pub(crate) fn with<'w>(
        self,
        own: impl Iterator<Item = (&'w [u8], Option<&'w Bytes>)>,
        max: usize,
    ) -> KeyPage {
        let last = self.entries.last().map(|(key, _)| key.clone());
        let mut entries: BTreeMap<Bytes, Bytes> = self.entries.into_iter().collect();
        for (key, value) in own {
            match value {
                Some(value) => _ = entries.insert(Bytes::copy_from_slice(key), value.clone()),
                None => _ = entries.remove(key),
            }
        }
        let cut = entries.len() > max;
        let named = |key: Bytes| key.slice_ref(keys::user_key_of(&key));
        let entries: Vec<_> = entries.into_iter().take(max).map(|(key, value)| (named(key), value)).collect();
        let next = if cut {
            entries.last().map(|(key, _)| key.clone())
        } else {
            last.filter(|_| self.more).map(named)
        };
        KeyPage { entries, next }
    }
}

impl From<Scanned> for KeyPage {
    fn from(scanned: Scanned) -> Self {
        scanned.with(std::iter::empty(), PAGE_KEYS_MAX)
    }
}
