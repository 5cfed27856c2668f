//! Looking at a queue without changing anything: its counters, what a message is doing, why a receive finds nothing.

use std::ops::Range;

use bytes::Bytes;

use super::{End, Live, Phase, QueueState};
use crate::{
    clock::Timestamp,
    ids::MessageId,
    queue::{
        inspect::QueueStats,
        lease::Lease,
        options::QueueCounters,
        row::{RowHead, group_in},
    },
};

/// What a message is doing. Other messages are named by their sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    Visible,
    /// It can be received, and goes to the dead-letter queue instead if there is one.
    Spent {
        queue: String,
        receives: u32,
    },
    InFlight {
        until: u64,
        delivery: u32,
    },
    Delayed {
        until: u64,
    },
    Blocked(Blocked),
    Ended(End),
}

/// A message group that waits for the end of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) group: String,
    pub(crate) behind: u64,
    pub(crate) until: u64,
}

/// A message as it is stored: with its cold lease if it has one. Its row was checked when it was read.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) head: RowHead,
    pub(crate) cold: Option<Lease>,
    pub(crate) row: Bytes,
}

impl Stored {
    pub(crate) fn lease(&self) -> Lease {
        self.cold.unwrap_or(Lease::untouched(self.head))
    }
}

/// The queue as a whole.
#[derive(Debug)]
pub(crate) struct Overview {
    /// All but the time of the oldest message, if that must be read.
    pub(crate) stats: QueueStats,
    /// Where the oldest message is the first row, if memory does not know it.
    pub(crate) oldest_in: Option<Rows>,
    /// When time next changes something here.
    pub(crate) next_change: Option<u64>,
}

/// A stretch of stored rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) partition: u64,
    pub(crate) range: Range<u64>,
}

/// What a receive would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// A message.
    Message,
    /// Only messages that go to the dead-letter queue, among them so many that are in memory.
    OnlySpent(usize),
    /// Nothing: every visible message in memory waits for an earlier one of its group.
    Blocked(Blocked),
    /// Nothing.
    Nothing,
}

/// What somebody who watches the queue could see change, besides what time alone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glance {
    stored: u64,
    in_flight: usize,
    delayed: u64,
    blocked: usize,
    first: Option<u64>,
    cursor: u64,
    delayed_until: Option<u64>,
}

impl QueueState {
    /// The messages of the queue by what they are doing. Call [`tick`](Self::tick) first. On a FIFO queue with a delay
    /// the caller has found out from which sequence on it has not ended.
    pub(crate) fn counters(&self, delayed_from: Option<u64>) -> QueueCounters {
        let fifo_delayed = delayed_from.map_or(0, |seq| (self.tail - seq).min(self.in_storage_only()));
        let (in_flight, delayed) = (self.in_flight as u64, self.delayed as u64 + self.indexed + fifo_delayed);
        QueueCounters { visible: self.stored - in_flight - delayed, in_flight, delayed }
    }

    pub(crate) fn glance(&self) -> Glance {
        Glance {
            stored: self.stored,
            in_flight: self.in_flight,
            delayed: self.delayed as u64 + self.indexed,
            blocked: self.groups.blocked(),
            first: self.first_in_memory().map(|(seq, _)| seq),
            cursor: self.cursor,
            delayed_until: self.delayed_until,
        }
    }

    /// The queue as a whole, its first message that is not in flight being in memory.
    pub(crate) fn overview(&self, delayed_from: Option<u64>) -> Overview {
        let (oldest, oldest_in) = match self.oldest() {
            Ok(oldest) => (oldest, None),
            Err(rows) => (None, Some(rows)),
        };
        let expiries = [self.plain.oldest(), self.grouped.oldest()].into_iter().flatten();
        let next_change = expiries.map(|sent_at| self.expiry(sent_at)).chain(self.next_event()).min();
        let stats = QueueStats {
            counters: self.counters(delayed_from),
            oldest: oldest.map(Timestamp::from_millis),
            groups_blocked: self.groups.blocked(),
        };
        Overview { stats, oldest_in, next_change }
    }

    /// When the oldest message came into the queue, if there is one; if memory does not know, where it is the first row.
    /// Messages came in the order of their sequences.
    fn oldest(&self) -> Result<Option<u64>, Rows> {
        let first = self.first_in_memory();
        if self.indexed > 0 {
            return Err(self.rows());
        }
        if self.in_storage_only() == 0 || first.is_some_and(|(seq, _)| seq < self.cursor) {
            return Ok(first.map(|(_, lease)| lease.queued_at));
        }
        // Then the message at the cursor is before all others, and its delay has not ended.
        let delayed = self.delayed_until.map(|until| Some(until.saturating_sub(self.settings.delay_ms)));
        delayed.ok_or_else(|| self.rows())
    }

    fn first_in_memory(&self) -> Option<(u64, Lease)> {
        let live = self.live.first_key_value().map(|(seq, live)| (*seq, live.lease));
        let staged = [self.plain.front(), self.grouped.front()].into_iter().flatten();
        staged.map(|staged| (staged.seq, staged.lease)).chain(live).min_by_key(|(seq, _)| *seq)
    }

    /// Where the rows of this queue are.
    pub(crate) fn rows(&self) -> Rows {
        let leftover = self.leftover();
        // Those of the time index may lie before all others.
        let from = if self.indexed > 0 { 0 } else { leftover.from };
        Rows { partition: self.partition, range: from..self.tail }
    }

    /// Whether such a sequence has been given out.
    pub(crate) fn has_given_out(&self, seq: u64) -> bool {
        seq < self.tail
    }

    /// What this message is doing: if it is not in memory, as it was just read from storage. Nothing due is in the time
    /// index. `None`: memory does not know it, and it is not stored.
    pub(crate) fn sight(&self, seq: u64, stored: Option<&Stored>, now: u64) -> Option<Sight> {
        if let Some(Live { lease, phase, group }) = self.live.get(&seq) {
            return Some(match phase {
                Phase::Ready => self.sight_visible(seq, lease, self.group_name(*group)),
                Phase::InFlight => Sight::InFlight { until: lease.visible_at, delivery: lease.deliveries },
                Phase::Delayed => Sight::Delayed { until: lease.visible_at },
            });
        }
        if let Some(staged) = self.plain.get(seq).or_else(|| self.grouped.get(seq)) {
            return Some(self.sight_visible(seq, &staged.lease, self.group_name(staged.group)));
        }
        if let Some(end) = self.past.end(seq) {
            return Some(Sight::Ended(end));
        }
        let stored = stored?;
        let lease = stored.lease();
        let expiry = self.expiry(lease.sent_at);
        if expiry <= now {
            return Some(Sight::Ended(End::Expired { at: expiry }));
        }
        let behind_cursor = seq >= self.cursor;
        let waits_until = match self.settings.fifo {
            // Behind a message whose delay has not ended, nothing is received.
            Some(_) => self.fifo_visible_at(&lease).max(self.delayed_until).filter(|_| behind_cursor),
            None if stored.cold.is_some() => None,
            None => Some(stored.head.visible_from),
        };
        if let Some(until) = waits_until.filter(|time| *time > now) {
            return Some(Sight::Delayed { until });
        }
        // Before the cursor it is gone: it was read a moment ago.
        behind_cursor.then(|| self.sight_visible(seq, &lease, group_in(&stored.row).ok().flatten()))
    }

    fn sight_visible(&self, seq: u64, lease: &Lease, group: Option<&str>) -> Sight {
        let hidden = group.filter(|_| self.settings.fifo.is_some());
        let hidden = hidden.and_then(|name| Some((name, self.groups.first_hidden(name)?)));
        if let Some((name, behind)) = hidden.filter(|(_, behind)| *behind < seq) {
            let until = self.event(&self.live[&behind]);
            return Sight::Blocked(Blocked { group: name.to_owned(), behind, until });
        }
        match self.settings.redrive_policy.target() {
            Some((queue, _)) if self.is_spent(lease) => {
                Sight::Spent { queue: queue.to_owned(), receives: lease.deliveries }
            }
            _ => Sight::Visible,
        }
    }

    /// The lease of a message that is in memory.
    pub(crate) fn lease_in_memory(&self, seq: u64) -> Option<Lease> {
        let staged = || Some(self.plain.get(seq).or_else(|| self.grouped.get(seq))?.lease);
        self.live.get(&seq).map(|live| live.lease).or_else(staged)
    }

    /// What a receive would come to now. It has been supplied with what it needs; `dead_letters` says whether spent
    /// messages go to a dead-letter queue.
    pub(crate) fn prospect(&self, dead_letters: bool) -> Prospect {
        if self.has_receivable(dead_letters) {
            Prospect::Message
        } else if self.has_receivable(false) {
            Prospect::OnlySpent(self.spent.len())
        } else {
            self.next_unblocked().map_or(Prospect::Nothing, Prospect::Blocked)
        }
    }

    /// Whether memory has a message that can be received, `unspent` or any.
    pub(super) fn has_receivable(&self, unspent: bool) -> bool {
        if !unspent || self.spent.is_empty() {
            return !self.ready.is_empty() || !self.plain.is_empty() || self.groups.can_deliver();
        }
        let plain = self.ready.iter().copied().chain(self.plain.from(0).map(|staged| staged.seq));
        // Bounded by the spent messages in memory.
        plain.chain(self.groups.free()).any(|seq| !self.spent.contains(&seq))
    }

    /// FIFO: the blocked group whose block ends first, if nobody does anything.
    fn next_unblocked(&self) -> Option<Blocked> {
        // Bounded by what is in memory, as below.
        self.due.iter().find_map(|(until, seq)| {
            let name = self.group_name(self.live[seq].group).filter(|_| self.settings.fifo.is_some())?;
            let blocks = self.groups.first_hidden(name) == Some(*seq) && self.groups.has_visible(name);
            blocks.then(|| Blocked { group: name.to_owned(), behind: *seq, until: *until })
        })
    }

    /// When a receive that comes to nothing now may come to something, if nobody does anything: a message becomes
    /// visible, or at the in-flight limit there is room.
    pub(crate) fn next_visible(&self, at_limit: bool) -> Option<u64> {
        let changes = |(time, seq): &&(u64, u64)| {
            let live = &self.live[seq];
            if live.phase == Phase::Ready || at_limit {
                return live.phase == Phase::InFlight;
            }
            let group = self.group_name(live.group).filter(|_| self.settings.fifo.is_some());
            let first = group.is_none_or(|name| self.groups.first_hidden(name) == Some(*seq));
            // One that expires instead may let others of its group be received.
            first
                && (*time == live.lease.visible_at || group.is_some_and(|name| self.groups.has_visible(name)))
        };
        let due = self.due.iter().find(changes).map(|(time, _)| *time);
        [due, self.indexed_from, self.delayed_until].into_iter().flatten().min()
    }

    /// How many messages are in storage only.
    pub(crate) fn in_storage_only(&self) -> u64 {
        self.stored - self.known()
    }

    /// The sequence that a message was given when it was moved here, if it was one of the last.
    pub(crate) fn arrival(&self, id: MessageId) -> Option<u64> {
        self.past.arrival(id)
    }

    /// A message of another queue was moved here.
    pub(crate) fn note_arrived(&mut self, id: MessageId, seq: u64) {
        self.past.note_arrived(id, seq);
    }

    /// A message was taken out of this queue and moved to another one.
    pub(crate) fn note_moved(&mut self, seq: u64, queue: &str, receives: u32, now: u64) {
        self.past.note_moved(seq, queue, receives, now);
    }
}
