//! What a consumer does with a message it has received: delete it, or change when it becomes visible.

use super::{Live, Phase, QueueState};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    keys,
    queue::{
        lease::Lease,
        options::{Deleted, VisibilityChanged},
    },
    storage::Batch,
};

/// A lease read from storage, and whether it is a cold one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recalled {
    pub(crate) lease: Lease,
    pub(crate) cold: bool,
}

impl QueueState {
    /// Whether the message may be in storage only, so that its lease must be read before it can be settled.
    ///
    /// Two ways lead there: it was received and put out of memory since, or a power cut has undone its delivery.
    pub(crate) fn must_recall(&self, seq: u64) -> bool {
        let in_storage = || seq >= self.cursor || self.staged_at(seq).is_some();
        seq < self.tail && !self.live.contains_key(&seq) && in_storage()
    }

    /// Makes a message live again whose lease was read in this epoch.
    pub(crate) fn recall(&mut self, seq: u64, recalled: &Recalled, batch: &mut Batch) {
        // A store that counts fewer messages than it has is damaged; the next page read says so.
        let counted = self.staged_at(seq).is_some() || self.known() < self.stored;
        if !self.must_recall(seq) || !counted {
            return;
        }
        if let Some(staged) = self.staged_at(seq).and_then(|at| self.staged.remove(at)) {
            self.staged_bytes -= staged.row.len();
        }
        if recalled.cold {
            batch.delete_meta(&keys::cold(self.partition, seq));
            self.cold = self.cold.saturating_sub(1);
        }
        batch.put_meta(&keys::hot(self.partition, seq), &recalled.lease.encode(None));
        self.put_live(seq, recalled.lease, Phase::Ready);
        self.epoch += 1;
        self.fence = true;
    }

    pub(super) fn staged_at(&self, seq: u64) -> Option<usize> {
        self.staged.binary_search_by_key(&seq, |staged| staged.seq).ok()
    }

    /// Deletes the message unless it has been received again since, whether or not its lease has ended (rule Q70).
    pub(crate) fn delete(&mut self, seq: u64, delivery: u32, batch: &mut Batch) -> Deleted {
        match self.live.get(&seq) {
            Some(live) if live.lease.deliveries > delivery => return Deleted::Stale,
            Some(_) => self.remove_live(seq, batch),
            None => {}
        }
        Deleted::Gone
    }

    /// Changes when the message becomes visible, counted from now.
    ///
    /// An older receipt can still make the message visible at once (rule Q71), but not keep it invisible.
    pub(crate) fn change_visibility(
        &mut self,
        (seq, delivery): (u64, u32),
        timeout_ms: u64,
        now: u64,
        max_ms: u64,
        batch: &mut Batch,
    ) -> Result<VisibilityChanged> {
        let Some(Live { lease, .. }) = self.live.get(&seq) else { return Ok(VisibilityChanged::Gone) };
        if lease.deliveries > delivery && timeout_ms > 0 {
            return Ok(VisibilityChanged::Stale);
        }
        let lease = lease.proven(delivery, now);
        let visible_at = now.saturating_add(timeout_ms);
        let invisible_ms = visible_at.saturating_sub(lease.received_at);
        if timeout_ms > 0 && invisible_ms > max_ms {
            let reason = format!(
                "the message would be invisible for {invisible_ms} ms since it was received, at most {max_ms} ms are allowed"
            );
            return Err(Error::invalid("timeout", format!("{timeout_ms} ms"), reason));
        }
        let lease = Lease { visible_at, ..lease };
        let phase = if timeout_ms == 0 { Phase::Ready } else { Phase::InFlight };
        self.take_live(seq);
        batch.put_meta(&keys::hot(self.partition, seq), &lease.encode(None));
        self.put_live(seq, lease, phase);
        Ok(VisibilityChanged::Until(Timestamp::from_millis(visible_at)))
    }
}
