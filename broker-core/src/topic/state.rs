//! The state of one topic: plain data, changed by ordinary functions that take `now` and write their durable effect into
//! a [`Batch`]. No I/O, no clock, no `async`, no lock.
//!
//! A topic gives out sequences, as a queue does, and never the same twice. A FIFO topic remembers deduplication ids as a
//! queue does, and keeps the messages of its archive as rows of its partition, from `head` on.

use std::sync::Arc;

use bytes::Bytes;

use super::{settings::Settings, shell::Subscription};
use crate::{
    keys,
    queue::{
        record::Record,
        state::{Deduplication, Known, Leftover, ScopedId},
    },
    storage::Batch,
};

/// The subscriptions of a topic, in the order of their numbers. Replaced as a whole, so that a publish works with the same
/// ones from its beginning to its end.
pub(crate) type Subscriptions = Arc<Vec<Arc<Subscription>>>;

/// The state of one topic.
pub(crate) struct TopicState {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    /// The topic was deleted: its handles answer so from now on.
    pub(crate) deleted: bool,
    pub(crate) subscriptions: Subscriptions,
    partition: u64,
    /// The first sequence that the archive may hold.
    head: u64,
    tail: u64,
    /// Where the archive begins that is kept now: what is before it was given up.
    pub(crate) archived_from: u64,
    deduplication: Deduplication,
}

impl TopicState {
    /// A new topic, or one that was opened and may have ids in storage.
    pub(crate) fn new(id: u64, settings: Settings, record: &Record, reopened: bool) -> Self {
        let Record { partition, head, tail, as_of, .. } = *record;
        let deduplication = if reopened { Deduplication::reopened(as_of) } else { Deduplication::new(as_of) };
        let subscriptions = Subscriptions::default();
        Self {
            id,
            settings,
            deleted: false,
            subscriptions,
            partition,
            head,
            tail,
            archived_from: 0,
            deduplication,
        }
    }

    /// The record that describes this state.
    pub(crate) fn record(&self, now: u64) -> Record {
        let Self { partition, head, tail, .. } = *self;
        Record { partition, head, tail, stored: 0, cold: 0, delayed: 0, as_of: now }
    }

    pub(crate) fn save(&self, now: u64, batch: &mut Batch) {
        batch.put_meta(&keys::record(self.id), &self.record(now).encode());
    }

    /// The next sequence to be given out.
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// What the archive holds, as far as anybody may still see it.
    pub(crate) fn archive(&self) -> std::ops::Range<u64> {
        self.head.max(self.archived_from)..self.tail
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The partition of the archive and of the deduplication ids.
    pub(crate) fn partition(&self) -> u64 {
        self.partition
    }

    /// Takes a message: its sequence is the tail that was. `archived` is its row if the archive keeps it.
    pub(crate) fn accept(
        &mut self,
        id: Option<ScopedId>,
        archived: Option<Bytes>,
        now: u64,
        batch: &mut Batch,
    ) {
        let seq = self.tail;
        self.tail += 1;
        if let Some(id) = id {
            self.deduplication.accept(self.partition, id, seq, now, batch);
        }
        match archived {
            Some(row) => batch.put_row(self.partition, seq, row),
            // An archive that is empty stays so.
            None if self.head == seq => self.head = self.tail,
            None => {}
        }
    }

    /// Gives up what the archive holds below a sequence.
    pub(crate) fn trim(&mut self, below: u64, now: u64, batch: &mut Batch) {
        if below > self.head {
            self.head = below;
            batch.trim_rows(self.partition, below);
            self.save(now, batch);
        }
    }

    /// What is known of a deduplication id.
    pub(crate) fn look_up_id(&self, id: &ScopedId, now: u64) -> Known {
        self.deduplication.look_up(id, now)
    }

    /// Takes note of the group that the last accepted ids went into.
    pub(crate) fn submitted(&mut self, group: u64) {
        self.deduplication.submitted(group);
    }

    /// Takes note of what is committed: groups up to this one.
    pub(crate) fn committed(&mut self, group: u64) {
        self.deduplication.committed(group);
    }

    /// The partition and the generation below which its ids can be cleared, once for each.
    pub(crate) fn take_forgotten_ids(&mut self, now: u64) -> Option<(u64, u64)> {
        self.deduplication.take_forgotten(now).map(|below| (self.partition, below))
    }

    /// What is left in storage of a topic that ends here.
    pub(crate) fn leftover(&self) -> Leftover {
        Leftover { partition: self.partition, from: self.head, to: self.tail }
    }
}

#[cfg(test)]
mod tests;
