//! What the state needs from storage before it can decide, and how it takes that in.

use std::{collections::HashSet, ops::Range};

use bytes::Bytes;

use super::{Phase, QueueState, earlier};
use crate::{
    codec::Malformed,
    keys,
    queue::{
        lease::Lease,
        row::{RowHead, group_in},
    },
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

/// What a call needs to be in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// That no message whose delay has ended is in the time index.
    Nothing,
    /// The first message that is not in flight: if it has not expired, nothing has.
    First,
    /// So many messages that can be received.
    Messages(usize),
    /// A message that can be received and is not spent, as long as fewer than so many spent ones are in memory.
    Unspent(usize),
}

/// A row as the state takes it in.
#[derive(Debug)]
pub(crate) struct PagedRow {
    pub(crate) seq: u64,
    pub(crate) head: RowHead,
    /// Checked when it was read: its group can be read again.
    pub(crate) row: Bytes,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Fetched {
    Rows { rows: Vec<PagedRow>, cold: Vec<(u64, Lease)> },
    Delayed { due: Vec<Due>, next: Option<u64> },
}

/// Where the delayed messages of a FIFO queue begin, if there are any.
#[derive(Debug)]
pub(crate) enum DelayedFrom {
    Known(Option<StillDelayed>),
    Search(DelaySearch),
}

/// The last messages of a FIFO queue, whose delay has not ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StillDelayed {
    pub(crate) from: u64,
    /// When the first of them came, if it was searched for and is committed.
    pub(crate) queued_at: Option<u64>,
}

/// A search for the first row in a range that was queued after some time.
#[derive(Debug, Clone)]
pub(crate) struct DelaySearch {
    pub(crate) partition: u64,
    pub(crate) range: Range<u64>,
    /// The time; none if it lies before all times.
    pub(crate) queued_until: Option<u64>,
}

/// An entry of the time index.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) time: u64,
    pub(crate) seq: u64,
    pub(crate) lease: Lease,
    pub(crate) group: Option<Box<str>>,
}

impl QueueState {
    /// What must be read before a call that wants this can be answered. Whoever gets it reads it, one at a time.
    pub(crate) fn ask(&mut self, now: u64, want: Want) -> Option<Need> {
        let need = self.need(now, want);
        if let Some(Need::Delayed { .. }) = need {
            self.indexed_since = None;
        }
        need
    }

    /// The same for those who only look whether there is something to be read.
    pub(crate) fn need(&mut self, now: u64, want: Want) -> Option<Need> {
        if self.indexed_from.is_some_and(|time| time <= now) {
            return Some(Need::Delayed { partition: self.partition, now, epoch: self.epoch });
        }
        let messages = match want {
            Want::Nothing => return None,
            Want::First if self.first_staged().is_some() => return None,
            Want::First => 1,
            Want::Messages(count) if self.has_enough(now, count) => return None,
            Want::Messages(count) => count,
            Want::Unspent(spent_max) => {
                let given_up = self.spent.len() >= spent_max || self.grouped.len() >= self.bounds.searched;
                if given_up || self.has_receivable(true) {
                    return None;
                }
                1
            }
        };
        self.skip_live();
        if self.cursor >= self.watermark.readable() || self.delayed_until.is_some() {
            return None;
        }
        let live = self.live.range(self.cursor..).next().map_or(u64::MAX, |(seq, _)| *seq);
        Some(Need::Rows {
            partition: self.partition,
            range: self.cursor..self.watermark.readable().min(live),
            page: Page { entries: messages.max(self.bounds.staged / 4), bytes: self.bounds.staged_bytes },
            cold: self.cold > 0,
            now,
            epoch: self.epoch,
        })
    }

    /// Whether so many messages can be received, or it is not worth to look further behind those with a group that
    /// wait.
    fn has_enough(&mut self, now: u64, count: usize) -> bool {
        // Spent messages are moved away, not returned.
        let count = count.saturating_add(self.spent.len());
        let plain = self.ready.range(..self.cursor).take(count).count() + self.plain.len();
        if plain >= count {
            return true;
        }
        let found = plain + self.groups.deliverable(now, self.in_flight, count - plain);
        let waiting = self.grouped.len();
        found >= count || waiting >= self.bounds.searched || found > 0 && waiting > self.bounds.staged
    }

    /// Whether there is something behind the cursor that a receive would look at.
    pub(super) fn may_page_in(&self) -> bool {
        self.cursor < self.tail && self.delayed_until.is_none() && self.grouped.len() < self.bounds.searched
    }

    /// Where the messages begin whose delay has not ended. They are in the order of sending, so those are the last ones.
    pub(crate) fn delayed_from(&self, now: u64) -> DelayedFrom {
        if self.settings.fifo.is_none() || self.settings.delay_ms == 0 || self.cursor >= self.tail {
            return DelayedFrom::Known(None);
        }
        if self.delayed_until.is_some() {
            return DelayedFrom::Known(Some(StillDelayed { from: self.cursor, queued_at: None }));
        }
        DelayedFrom::Search(DelaySearch {
            partition: self.partition,
            range: self.cursor..self.watermark.readable().max(self.cursor),
            queued_until: now.checked_sub(self.settings.delay_ms),
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
        self.live.len() as u64 + self.staged_len() as u64 + self.indexed
    }

    /// `now` is the time at which the page was asked for: what was delayed then is still in the time index.
    fn absorb_rows(
        &mut self,
        range: &Range<u64>,
        now: u64,
        rows: Vec<PagedRow>,
        cold: &[(u64, Lease)],
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        let mut end = rows.last().map_or(range.end, |last| last.seq + 1);
        let mut page = Vec::with_capacity(rows.len());
        let mut delayed_until = None;
        for PagedRow { seq, head, row } in rows {
            let known = cold.binary_search_by_key(&seq, |(seq, _)| *seq).ok().map(|at| cold[at].1);
            let lease = known.unwrap_or(Lease::untouched(head));
            delayed_until = self.fifo_visible_at(&lease).filter(|time| *time > now);
            if delayed_until.is_some() {
                end = seq;
                break;
            }
            if known.is_some() || head.visible_from <= now {
                page.push((seq, lease, known.is_some(), row));
            }
        }
        if self.known() + page.len() as u64 > self.stored || cold.len() as u64 > self.cold {
            return Err(Malformed("counts fewer messages than there are"));
        }
        self.cursor = end;
        self.delayed_until = delayed_until;
        for (seq, lease, cold, row) in page {
            let group = group_in(&row)?;
            self.stage(seq, lease, cold, group, row.clone());
        }
        self.expire_staged(now, batch);
        Ok(())
    }

    /// Removes what has expired of the staged messages.
    pub(super) fn expire_staged(&mut self, now: u64, batch: &mut Batch) {
        // At the end of time everything has expired, as it has for `expiry`.
        let sent_until =
            if now == u64::MAX { Some(now) } else { now.checked_sub(self.settings.retention_ms) };
        let Some(sent_until) = sent_until else { return };
        while let Some(seq) =
            self.plain.sent_until(sent_until).or_else(|| self.grouped.sent_until(sent_until))
        {
            if let Some(staged) = self.take_staged(seq, batch) {
                batch.delete_row(self.partition, staged.seq);
                self.stored -= 1;
                self.past.note_expired(staged.seq, self.expiry(staged.lease.sent_at));
            }
        }
    }

    fn absorb_delayed(
        &mut self,
        due: Vec<Due>,
        next: Option<u64>,
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        let elsewhere = |seq| seq >= self.tail || self.live.contains_key(&seq) || self.is_staged(seq);
        let distinct = due.iter().map(|due| due.seq).collect::<HashSet<_>>().len() == due.len();
        if !distinct || due.len() as u64 > self.indexed || due.iter().any(|due| elsewhere(due.seq)) {
            return Err(Malformed("counts other delayed messages than there are"));
        }
        for Due { time, seq, lease, group } in due {
            batch.delete_meta(&keys::delayed(self.partition, time, seq));
            self.indexed -= 1;
            lease.put(&keys::hot(self.partition, seq), group.as_deref(), batch);
            let group = group.map(|name| self.groups.enter(&name));
            // Whatever is due by now is made ready, or expires, by the tick that follows.
            self.put_live(seq, lease, Phase::Delayed, group);
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

#[cfg(test)]
mod tests;
