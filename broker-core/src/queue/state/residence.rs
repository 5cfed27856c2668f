//! Which messages are in memory, and how they get there and out again.

use super::{Live, Phase, QueueState, Staged, earlier};
use crate::{keys, queue::lease::Lease, storage::Batch};

impl QueueState {
    /// Keeps a delayed message in memory, or if there are many, in the time index.
    pub(super) fn delay(&mut self, seq: u64, lease: Lease, batch: &mut Batch) {
        if self.delayed < self.bounds.delayed {
            batch.put_meta(&keys::hot(self.partition, seq), &lease.encode(None));
            self.put_live(seq, lease, Phase::Delayed);
            return;
        }
        let time = lease.visible_at.min(self.expiry(lease.sent_at));
        batch.put_meta(&keys::delayed(self.partition, time, seq), &lease.encode(None));
        self.indexed += 1;
        self.indexed_from = Some(earlier(self.indexed_from, time));
        self.indexed_since = Some(earlier(self.indexed_since, time));
        self.fence = true;
    }

    pub(super) fn expiry(&self, sent_at: u64) -> u64 {
        sent_at.saturating_add(self.settings.retention_ms)
    }

    /// When time next does something to a live message.
    pub(super) fn event(&self, live: &Live) -> u64 {
        let expiry = self.expiry(live.lease.sent_at);
        if live.phase == Phase::Ready { expiry } else { expiry.min(live.lease.visible_at) }
    }

    /// Makes a message live, in memory only: its hot lease is the caller's business.
    pub(crate) fn restore(&mut self, seq: u64, lease: Lease, now: u64) {
        let phase = match lease {
            Lease { visible_at, .. } if visible_at <= now => Phase::Ready,
            Lease { deliveries: 0, .. } => Phase::Delayed,
            _ => Phase::InFlight,
        };
        self.put_live(seq, lease, phase);
    }

    /// Makes visible what is in flight, in memory only: should this broker end before the message is received again,
    /// its stored lease is still there.
    pub(crate) fn release_in_flight(&mut self, now: u64) {
        let in_flight = self.live.iter().filter(|(_, live)| live.phase == Phase::InFlight);
        for seq in in_flight.map(|(seq, _)| *seq).collect::<Vec<_>>() {
            if let Some(lease) = self.take_live(seq) {
                self.put_live(seq, Lease { visible_at: now, ..lease }, Phase::Ready);
            }
        }
    }

    pub(super) fn put_live(&mut self, seq: u64, lease: Lease, phase: Phase) {
        let live = Live { lease, phase };
        self.due.insert((self.event(&live), seq));
        match phase {
            Phase::Ready => _ = self.ready.insert(seq),
            Phase::InFlight => self.in_flight += 1,
            Phase::Delayed => self.delayed += 1,
        }
        let before = self.live.insert(seq, live);
        debug_assert!(before.is_none(), "sequence {seq} was live already");
    }

    /// Takes a message out of memory, with everything that points to it.
    pub(super) fn take_live(&mut self, seq: u64) -> Option<Lease> {
        let live = self.live.remove(&seq)?;
        self.due.remove(&(self.event(&live), seq));
        match live.phase {
            Phase::Ready => _ = self.ready.remove(&seq),
            Phase::InFlight => self.in_flight -= 1,
            Phase::Delayed => self.delayed -= 1,
        }
        Some(live.lease)
    }

    /// Ends the life of a live message.
    pub(super) fn remove_live(&mut self, seq: u64, batch: &mut Batch) {
        if self.take_live(seq).is_some() {
            batch.delete_row(self.partition, seq);
            batch.delete_meta(&keys::hot(self.partition, seq));
            self.stored -= 1;
            // A page read from the cursor on must not find it again.
            self.fence |= seq >= self.cursor;
        }
    }

    pub(super) fn staging_is_full(&self) -> bool {
        self.staged.len() >= self.bounds.staged || self.staged_bytes >= self.bounds.staged_bytes
    }

    pub(super) fn stage(&mut self, staged: Staged) {
        self.staged_bytes += staged.row.len();
        debug_assert!(self.staged.back().is_none_or(|last| last.seq < staged.seq));
        self.staged.push_back(staged);
    }

    pub(super) fn take_first_staged(&mut self) -> Option<Staged> {
        let staged = self.staged.pop_front()?;
        self.staged_bytes -= staged.row.len();
        Some(staged)
    }

    /// Ends the life of the first staged message.
    pub(super) fn remove_first_staged(&mut self, batch: &mut Batch) {
        if let Some(staged) = self.take_first_staged() {
            batch.delete_row(self.partition, staged.seq);
            self.forget_cold(&staged, batch);
            self.stored -= 1;
        }
    }

    /// Removes the cold lease of a message that is leaving storage for memory, or for good.
    pub(super) fn forget_cold(&mut self, staged: &Staged, batch: &mut Batch) {
        if staged.cold {
            batch.delete_meta(&keys::cold(self.partition, staged.seq));
            self.cold = self.cold.saturating_sub(1);
            self.fence = true;
        }
    }

    /// Puts the newest of the ready messages out of memory, and moves the cursor back in front of them.
    pub(super) fn put_out_ready(&mut self, batch: &mut Batch) {
        let mut lowest = self.cursor;
        while self.ready.len() > self.bounds.ready / 2
            && let Some(seq) = self.ready.last().copied()
        {
            let lease = self.take_live(seq).expect("a ready message is live");
            batch.delete_meta(&keys::hot(self.partition, seq));
            batch.put_meta(&keys::cold(self.partition, seq), &lease.encode(None));
            self.cold += 1;
            lowest = lowest.min(seq);
        }
        while let Some(last) = self.staged.back()
            && last.seq >= lowest
        {
            self.staged_bytes -= last.row.len();
            self.staged.pop_back();
        }
        self.cursor = lowest;
        self.epoch += 1;
        self.fence = true;
    }
}
