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
//! # Invariants
//!
//! - A message is live exactly if it has a hot lease in storage. Opening a queue loads the hot leases and nothing else.
//! - A message put out of memory has a cold lease instead; one that waits for a far delay has an entry in the time
//!   index. Both are counted, so that a queue without any never looks for them.
//! - `due` holds for each live message the next thing that time does to it: it becomes visible, or it expires. Nothing
//!   sweeps: whoever looks at the queue first calls [`QueueState::tick`].

mod leftover;
mod paging;
mod receive;
mod residence;
mod settle;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
pub(crate) use leftover::Leftover;
pub(crate) use paging::{Fetched, Need};
pub(crate) use receive::Leased;
pub(crate) use settle::Recalled;

use super::{
    lease::Lease,
    options::QueueCounters,
    record::Record,
    row::{RowHead, UnstampedRow},
    settings::Settings,
};
use crate::{keys, limits::MemoryBounds, storage::Batch};

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
}

/// An untouched message with its row at hand, or one that was put out of memory and has been read again.
#[derive(Debug)]
struct Staged {
    seq: u64,
    lease: Lease,
    /// Whether a cold lease is stored for it.
    cold: bool,
    row: Bytes,
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
    staged: VecDeque<Staged>,
    staged_bytes: usize,
    live: BTreeMap<u64, Live>,
    ready: BTreeSet<u64>,
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
    /// The earliest time that was put into the index since the last page of it was asked for.
    indexed_since: Option<u64>,
    /// Grows whenever a page that is being read may no longer be taken in.
    epoch: u64,
    /// Whether this operation wrote what later page reads must see.
    fence: bool,
    /// Sequences below this are committed, and so can be read.
    readable: u64,
    /// Groups that are not committed yet, each with the tail that it brings. Never more than the pipeline has: two.
    uncommitted: VecDeque<(u64, u64)>,
}

impl QueueState {
    /// A queue as its record describes it, with nothing in memory yet.
    pub(crate) fn new(id: u64, settings: Settings, bounds: MemoryBounds, record: &Record) -> Self {
        Self {
            id,
            settings,
            bounds,
            deleted: false,
            purged_at: None,
            partition: record.partition,
            tail: record.tail,
            cursor: record.head,
            staged: VecDeque::new(),
            staged_bytes: 0,
            live: BTreeMap::new(),
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            stored: record.stored,
            cold: record.cold,
            indexed: record.delayed,
            indexed_from: None,
            indexed_since: None,
            epoch: 0,
            fence: false,
            readable: record.tail,
            uncommitted: VecDeque::new(),
        }
    }

    /// The record that describes this state.
    pub(crate) fn record(&self, now: u64) -> Record {
        Record {
            partition: self.partition,
            head: self.staged.front().map_or(self.cursor, |first| first.seq.min(self.cursor)),
            tail: self.tail,
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
        debug_assert_eq!(self.live.len(), self.in_flight + self.delayed + self.ready.len());
        debug_assert!(self.known() <= self.stored);
    }

    /// Takes note of the group that the operation's batch went into: zero if it is committed already.
    pub(crate) fn submitted(&mut self, group: u64) {
        if group == 0 {
            self.readable = self.tail;
            return;
        }
        match self.uncommitted.back_mut() {
            Some((last, tail)) if *last == group => *tail = self.tail,
            _ => self.uncommitted.push_back((group, self.tail)),
        }
    }

    /// Takes note of what is committed: groups up to this one.
    pub(crate) fn committed(&mut self, group: u64) {
        while let Some((first, tail)) = self.uncommitted.front().copied()
            && first <= group
        {
            self.readable = tail;
            self.uncommitted.pop_front();
        }
    }

    /// Whether the operation wrote something that page reads must wait for; asking resets the answer.
    pub(crate) fn take_fence(&mut self) -> bool {
        std::mem::take(&mut self.fence)
    }

    /// Lets time do what is due by `now`: leases and delays end, messages expire, surplus leaves memory.
    pub(crate) fn tick(&mut self, now: u64, batch: &mut Batch) {
        // Bounded by what is in memory.
        while let Some((time, seq)) = self.due.first().copied()
            && time <= now
        {
            let live = &self.live[&seq];
            if self.expiry(live.lease.sent_at) <= now {
                self.remove_live(seq, batch);
            } else {
                let lease = live.lease;
                self.take_live(seq);
                self.put_live(seq, lease, Phase::Ready);
            }
        }
        self.expire_staged(now, batch);
        if self.ready.len() > self.bounds.ready {
            self.put_out_ready(batch);
        }
    }

    /// Adds a message to the end of the queue and returns its sequence.
    pub(crate) fn append(&mut self, now: u64, delay_ms: u64, row: UnstampedRow, batch: &mut Batch) -> u64 {
        let seq = self.tail;
        let head = RowHead::sent(now, delay_ms);
        let row = row.stamp(head);
        batch.put_row(self.partition, seq, row.clone());
        self.tail += 1;
        self.stored += 1;
        let lease = Lease::untouched(head);
        let keeping_up = self.cursor == seq;
        if delay_ms > 0 {
            self.delay(seq, lease, batch);
        } else if !keeping_up || self.staging_is_full() {
            return seq;
        } else {
            self.stage(Staged { seq, lease, cold: false, row });
        }
        if keeping_up {
            self.cursor = self.tail;
        }
        seq
    }

    /// The earliest time at which something in this queue changes by itself.
    pub(crate) fn next_event(&self) -> Option<u64> {
        let due = self.due.first().map(|(time, _)| *time);
        self.indexed_from.map_or(due, |time| Some(earlier(due, time)))
    }

    /// Whether a receive would find something, as far as memory knows.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty() || !self.staged.is_empty() || self.cursor < self.tail
    }

    /// The messages of the queue by what they are doing. Call [`tick`](Self::tick) first.
    pub(crate) fn counters(&self) -> QueueCounters {
        let (in_flight, delayed) = (self.in_flight as u64, self.delayed as u64 + self.indexed);
        QueueCounters { visible: self.stored - in_flight - delayed, in_flight, delayed }
    }

    /// Changes the settings; a new retention applies to what is in the queue already.
    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
        let events = self.live.iter().map(|(seq, live)| (self.event(live), *seq)).collect();
        self.due = events;
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
