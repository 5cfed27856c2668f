//! Emptying a queue at once, and what that leaves in storage to be cleared later.

use super::QueueState;
use crate::{queue::record::Record, seeded::seeded};

/// The sequences of a partition that nobody needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) partition: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl QueueState {
    /// Empties the queue by moving it to a new partition. Returns what is left behind.
    pub(crate) fn purge(&mut self, now: u64, partition: u64) -> Leftover {
        let settings = self.settings.clone();
        let record = Record {
            partition,
            head: self.tail,
            tail: self.tail,
            stored: 0,
            cold: 0,
            delayed: 0,
            as_of: now,
        };
        let fresh = Self::new(self.id, settings, self.bounds, &record);
        let mut left = std::mem::replace(self, fresh);
        self.purged_at = Some(now);
        self.past = std::mem::take(&mut left.past);
        self.past.note_purged(self.tail);
        self.epoch = left.epoch + 1;
        if seeded("purge-takes-what-came-later") {
            return Leftover { partition, from: self.tail, to: u64::MAX };
        }
        left.leftover()
    }

    /// What of this queue is in storage.
    pub(crate) fn leftover(&self) -> Leftover {
        let head = self.record(0).head;
        let first = self.live.keys().next().map_or(head, |first| head.min(*first));
        Leftover { partition: self.partition, from: first, to: self.tail }
    }
}
