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

impl QueueState {
    /// Whether the message may be in storage only, with a cold lease that must be read before it can be settled.
    pub(crate) fn may_be_cold(&self, seq: u64) -> bool {
        self.cold > 0 && !self.live.contains_key(&seq) && seq < self.tail
    }

    /// Makes a message live again whose cold lease was read.
    pub(crate) fn recall(&mut self, seq: u64, lease: Lease, batch: &mut Batch) {
        let staged_at = self.staged.binary_search_by_key(&seq, |staged| staged.seq).ok();
        if self.live.contains_key(&seq) || (staged_at.is_none() && seq < self.cursor) {
            return; // It has been settled, or paged in and settled, while its cold lease was being read.
        }
        if let Some(staged) = staged_at.and_then(|at| self.staged.remove(at)) {
            self.staged_bytes -= staged.row.len();
        }
        batch.delete_meta(&keys::cold(self.partition, seq));
        batch.put_meta(&keys::hot(self.partition, seq), &lease.encode());
        self.cold -= 1;
        self.put_live(seq, lease, Phase::Ready);
        self.epoch += 1;
        self.fence = true;
    }

    /// Deletes the message if the receipt is of its latest delivery, whether or not its lease has ended (rule Q70).
    pub(crate) fn delete(&mut self, seq: u64, delivery: u32, batch: &mut Batch) -> Deleted {
        match self.live.get(&seq) {
            Some(live) if live.lease.deliveries == delivery => self.remove_live(seq, batch),
            Some(_) => return Deleted::Stale,
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
        if lease.deliveries != delivery && timeout_ms > 0 {
            return Ok(VisibilityChanged::Stale);
        }
        let visible_at = now.saturating_add(timeout_ms);
        let invisible_ms = visible_at.saturating_sub(lease.received_at);
        if timeout_ms > 0 && invisible_ms > max_ms {
            let reason = format!(
                "the message would be invisible for {invisible_ms} ms since it was received, at most {max_ms} ms are allowed"
            );
            return Err(Error::invalid("timeout", format!("{timeout_ms} ms"), reason));
        }
        let lease = Lease { visible_at, ..*lease };
        let phase = if timeout_ms == 0 { Phase::Ready } else { Phase::InFlight };
        self.take_live(seq);
        batch.put_meta(&keys::hot(self.partition, seq), &lease.encode());
        self.put_live(seq, lease, phase);
        Ok(VisibilityChanged::Until(Timestamp::from_millis(visible_at)))
    }
}
