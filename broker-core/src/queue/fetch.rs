//! Reading from storage what a queue's state has asked for, and what somebody looks at. The state itself never sees a
//! store.

use std::ops::Range;

use bytes::Bytes;

use super::{
    lease::Lease,
    redrive::Origin,
    row::{RowHead, group_in, origin_in},
    state::{
        DelaySearch, Due, Fetched, Need, Original, PagedRow, Recalled, Rows, Scan, ScanPage, ScopedId,
        StillDelayed, Stored,
    },
};
use crate::{
    codec::Malformed,
    ids::MessageId,
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

impl Scan {
    /// Reads a page of the stretch.
    pub(crate) fn run(self, store: &dyn Storage) -> Result<ScanPage, StorageError> {
        match self.need.fetch(store)? {
            Fetched::Rows { rows, cold } => Ok(self.with(rows, cold)),
            Fetched::Delayed { .. } => unreachable!("a scan needs rows"),
        }
    }
}

impl DelaySearch {
    /// The first message of the range that was queued too late; the end of the range if none was.
    pub(crate) fn run(&self, store: &dyn Storage) -> Result<StillDelayed, StorageError> {
        let Range { mut start, mut end } = self.range;
        // Sequences that are gone are not delayed.
        let (mut from, mut queued_at) = (self.range.end, None);
        // Halves the range each time. Sequences that are gone make it look at the next one that is there.
        while start < end {
            let middle = start + (end - start) / 2;
            let page = store.rows(self.partition, middle..end, Page { entries: 1, bytes: 1 })?;
            match page.first() {
                Some((seq, row)) => {
                    let head = RowHead::read(row).map_err(|what| damaged_row(self.partition, *seq, what))?;
                    if self.queued_until.is_none_or(|until| head.queued_at > until) {
                        (end, from, queued_at) = (middle, *seq, Some(head.queued_at));
                    } else {
                        start = seq + 1;
                    }
                }
                None => end = middle,
            }
        }
        Ok(StillDelayed { from, queued_at })
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

/// The first row of a stretch that was stored at this time or later, where times only grow. Rows that are being trimmed
/// meanwhile are passed over.
pub(crate) fn first_since(
    store: &dyn Storage,
    partition: u64,
    range: Range<u64>,
    from: u64,
) -> Result<u64, StorageError> {
    let Range { mut start, mut end } = range;
    let mut found = None;
    while start < end {
        let middle = start + (end - start) / 2;
        let row = store.rows(partition, middle..end, Page { entries: 1, bytes: 1 })?;
        match row.first() {
            Some((seq, row)) => {
                let head = RowHead::read(row).map_err(|what| damaged_row(partition, *seq, what))?;
                if head.sent_at < from { start = seq + 1 } else { (end, found) = (middle, Some(*seq)) }
            }
            None => end = middle,
        }
    }
    Ok(found.unwrap_or(start))
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

impl Original {
    /// The message that an id was accepted with last, if it is stored in one of these generations.
    pub(crate) fn find(
        store: &dyn Storage,
        partition: u64,
        id: &mut ScopedId,
        generations: &[u64],
    ) -> Result<Option<Self>, StorageError> {
        for generation in generations.iter().rev() {
            let key = id.key(partition, *generation);
            if let Some(value) = store.meta(key)? {
                let damaged = |what| damaged_key(&Bytes::copy_from_slice(key), what);
                return Self::decode(&value).map(Some).map_err(damaged);
            }
        }
        Ok(None)
    }
}

impl Stored {
    /// At most a page of messages as they are stored, whatever memory knows of them.
    pub(crate) fn read(store: &dyn Storage, rows: &Rows, page: Page) -> Result<Vec<Self>, StorageError> {
        let Rows { partition, range } = rows;
        let found = store.rows(*partition, range.clone(), page)?;
        let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else {
            return Ok(Vec::new());
        };
        let cold = fetch_cold(store, *partition, *first..last + 1)?;
        let read = |(seq, row): (u64, Bytes)| {
            let head = RowHead::read(&row).and_then(|head| group_in(&row).map(|_| head));
            let head = head.map_err(|what| damaged_row(*partition, seq, what))?;
            let cold = cold.binary_search_by_key(&seq, |(seq, _)| *seq).ok().map(|at| cold[at].1);
            Ok(Self { seq, head, cold, row })
        };
        found.into_iter().map(read).collect()
    }

    /// Searches for a message that was moved here: among the first and among the last rows.
    pub(crate) fn search(
        store: &dyn Storage,
        rows: &Rows,
        id: MessageId,
    ) -> Result<Option<(Self, Origin)>, StorageError> {
        let Rows { partition, range } = rows;
        let (mut found, reached) = search_from(store, *partition, range.clone(), id)?;
        if found.is_none() {
            let last = reached.max(range.end.saturating_sub(SEARCHED_ROWS_MAX));
            found = search_from(store, *partition, last..range.end, id)?.0;
        }
        let Some((seq, origin)) = found else { return Ok(None) };
        let rows = Rows { partition: *partition, range: seq..seq + 1 };
        Ok(Self::read(store, &rows, SEARCH_PAGE)?.pop().map(|stored| (stored, origin)))
    }
}

/// A search looks at so many rows, twice: some ten milliseconds.
const SEARCHED_ROWS_MAX: u64 = 10_000;
/// What a search holds in memory at once.
const SEARCH_PAGE: Page = Page { entries: 500, bytes: 1024 * 1024 };

/// The message that was moved here with this id, and how far the search came.
fn search_from(
    store: &dyn Storage,
    partition: u64,
    range: Range<u64>,
    id: MessageId,
) -> Result<(Option<(u64, Origin)>, u64), StorageError> {
    let Range { mut start, end } = range;
    let mut looked_at = 0;
    while start < end && looked_at < SEARCHED_ROWS_MAX {
        let page = store.rows(partition, start..end, SEARCH_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok((None, end)) };
        start = last + 1;
        for (seq, row) in &page {
            looked_at += 1;
            // A damaged row is not the one, and whoever receives it is told.
            if let Some(origin) = origin_in(row).ok().flatten().filter(|origin| origin.id == id) {
                return Ok((Some((*seq, origin)), start));
            }
        }
    }
    Ok((None, start))
}
