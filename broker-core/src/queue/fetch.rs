//! Reading from storage what a queue's state has asked for. The state itself never sees a store.

use std::ops::Range;

use bytes::Bytes;

use super::{
    lease::Lease,
    row::RowHead,
    state::{Fetched, Need, Recalled},
};
use crate::{
    codec::Malformed,
    keys,
    storage::{Page, Storage, StorageError},
};

/// Entries of the time index that are taken in at once.
const INDEX_PAGE: usize = 1_000;

impl Need {
    /// Reads what is needed.
    pub(crate) fn fetch(&self, store: &dyn Storage) -> Result<Fetched, StorageError> {
        match self {
            Self::Rows { partition, range, page, cold, .. } => {
                let rows = store.rows(*partition, range.clone(), *page)?;
                let covered = rows.last().map_or(range.start, |(seq, _)| seq + 1);
                let cold =
                    if *cold { fetch_cold(store, *partition, range.start..covered)? } else { Vec::new() };
                let head = |(seq, row): (u64, Bytes)| {
                    let head = RowHead::read(&row).map_err(|what| damaged_row(*partition, seq, what))?;
                    Ok((seq, head, row))
                };
                let rows = rows.into_iter().map(head).collect::<Result<_, StorageError>>()?;
                Ok(Fetched::Rows { rows, cold })
            }
            Self::Delayed { partition, now, .. } => fetch_delayed(store, *partition, *now),
        }
    }
}

/// The cold leases of a stretch of sequences: no more of them than there are sequences in a page of rows.
fn fetch_cold(
    store: &dyn Storage,
    partition: u64,
    range: Range<u64>,
) -> Result<Vec<(u64, Lease)>, StorageError> {
    let (mut from, to) = (keys::cold(partition, range.start).to_vec(), keys::cold(partition, range.end));
    let page = Page { entries: INDEX_PAGE, bytes: usize::MAX };
    let mut found = Vec::new();
    loop {
        let entries = store.meta_range(&from, &to, page)?;
        let Some((last, _)) = entries.last() else { return Ok(found) };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &entries {
            found.push((seq_in(key)?, lease_in(key, value)?));
        }
    }
}

fn fetch_delayed(store: &dyn Storage, partition: u64, now: u64) -> Result<Fetched, StorageError> {
    let (from, to) = (keys::delayed(partition, 0, 0), keys::delayed(partition, u64::MAX, u64::MAX));
    let entries = store.meta_range(&from, &to, Page { entries: INDEX_PAGE, bytes: usize::MAX })?;
    let mut due = Vec::new();
    for (key, value) in &entries {
        let malformed = Malformed("a key of the time index with the wrong length");
        let (time, seq) = keys::time_and_seq_of(key).ok_or_else(|| damaged_key(key, malformed))?;
        if time > now {
            return Ok(Fetched::Delayed { due, next: Some(time) });
        }
        due.push((time, seq, lease_in(key, value)?));
    }
    // A full page: there may be more, so look again at once. No full page: that was all.
    let next = (entries.len() >= INDEX_PAGE).then_some(now);
    Ok(Fetched::Delayed { due, next })
}

pub(crate) fn seq_in(key: &Bytes) -> Result<u64, StorageError> {
    keys::seq_of(key).ok_or_else(|| damaged_key(key, Malformed("a lease key with the wrong length")))
}

pub(crate) fn lease_in(key: &Bytes, value: &Bytes) -> Result<Lease, StorageError> {
    Lease::decode(value).map(|(lease, _)| lease).map_err(|what| damaged_key(key, what))
}

fn damaged_key(key: &Bytes, what: Malformed) -> StorageError {
    StorageError::corrupt(format!("meta key {key:?}"), what.0)
}

pub(crate) fn damaged_row(partition: u64, seq: u64, what: Malformed) -> StorageError {
    StorageError::corrupt(format!("row {seq} of partition {partition}"), what.0)
}

impl Recalled {
    /// Reads the lease of a message that is in storage only: its cold one, or that of an untouched message. One that is
    /// delayed beyond `now` is in the time index and cannot have been received.
    pub(crate) fn read(
        store: &dyn Storage,
        partition: u64,
        seq: u64,
        now: u64,
    ) -> Result<Option<Self>, StorageError> {
        let key = keys::cold(partition, seq);
        if let Some(value) = store.meta(&key)? {
            let lease = lease_in(&Bytes::copy_from_slice(&key), &value)?;
            return Ok(Some(Self { lease, cold: true }));
        }
        let Some(row) = store.row(partition, seq)? else { return Ok(None) };
        let lease =
            Lease::untouched(RowHead::read(&row).map_err(|what| damaged_row(partition, seq, what))?);
        Ok((lease.visible_at <= now).then_some(Self { lease, cold: false }))
    }
}
