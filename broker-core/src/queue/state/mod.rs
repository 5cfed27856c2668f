//! The state of one queue: plain data, changed by ordinary functions that take `now` and write their durable effect
//! into a [`Batch`]. No I/O, no clock, no `async`, no lock.
//!
//! # Where a message is
//!
//! A queue's sequences fall into three stretches, of which only the middle one costs memory:
//!
//! ```text
//!   0 ........ cursor ....................... tail
//!     in memory, or gone | in storage only     | not given out yet
//! ```
//!
//! Below `cursor`, a message is *staged* (untouched, its row at hand), *live* (its lease is in memory: in flight,
//! delayed, or ready to be received again), or gone. From `cursor` on, a message is in storage only, unless it is live.
//! The cursor moves up as rows are paged in, and back when ready messages are put out of memory because there are too
//! many. So memory follows work, not backlog.
//!
//! Messages without a group are received in the order of sending. Those with one belong to a group in memory besides
//! ([`groups`]), which says what may be received next.
//!
//! # Invariants
//!
//! - What a group has below the cursor is known completely. On a FIFO queue nothing from the cursor on is ready: it
//!   could overtake a message of its group that waits in storage.
//! - A message is live exactly if it has a hot lease in storage. Opening a queue loads the hot leases and nothing else.
//! - A message put out of memory has a cold lease instead; one that waits for a far delay has an entry in the time
//!   index. Both are counted, so that a queue without any never looks for them.
//! - `due` holds for each live message the next thing that time does to it: it becomes visible, or it expires. Nothing
//!   sweeps: whoever looks at the queue first calls [`QueueState::tick`].

mod attempts;
mod deduplication;
mod extract;
mod fairness;
mod groups;
mod inside;
mod leftover;
mod ordered;
mod outlook;
mod paging;
mod past;
mod receive;
mod residence;
mod send;
mod settle;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use attempts::Attempts;
pub(crate) use deduplication::{Deduplication, Known, Original, ScopedId};
pub(crate) use extract::{Scan, ScanPage, Standing};
use groups::{GroupSlot, Groups};
pub(crate) use inside::{Blocked, Rows, Sight, Stored};
pub(crate) use leftover::Leftover;
pub(crate) use outlook::{Glance, Prospect};
pub(crate) use paging::{DelaySearch, DelayedFrom, StillDelayed};
pub(crate) use paging::{Due, Fetched, Need, PagedRow, Want};
use past::Past;
pub(crate) use past::{End, Noted};
pub(crate) use receive::{Leased, Spent, SpentRule};
pub(crate) use settle::{Place, Recalled};
use stage::{Stage, Staged};

use super::{lease::Lease, record::Record, settings::Settings};
use crate::{keys, limits::MemoryBounds, pipeline::Watermark, seeded::seeded, storage::Batch};

/// What a live message is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Can be received.
    Ready,
    /// Was received and is neither deleted nor visible again.
    InFlight,
    /// Waits for its delay to end.
    Delayed,
}

#[derive(Debug)]
struct Live {
    lease: Lease,
    phase: Phase,
    group: Option<GroupSlot>,
}

/// The state of one queue.
#[derive(Debug)]
pub(crate) struct QueueState {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    bounds: MemoryBounds,
    /// The queue was deleted: its handles answer so from now on.
    pub(crate) deleted: bool,
    /// When the queue was last purged in this process.
    pub(crate) purged_at: Option<u64>,
    partition: u64,
    tail: u64,
    cursor: u64,
    /// Staged messages without a group, and those with one.
    plain: Stage,
    grouped: Stage,
    groups: Groups,
    live: BTreeMap<u64, Live>,
    /// Ready messages without a group, and those with one.
    ready: BTreeSet<u64>,
    ready_grouped: BTreeSet<u64>,
    /// Messages in memory that were received as often as they may be.
    spent: BTreeSet<u64>,
    due: BTreeSet<(u64, u64)>,
    in_flight: usize,
    delayed: usize,
    /// All messages of the queue, wherever they are.
    stored: u64,
    /// Messages with a cold lease, staged ones included.
    cold: u64,
    /// Messages in the time index.
    indexed: u64,
    /// The earliest time in the time index, if it has entries.
    indexed_from: Option<u64>,
    /// FIFO: when the message at the cursor becomes visible, if its delay has not ended. What is behind it comes later.
    delayed_until: Option<u64>,
    deduplication: Deduplication,
    attempts: Attempts,
    /// FIFO: storage-only messages that this operation has found to be there.
    present: Vec<u64>,
    /// What became of the last messages that are gone.
    past: Past,
    /// Kept for its memory.
    run: Vec<u64>,
    /// The earliest time that was put into the index since the last page of it was asked for.
    indexed_since: Option<u64>,
    /// Grows whenever a page that is being read may no longer be taken in.
    epoch: u64,
    /// Whether this operation wrote what later page reads must see.
    fence: bool,
    /// What is committed of the rows, and so can be read.
    watermark: Watermark,
}

impl QueueState {
    /// A queue as its record describes it, with nothing in memory yet.
    pub(crate) fn new(id: u64, settings: Settings, bounds: MemoryBounds, record: &Record) -> Self {
        let groups = Groups::new(settings.fifo.is_some());
        Self {
            id,
            settings,
            bounds,
            deleted: false,
            purged_at: None,
            partition: record.partition,
            tail: record.tail,
            cursor: record.head,
            plain: Stage::default(),
            grouped: Stage::default(),
            groups,
            live: BTreeMap::new(),
            ready: BTreeSet::new(),
            ready_grouped: BTreeSet::new(),
            spent: BTreeSet::new(),
            due: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            stored: record.stored,
            cold: if seeded("counts-not-restored") { 0 } else { record.cold },
            indexed: record.delayed,
            delayed_until: None,
            deduplication: Deduplication::new(record.as_of),
            attempts: Attempts::default(),
            present: Vec::new(),
            past: Past::default(),
            run: Vec::new(),
            indexed_from: None,
            indexed_since: None,
            epoch: 0,
            fence: false,
            watermark: Watermark::new(record.tail),
        }
    }

    /// The record that describes this state.
    pub(crate) fn record(&self, now: u64) -> Record {
        let again = u64::from(self.stored == 0 && seeded("sequence-used-again"));
        let tail = self.tail.saturating_sub(again);
        Record {
            partition: self.partition,
            head: self.first_staged().unwrap_or(self.cursor).min(tail),
            tail,
            stored: self.stored,
            cold: self.cold,
            delayed: self.indexed,
            as_of: now,
        }
    }

    /// Ends an operation: if it wrote anything, the record goes with it.
    pub(crate) fn finish(&mut self, now: u64, batch: &mut Batch) {
        if !batch.is_empty() {
            batch.put_meta(&keys::record(self.id), &self.record(now).encode());
        }
        self.groups.forget_empty();
        self.present.clear();
        debug_assert_eq!(self.live.len(), self.in_flight + self.delayed + self.ready_count());
        debug_assert!(self.known() <= self.stored);
    }

    /// Takes note of the group that the operation's batch went into: zero if it is committed already.
    pub(crate) fn submitted(&mut self, group: u64) {
        self.deduplication.submitted(group);
        self.watermark.submitted(group, self.tail);
    }

    /// Takes note of what is committed: groups up to this one.
    pub(crate) fn committed(&mut self, group: u64) {
        self.deduplication.committed(group);
        self.watermark.committed(group);
    }

    /// Whether the operation wrote something that page reads must wait for; asking resets the answer.
    pub(crate) fn take_fence(&mut self) -> bool {
        std::mem::take(&mut self.fence)
    }

    /// Lets time do what is due by `now`: leases and delays end, messages expire, surplus leaves memory.
    pub(crate) fn tick(&mut self, now: u64, batch: &mut Batch) {
        let due = now.saturating_sub(u64::from(seeded("deadline-a-tick-late")));
        // Bounded by what is in memory.
        while let Some((time, seq)) = self.due.first().copied()
            && time <= due
        {
            let expiry = self.expiry(self.live[&seq].lease.sent_at);
            if expiry <= now {
                self.remove_live(seq, now, batch);
                self.past.note_expired(seq, expiry);
            } else if let Some(Live { lease, group, .. }) = self.take_live(seq) {
                if lease.deliveries > 0 {
                    self.groups.note_work(group, lease.visible_at.saturating_sub(lease.received_at), now);
                }
                self.make_ready(seq, lease, group, batch);
            }
        }
        self.expire_staged(now, batch);
        self.delayed_until = self.delayed_until.filter(|time| *time > now);
        if self.ready_count() > self.bounds.ready {
            self.put_out_ready(batch);
        }
    }

    /// The earliest time at which something in this queue changes by itself.
    pub(crate) fn next_event(&self) -> Option<u64> {
        let due = self.due.first().map(|(time, _)| *time);
        [self.indexed_from, self.delayed_until].into_iter().flatten().chain(due).min()
    }

    /// Whether a receive would find something, as far as memory knows.
    pub(crate) fn has_more(&self) -> bool {
        let returned = !self.ready.is_empty() && !seeded("returned-message-wakes-nobody");
        returned || !self.plain.is_empty() || self.groups.can_deliver() || self.may_page_in()
    }

    /// Changes the settings. A new retention applies to what is in the queue already; so does the delay of a FIFO queue.
    pub(crate) fn set_settings(&mut self, settings: Settings, now: u64, batch: &mut Batch) {
        self.settings = settings;
        let events = self.live.iter().map(|(seq, live)| (self.event(live), *seq)).collect();
        self.due = events;
        self.find_spent();
        self.delayed_until = None;
        let delayed = |staged: &Staged| self.fifo_visible_at(&staged.lease).is_some_and(|time| time > now);
        let first = self.grouped.from(0).find(|staged| delayed(staged)).map(|staged| staged.seq);
        if let Some(first) = first {
            self.move_cursor_back(first, batch);
        }
    }

    /// Changes whenever what was read before may no longer be taken in.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The partition in which the queue's rows are.
    pub(crate) fn partition(&self) -> u64 {
        self.partition
    }
}

/// The earlier of a time that may be and one that is.
fn earlier(known: Option<u64>, time: u64) -> u64 {
    known.map_or(time, |known| known.min(time))
}

#[cfg(test)]
mod tests;
