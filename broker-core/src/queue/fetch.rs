//! Reading from storage what a queue's state has asked for. The state itself never sees a store.

use std::ops::Range;

use bytes::Bytes;

use super::{
    lease::Lease,
    row::{RowHead, group_in},
    state::{DelaySearch, Due, Fetched, Need, PagedRow, Recalled},
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
                let read = |(seq, row): (u64, Bytes)| {
                    let head = RowHead::read(&row).and_then(|head| group_in(&row).map(|_| head));
                    let head = head.map_err(|what| damaged_row(*partition, seq, what))?;
                    Ok(PagedRow { seq, head, row })
                };
                let rows = rows.into_iter().map(read).collect::<Result<_, StorageError>>()?;
                Ok(Fetched::Rows { rows, cold })
            }
            Self::Delayed { partition, now, .. } => fetch_delayed(store, *partition, *now),
        }
    }
}

impl DelaySearch {
    /// The first sequence of the range that was queued too late; the end of the range if none was.
    pub(crate) fn run(&self, store: &dyn Storage) -> Result<u64, StorageError> {
        let Range { mut start, mut end } = self.range;
        // Halves the range each time. Sequences that are gone make it look at the next one that is there.
        while start < end {
            let middle = start + (end - start) / 2;
            let page = store.rows(self.partition, middle..end, Page { entries: 1, bytes: 1 })?;
            match page.first() {
                Some((seq, row)) => {
                    let head = RowHead::read(row).map_err(|what| damaged_row(self.partition, *seq, what))?;
                    if head.queued_at > self.queued_until { end = middle } else { start = seq + 1 }
                }
                None => end = middle,
            }
        }
        Ok(start)
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
            found.push((seq_in(key)?, lease_in(key, value)?.0));
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
        let (lease, group) = lease_in(key, value)?;
        due.push(Due { time, seq, lease, group: group.map(Into::into) });
    }
    // A full page: there may be more, so look again at once. No full page: that was all.
    let next = (entries.len() >= INDEX_PAGE).then_some(now);
    Ok(Fetched::Delayed { due, next })
}

pub(crate) fn seq_in(key: &Bytes) -> Result<u64, StorageError> {
    keys::seq_of(key).ok_or_else(|| damaged_key(key, Malformed("a lease key with the wrong length")))
}

/// The lease and the group in an entry of the meta space.
pub(crate) fn lease_in<'v>(key: &Bytes, value: &'v Bytes) -> Result<(Lease, Option<&'v str>), StorageError> {
    Lease::decode(value).map_err(|what| damaged_key(key, what))
}

pub(crate) fn damaged_key(key: &Bytes, what: Malformed) -> StorageError {
    StorageError::corrupt(format!("meta key {key:?}"), what.0)
}

pub(crate) fn damaged_row(partition: u64, seq: u64, what: Malformed) -> StorageError {
    StorageError::corrupt(format!("row {seq} of partition {partition}"), what.0)
}

impl Recalled {
    /// Reads the lease and the group of a message that is in storage only: its cold one, or that of an untouched message. One that is
    /// delayed beyond `now` is in the time index and cannot have been received.
    pub(crate) fn read(
        store: &dyn Storage,
        partition: u64,
        seq: u64,
        now: u64,
    ) -> Result<Option<Self>, StorageError> {
        let key = keys::cold(partition, seq);
        if let Some(value) = store.meta(&key)? {
            let key = Bytes::copy_from_slice(&key);
            let (lease, group) = lease_in(&key, &value)?;
            return Ok(Some(Self { lease, group: group.map(Into::into), cold: true }));
        }
        let Some(row) = store.row(partition, seq)? else { return Ok(None) };
        let lease = Lease::untouched(RowHead::read(&row).map_err(|what| damaged_row(partition, seq, what))?);
        let group = group_in(&row).map_err(|what| damaged_row(partition, seq, what))?;
        Ok((lease.visible_at <= now).then(|| Self { lease, group: group.map(Into::into), cold: false }))
    }
}
