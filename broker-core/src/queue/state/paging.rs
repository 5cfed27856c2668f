//! What the state needs from storage before it can decide, and how it takes that in.

use std::{collections::HashSet, ops::Range};

use bytes::Bytes;

use super::{Phase, QueueState, Staged, earlier};
use crate::{
    codec::Malformed,
    keys,
    queue::{lease::Lease, row::RowHead},
    storage::{Batch, Page},
};

/// Something to be read before the queue can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// The rows from the cursor on.
    Rows { partition: u64, range: Range<u64>, page: Page, cold: bool, now: u64, epoch: u64 },
    /// The entries of the time index up to `now`.
    Delayed { partition: u64, now: u64, epoch: u64 },
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Fetched {
    Rows { rows: Vec<(u64, RowHead, Bytes)>, cold: Vec<(u64, Lease)> },
    Delayed { due: Vec<(u64, u64, Lease)>, next: Option<u64> },
}

impl QueueState {
    /// What must be read before a receive of `want` messages, or an exact count (`want` = 1), can be answered.
    pub(crate) fn need(&mut self, now: u64, want: usize) -> Option<Need> {
        if self.indexed_from.is_some_and(|time| time <= now) {
            self.indexed_since = None;
            return Some(Need::Delayed { partition: self.partition, now, epoch: self.epoch });
        }
        let first = self.ready.range(..self.cursor).take(want).count();
        if first + self.staged.len() >= want {
            return None;
        }
        self.skip_live();
        if self.cursor >= self.readable {
            return None;
        }
        let live = self.live.range(self.cursor..).next().map_or(u64::MAX, |(seq, _)| *seq);
        Some(Need::Rows {
            partition: self.partition,
            range: self.cursor..self.readable.min(live),
            page: Page { entries: want.max(self.bounds.staged / 4), bytes: self.bounds.staged_bytes },
            cold: self.cold > 0,
            now,
            epoch: self.epoch,
        })
    }

    /// Moves the cursor over messages that are in memory. They are never read again.
    fn skip_live(&mut self) {
        for (seq, _) in self.live.range(self.cursor..) {
            if *seq != self.cursor {
                break;
            }
            self.cursor += 1;
        }
    }

    /// Takes in what was read, unless the queue has changed in a way that makes it useless. What cannot be, because
    /// stored bytes are damaged, is refused and changes nothing.
    pub(crate) fn absorb(
        &mut self,
        need: &Need,
        fetched: Fetched,
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        match (need, fetched) {
            (Need::Rows { range, now, epoch, .. }, Fetched::Rows { rows, cold }) => {
                if *epoch == self.epoch && range.start == self.cursor {
                    return self.absorb_rows(range, *now, rows, &cold, batch);
                }
            }
            (Need::Delayed { epoch, .. }, Fetched::Delayed { due, next }) => {
                if *epoch == self.epoch {
                    return self.absorb_delayed(due, next, batch);
                }
            }
            _ => unreachable!("a need fetches its own kind"),
        }
        Ok(())
    }

    /// Messages of which memory knows each by itself, and those that the time index counts.
    pub(super) fn known(&self) -> u64 {
        self.live.len() as u64 + self.staged.len() as u64 + self.indexed
    }

    /// `now` is the time at which the page was asked for: what was delayed then is still in the time index.
    fn absorb_rows(
        &mut self,
        range: &Range<u64>,
        now: u64,
        rows: Vec<(u64, RowHead, Bytes)>,
        cold: &[(u64, Lease)],
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        let end = rows.last().map_or(range.end, |(seq, ..)| seq + 1);
        let staged = |(seq, head, row): (u64, RowHead, Bytes)| {
            let known = cold.binary_search_by_key(&seq, |(seq, _)| *seq).ok().map(|at| cold[at].1);
            let lease = known.unwrap_or(Lease::untouched(head));
            (known.is_some() || head.visible_from <= now).then_some(Staged {
                seq,
                lease,
                cold: known.is_some(),
                row,
            })
        };
        let page: Vec<_> = rows.into_iter().filter_map(staged).collect();
        if self.known() + page.len() as u64 > self.stored || cold.len() as u64 > self.cold {
            return Err(Malformed("counts fewer messages than there are"));
        }
        self.cursor = end;
        for staged in page {
            self.stage(staged);
        }
        self.expire_staged(now, batch);
        Ok(())
    }

    /// Staged messages are in the order of their sequence, which for a queue is the order of sending.
    pub(super) fn expire_staged(&mut self, now: u64, batch: &mut Batch) {
        while let Some(first) = self.staged.front()
            && self.expiry(first.lease.sent_at) <= now
        {
            self.remove_first_staged(batch);
        }
    }

    fn absorb_delayed(
        &mut self,
        due: Vec<(u64, u64, Lease)>,
        next: Option<u64>,
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        let elsewhere =
            |seq| seq >= self.tail || self.live.contains_key(&seq) || self.staged_at(seq).is_some();
        let distinct = due.iter().map(|(_, seq, _)| *seq).collect::<HashSet<_>>().len() == due.len();
        if !distinct || due.len() as u64 > self.indexed || due.iter().any(|(_, seq, _)| elsewhere(*seq)) {
            return Err(Malformed("counts other delayed messages than there are"));
        }
        for (time, seq, lease) in due {
            batch.delete_meta(&keys::delayed(self.partition, time, seq));
            self.indexed -= 1;
            batch.put_meta(&keys::hot(self.partition, seq), &lease.encode(None));
            // Whatever is due by now is made ready, or expires, by the tick that follows.
            self.put_live(seq, lease, Phase::Delayed);
        }
        self.indexed_from = next.map_or(self.indexed_since, |time| Some(earlier(self.indexed_since, time)));
        self.fence = true;
        Ok(())
    }

    /// Where the time index begins, found out when the queue is opened.
    pub(crate) fn set_index_start(&mut self, first: Option<u64>) {
        self.indexed_from = first;
    }
}
