//! Adding messages to the end of the queue.

use bytes::Bytes;

use super::{Known, QueueState, ScopedId};
use crate::{
    queue::{lease::Lease, row::RowHead},
    storage::Batch,
};

impl QueueState {
    /// Adds a message to the end of the queue and returns its sequence; `row` fills its times in. On a FIFO queue the delay is always that of the
    /// queue.
    pub(crate) fn append(
        &mut self,
        now: u64,
        delay_ms: u64,
        group: Option<&str>,
        row: impl FnOnce(RowHead) -> Bytes,
        batch: &mut Batch,
    ) -> u64 {
        let delay_ms = if self.settings.fifo.is_some() { 0 } else { delay_ms };
        self.append_as(RowHead::sent(now, delay_ms), now, group, row, batch)
    }

    /// Adds a message that was moved here. A FIFO queue counts its retention from now (rules Q83, F53).
    pub(crate) fn append_moved(
        &mut self,
        sent_at: u64,
        now: u64,
        group: Option<&str>,
        row: impl FnOnce(RowHead) -> Bytes,
        batch: &mut Batch,
    ) -> u64 {
        let sent_at = if self.settings.fifo.is_some() { now } else { sent_at };
        self.append_as(RowHead { sent_at, ..RowHead::sent(now, 0) }, now, group, row, batch)
    }

    fn append_as(
        &mut self,
        head: RowHead,
        now: u64,
        group: Option<&str>,
        row: impl FnOnce(RowHead) -> Bytes,
        batch: &mut Batch,
    ) -> u64 {
        let seq = self.tail;
        let row = row(head);
        batch.put_row(self.partition, seq, row.clone());
        self.past.note_row(seq, &row);
        self.tail += 1;
        self.stored += 1;
        let lease = Lease::untouched(head);
        let keeping_up = self.cursor == seq;
        let fifo_delay = self.fifo_visible_at(&lease).filter(|time| *time > now);
        if head.visible_from > now {
            self.delay(seq, lease, group, batch);
        } else if !keeping_up {
            return seq;
        } else if fifo_delay.is_some() {
            self.delayed_until = fifo_delay;
            return seq;
        } else if self.has_room_to_stage(group.is_some()) {
            self.stage(seq, lease, false, group, row);
        } else {
            return seq;
        }
        if keeping_up {
            self.cursor = self.tail;
        }
        seq
    }

    /// What is known of a deduplication id.
    pub(crate) fn look_up_id(&self, id: &ScopedId, now: u64) -> Known {
        self.deduplication.look_up(id, now)
    }

    /// Remembers the deduplication id of a message that was appended now.
    pub(crate) fn remember_id(&mut self, id: ScopedId, seq: u64, now: u64, batch: &mut Batch) {
        self.deduplication.accept(self.partition, id, seq, now, batch);
    }

    /// The partition and the generation below which its ids can be cleared, once for each.
    pub(crate) fn take_forgotten_ids(&mut self, now: u64) -> Option<(u64, u64)> {
        self.deduplication.take_forgotten(now).map(|below| (self.partition, below))
    }

    /// When an untouched message of a FIFO queue becomes visible: the queue's delay is that of all its messages, those
    /// sent before it was set included (rule F3).
    pub(super) fn fifo_visible_at(&self, lease: &Lease) -> Option<u64> {
        self.settings.fifo?;
        (lease.deliveries == 0).then(|| lease.queued_at.saturating_add(self.settings.delay_ms))
    }
}
