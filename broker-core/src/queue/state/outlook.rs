//! Looking at a queue as a whole without changing anything: its counters, and what a receive would come to.

use super::{Blocked, Phase, QueueState, Rows, StillDelayed};
use crate::{
    clock::Timestamp,
    queue::{inspect::QueueStats, lease::Lease, options::QueueCounters},
};

/// The queue as a whole.
#[derive(Debug)]
pub(crate) struct Overview {
    /// All but the time of the oldest message, if that must be read.
    pub(crate) stats: QueueStats,
    /// Where the oldest message is the first row, if memory does not know it.
    pub(crate) oldest_in: Option<Rows>,
    /// When time next changes something here, or has.
    pub(crate) next_change: Option<u64>,
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

/// What tells somebody who watches the queue to look again: what may have changed, and what time may change when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glance {
    stored: u64,
    in_flight: usize,
    pub(super) delayed: u64,
    blocked: usize,
    first: Option<u64>,
    cursor: u64,
    next_event: Option<u64>,
    retention_ms: u64,
    delay_ms: u64,
}

impl QueueState {
    /// The messages of the queue by what they are doing. Call [`tick`](Self::tick) first. On a FIFO queue with a delay
    /// the caller has found out from which sequence on it has not ended.
    pub(crate) fn counters(&self, still_delayed: Option<StillDelayed>) -> QueueCounters {
        let fifo_delayed =
            still_delayed.map_or(0, |delayed| (self.tail - delayed.from).min(self.in_storage_only()));
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
            next_event: self.next_event(),
            retention_ms: self.settings.retention_ms,
            delay_ms: self.settings.delay_ms,
        }
    }

    /// The queue as a whole, its first message that is not in flight being in memory.
    pub(crate) fn overview(&self, still_delayed: Option<StillDelayed>) -> Overview {
        let (oldest, oldest_in) = match self.oldest() {
            Ok(oldest) => (oldest, None),
            Err(rows) => (None, Some(rows)),
        };
        let expiries = [self.plain.oldest(), self.grouped.oldest()].into_iter().flatten();
        let expiries = expiries.map(|sent_at| self.expiry(sent_at));
        let next_change = expiries.chain(self.delay_ends(still_delayed)).chain(self.next_event()).min();
        let stats = QueueStats {
            counters: self.counters(still_delayed),
            oldest: oldest.map(Timestamp::from_millis),
            groups_blocked: self.groups.blocked(),
        };
        Overview { stats, oldest_in, next_change }
    }

    /// When the delay ends of the first message that was searched for. If that is not committed yet: the next look tells.
    fn delay_ends(&self, still_delayed: Option<StillDelayed>) -> Option<u64> {
        let delayed =
            still_delayed.filter(|delayed| self.delayed_until.is_none() && delayed.from < self.tail)?;
        Some(delayed.queued_at.map_or(0, |queued_at| queued_at.saturating_add(self.settings.delay_ms)))
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
        let changes = |(_, seq): &&(u64, u64)| {
            let live = &self.live[seq];
            if at_limit || live.phase == Phase::Ready {
                return at_limit && live.phase == Phase::InFlight;
            }
            let group = self.group_name(live.group).filter(|_| self.settings.fifo.is_some());
            let first = group.is_none_or(|name| self.groups.first_hidden(name) == Some(*seq));
            let becomes_visible = live.lease.visible_at < self.expiry(live.lease.sent_at);
            // One that expires instead may let others of its group be received.
            first && (becomes_visible || group.is_some_and(|name| self.groups.has_visible(name)))
        };
        let due = self.due.iter().find(changes).map(|(time, _)| *time);
        if at_limit {
            return due;
        }
        [due, self.indexed_from, self.delayed_until].into_iter().flatten().min()
    }
}
