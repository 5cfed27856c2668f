//! Handing out messages: leasing what is visible, in the order of sending.

use bytes::Bytes;

use super::{Phase, QueueState};
use crate::{keys, queue::lease::Lease, storage::Batch};

/// A message that was leased, with its row if that was at hand.
#[derive(Debug, Clone)]
pub(crate) struct Leased {
    pub(crate) seq: u64,
    pub(crate) lease: Lease,
    pub(crate) row: Option<Bytes>,
}

impl QueueState {
    /// Leases up to `want` visible messages. Call [`tick`](Self::tick) first, and supply what
    /// [`need`](Self::need) asks for.
    ///
    /// With a visibility timeout of zero they are ready again after the next tick, not before: none is leased twice.
    pub(crate) fn lease(
        &mut self,
        now: u64,
        want: usize,
        visibility_timeout_ms: u64,
        batch: &mut Batch,
    ) -> Vec<Leased> {
        let mut leased = Vec::with_capacity(want.min(self.ready.len() + self.staged.len()));
        while leased.len() < want
            && let Some((seq, lease, row)) = self.take_next(batch)
        {
            let lease = lease.handed_out(now, visibility_timeout_ms);
            batch.put_meta(&keys::hot(self.partition, seq), &lease.encode(None));
            self.put_live(seq, lease, Phase::InFlight);
            leased.push(Leased { seq, lease, row });
        }
        leased
    }

    /// The first message that can be received, by sequence: a returned message keeps its place (rule Q56).
    fn take_next(&mut self, batch: &mut Batch) -> Option<(u64, Lease, Option<Bytes>)> {
        let staged = self.staged.front().map(|first| first.seq);
        match self.ready.first().copied() {
            Some(ready) if staged.is_none_or(|staged| ready < staged) => {
                let lease = self.take_live(ready)?;
                Some((ready, lease, None))
            }
            _ => {
                let first = self.take_first_staged()?;
                self.forget_cold(&first, batch);
                Some((first.seq, first.lease, Some(first.row)))
            }
        }
    }

    /// Whether the message is live in this partition, and so must have a row there.
    pub(crate) fn has_live(&self, partition: u64, seq: u64) -> bool {
        partition == self.partition && self.live.contains_key(&seq)
    }

    /// Messages in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes back a hand-out that did not arrive: the message is visible at once, its count as before.
    pub(crate) fn take_back(&mut self, seq: u64, delivery: u32, now: u64, batch: &mut Batch) {
        let handed_out = |live: &super::Live| live.lease.deliveries == delivery;
        if self.live.get(&seq).is_some_and(handed_out)
            && let Some(lease) = self.take_live(seq)
        {
            let lease = lease.taken_back(now);
            batch.put_meta(&keys::hot(self.partition, seq), &lease.encode(None));
            self.put_live(seq, lease, Phase::Ready);
        }
    }
}
