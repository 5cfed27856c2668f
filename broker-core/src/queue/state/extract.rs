//! Looking at messages wherever they are, and taking them out of the queue: for what moves them, and is no consumer.

use std::ops::Range;

use super::{Need, PagedRow, Phase, QueueState};
use crate::{
    codec::Malformed,
    keys,
    queue::lease::Lease,
    seeded::seeded,
    storage::{Batch, Page},
};

/// A stretch of the queue to be read, with what the rows will not say.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) need: Need,
    epoch: u64,
    /// What was live from the cursor on, in order.
    live: Vec<u64>,
}

/// A stretch of the queue that was read.
#[derive(Debug)]
pub(crate) struct ScanPage {
    pub(crate) partition: u64,
    pub(crate) rows: Vec<PagedRow>,
    /// The sequences covered: those without a row are gone.
    pub(crate) range: Range<u64>,
    cold: Vec<(u64, Lease)>,
    epoch: u64,
    live: Vec<u64>,
}

/// What a message is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can be received, as far as it alone is concerned.
    Visible,
    /// It is in flight or delayed.
    Hidden,
    /// It is not in the queue.
    Gone,
}

/// Where a message is that can be received.
enum Place {
    Memory(Lease),
    Stored { lease: Lease, cold: bool },
}

impl Scan {
    /// The stretch with what was read of it.
    pub(crate) fn with(self, rows: Vec<PagedRow>, cold: Vec<(u64, Lease)>) -> ScanPage {
        let Self { need, epoch, live } = self;
        let Need::Rows { partition, range, .. } = need else { unreachable!("a scan needs rows") };
        let end = rows.last().map_or(range.end, |last| last.seq + 1);
        ScanPage { partition, rows, range: range.start..end, cold, epoch, live }
    }
}

impl ScanPage {
    fn row(&self, seq: u64) -> Option<&PagedRow> {
        self.rows.binary_search_by_key(&seq, |row| row.seq).ok().map(|at| &self.rows[at])
    }

    fn cold_lease(&self, seq: u64) -> Option<Lease> {
        self.cold.binary_search_by_key(&seq, |(seq, _)| *seq).ok().map(|at| self.cold[at].1)
    }
}

impl QueueState {
    /// A look at a stretch of the queue, at most a page of it. It is empty if nothing of it is committed.
    pub(crate) fn scan(&self, range: Range<u64>, page: Page, now: u64) -> Scan {
        let from = range.start.max(self.cursor);
        let mut live: Vec<u64> =
            self.live.range(from..).take(page.entries + 1).map(|(seq, _)| *seq).collect();
        // All that is live in the stretch must be noted: a page of it, or the stretch ends earlier.
        let noted = if live.len() > page.entries { live.pop().unwrap_or(from) } else { u64::MAX };
        let end = range.end.min(self.watermark.readable()).min(noted);
        let need = Need::Rows {
            partition: self.partition,
            range: range.start..end,
            page,
            cold: self.cold > 0,
            now,
            epoch: self.epoch,
        };
        Scan { need, epoch: self.epoch, live }
    }

    /// Whether what was read still tells where its messages are. If not, supply what is wanted at least
    /// ([`Want::Nothing`](super::Want::Nothing)) and scan again.
    pub(crate) fn holds(&self, page: &ScanPage, now: u64) -> bool {
        page.epoch == self.epoch && self.indexed_from.is_none_or(|time| time > now)
    }

    /// What a message of a page that [holds](Self::holds) is doing.
    pub(crate) fn standing(&self, page: &ScanPage, seq: u64, now: u64) -> Standing {
        match self.place(page, seq, now) {
            Ok(_) => Standing::Visible,
            Err(standing) => standing,
        }
    }

    fn place(&self, page: &ScanPage, seq: u64, now: u64) -> Result<Place, Standing> {
        if let Some(live) = self.live.get(&seq) {
            return if live.phase == Phase::Ready {
                Ok(Place::Memory(live.lease))
            } else {
                Err(Standing::Hidden)
            };
        }
        if let Some(lease) = self.lease_in_memory(seq) {
            return Ok(Place::Memory(lease));
        }
        // What was live and is not, and has not been put out of memory, is gone.
        let row = page.row(seq).filter(|_| page.live.binary_search(&seq).is_err());
        let Some(row) = row else { return Err(Standing::Gone) };
        let cold = page.cold_lease(seq);
        let lease = cold.unwrap_or(Lease::untouched(row.head));
        if self.settings.fifo.is_none() && cold.is_none() && row.head.visible_from > now {
            // It is in the time index.
            return Err(Standing::Hidden);
        }
        if seq < self.cursor || self.expiry(lease.sent_at) <= now {
            return Err(Standing::Gone);
        }
        match self.fifo_visible_at(&lease) {
            Some(time) if time > now => Err(Standing::Hidden),
            _ => Ok(Place::Stored { lease, cold: cold.is_some() }),
        }
    }

    /// Takes those of these messages out of the queue that can be received, and returns their leases. The page must
    /// [hold](Self::holds), and does so afterwards. If the store counts fewer messages than it has, nothing is taken.
    pub(crate) fn extract(
        &mut self,
        page: &mut ScanPage,
        seqs: impl Iterator<Item = u64>,
        now: u64,
        batch: &mut Batch,
    ) -> Result<Vec<(u64, Lease)>, Malformed> {
        let found: Vec<_> =
            seqs.filter_map(|seq| self.place(page, seq, now).ok().map(|at| (seq, at))).collect();
        let stored = found.iter().filter(|(_, place)| matches!(place, Place::Stored { .. })).count();
        if self.known() + stored as u64 > self.stored {
            return Err(Malformed("counts fewer messages than there are"));
        }
        let taken = found.into_iter().map(|(seq, place)| match place {
            Place::Memory(lease) => {
                self.remove(seq, now, batch);
                (seq, lease)
            }
            Place::Stored { lease, cold } => {
                self.extract_stored(seq, cold, batch);
                (seq, lease)
            }
        });
        let taken = taken.collect();
        page.epoch = self.epoch;
        Ok(taken)
    }

    /// Takes out a message that is in storage only.
    fn extract_stored(&mut self, seq: u64, cold: bool, batch: &mut Batch) {
        if seeded("move-copies") {
            return;
        }
        batch.delete_row(self.partition, seq);
        if cold {
            batch.delete_meta(&keys::cold(self.partition, seq));
            self.cold = self.cold.saturating_sub(1);
        }
        self.stored -= 1;
        // A page or a lease that is being read may have it still.
        self.epoch += 1;
        self.fence = true;
    }

    /// The sequences in which the queue's messages are.
    pub(crate) fn stretch(&self) -> Range<u64> {
        // Those in the time index may be before everything else.
        let first = if self.indexed > 0 { 0 } else { self.leftover().from };
        first..self.tail
    }
}
