//! Looking at messages without changing anything: what each is doing.

use std::ops::Range;

use bytes::Bytes;

use super::{End, Live, Noted, Phase, QueueState};
use crate::{
    ids::MessageId,
    queue::{
        lease::Lease,
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

/// A stretch of stored rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) partition: u64,
    pub(crate) range: Range<u64>,
}

impl QueueState {
    /// How many messages there are, whatever they do.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// Where the rows of this queue are.
    pub(crate) fn rows(&self) -> Rows {
        Rows { partition: self.partition, range: self.stretch() }
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

    /// How many messages are in storage only.
    pub(crate) fn in_storage_only(&self) -> u64 {
        self.stored - self.known()
    }

    /// The sequence that a message was given when it was moved here, if it was one of the last.
    pub(crate) fn arrival(&self, id: MessageId) -> Option<u64> {
        self.past.arrival(id)
    }

    /// From now on notes what an observer is to be told.
    pub(crate) fn observe(&mut self) {
        self.past.observe();
    }

    /// What an observer is to be told since the last time.
    pub(crate) fn take_noted(&mut self) -> Vec<(u64, Noted)> {
        self.past.take_noted()
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
