//! What a consumer does with a message it has received: delete it, change when it becomes visible, or give it up.

use super::{Live, Phase, QueueState};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::ReceiptHandle,
    keys,
    queue::{
        lease::Lease,
        options::{Deleted, VisibilityChanged},
    },
    seeded::seeded,
    storage::Batch,
};

/// The delivery that a receipt stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) delivery: u32,
    pub(crate) receipt: ReceiptHandle,
}

/// A lease read from storage, with the message's group, and whether it is a cold one.
#[derive(Debug, Clone)]
pub(crate) struct Recalled {
    pub(crate) lease: Lease,
    pub(crate) group: Option<Box<str>>,
    pub(crate) cold: bool,
}

/// What a receipt is worth.
enum Hold {
    /// It is of the delivery that holds the message, or nobody does and it is the latest.
    Current,
    /// The message has been received again since.
    Stale,
    /// The message is not in the queue.
    Gone,
}

impl QueueState {
    /// Whether the message may be in storage only, so that its lease must be read before it can be settled.
    ///
    /// Two ways lead there: it was received and put out of memory since, or a power cut has undone its delivery.
    pub(crate) fn must_recall(&self, seq: u64) -> bool {
        let staged = || self.settings.fifo.is_none() && self.is_staged(seq);
        seq < self.tail && !self.live.contains_key(&seq) && (seq >= self.cursor || staged())
    }

    /// Makes a message live again whose lease was read in this epoch. On a FIFO queue its receipts have expired: there
    /// it is only known then that it exists.
    pub(crate) fn recall(&mut self, seq: u64, recalled: &Recalled, batch: &mut Batch) {
        // A store that counts fewer messages than it has is damaged; the next page read says so.
        let counted = self.is_staged(seq) || self.known() < self.stored;
        if !self.must_recall(seq) || !counted {
            return;
        }
        if self.settings.fifo.is_some() {
            self.present.push(seq);
            return;
        }
        if self.take_staged(seq, batch).is_none() && recalled.cold {
            batch.delete_meta(&keys::cold(self.partition, seq));
            self.cold = self.cold.saturating_sub(1);
        }
        let group = recalled.group.as_deref();
        recalled.lease.put(&keys::hot(self.partition, seq), group, batch);
        let group = group.map(|name| self.groups.enter(name));
        self.put_live(seq, recalled.lease, Phase::Ready, group);
        self.epoch += 1;
        self.fence = true;
    }

    /// A receipt of a standard queue is good until the message is received again (rule Q70); one of a FIFO queue ends
    /// with its visibility timeout (F40, F43).
    fn hold(&self, place: Place) -> Result<Hold> {
        let Place { seq, delivery, receipt } = place;
        let expired = || Error::ReceiptHandleExpired { receipt: receipt.to_string() };
        match (self.live.get(&seq), self.settings.fifo) {
            (Some(live), Some(_)) => {
                let current = live.phase == Phase::InFlight && live.lease.deliveries == delivery;
                if current { Ok(Hold::Current) } else { Err(expired()) }
            }
            (Some(live), None) if live.lease.deliveries > delivery && !seeded("old-receipt-accepted") => {
                Ok(Hold::Stale)
            }
            (Some(_), None) => Ok(Hold::Current),
            (None, Some(_)) if self.is_staged(seq) || self.present.contains(&seq) => Err(expired()),
            (None, _) => Ok(Hold::Gone),
        }
    }

    /// Deletes the message unless it has been received again since.
    pub(crate) fn delete(&mut self, place: Place, now: u64, batch: &mut Batch) -> Result<Deleted> {
        match self.hold(place)? {
            Hold::Stale => return Ok(Deleted::Stale),
            Hold::Current => {
                self.remove_live(place.seq, now, batch);
                self.past.note_deleted(place.seq, now);
            }
            Hold::Gone => {}
        }
        Ok(Deleted::Gone)
    }

    /// Whether the message could be given up: if not, what became of it.
    pub(crate) fn can_give_up(&self, place: Place) -> Result<std::result::Result<(), Deleted>> {
        Ok(match self.hold(place)? {
            Hold::Current => Ok(()),
            Hold::Stale => Err(Deleted::Stale),
            Hold::Gone => Err(Deleted::Gone),
        })
    }

    /// Whether the visibility of a message that [could be given up](Self::can_give_up) can be changed like this.
    pub(crate) fn check_visibility(
        &self,
        place: Place,
        timeout_ms: u64,
        now: u64,
        max_ms: u64,
    ) -> Result<()> {
        let lease = self.live.get(&place.seq).map(|live| live.lease.proven(place.delivery, now));
        lease.map_or(Ok(()), |lease| check_invisible(&lease, timeout_ms, now, max_ms))
    }

    /// Takes the message out of the queue, to be put into another one. Returns its lease, its delivery proven.
    pub(crate) fn give_up(&mut self, place: Place, now: u64, batch: &mut Batch) -> Option<Lease> {
        let Live { lease, group, .. } = *self.live.get(&place.seq)?;
        self.remove_live(place.seq, now, batch);
        if let Some(group) = group.filter(|_| seeded("group-locked-by-a-dead-letter")) {
            self.groups.hide(group, place.seq, false);
        }
        Some(lease.proven(place.delivery, now))
    }

    /// Changes when the message becomes visible, counted from now.
    ///
    /// An older receipt of a standard queue can still make the message visible at once (rule Q71), but not keep it
    /// invisible.
    pub(crate) fn change_visibility(
        &mut self,
        place: Place,
        timeout_ms: u64,
        now: u64,
        max_ms: u64,
        batch: &mut Batch,
    ) -> Result<VisibilityChanged> {
        let Place { seq, delivery, .. } = place;
        match self.hold(place)? {
            Hold::Gone => return Ok(VisibilityChanged::Gone),
            Hold::Stale if timeout_ms > 0 => return Ok(VisibilityChanged::Stale),
            Hold::Stale | Hold::Current => {}
        }
        let lease = self.live[&seq].lease.proven(delivery, now);
        check_invisible(&lease, timeout_ms, now, max_ms)?;
        let visible_at = now.saturating_add(timeout_ms);
        let lease = Lease { visible_at, ..lease };
        let Some(Live { phase, group, .. }) = self.take_live(seq) else { return Ok(VisibilityChanged::Gone) };
        lease.put(&keys::hot(self.partition, seq), self.group_name(group), batch);
        if timeout_ms > 0 {
            self.put_live(seq, lease, Phase::InFlight, group);
        } else {
            if phase == Phase::InFlight {
                self.groups.note_work(group, now.saturating_sub(lease.received_at), now);
            }
            self.make_ready(seq, lease, group, batch);
        }
        Ok(VisibilityChanged::Until(Timestamp::from_millis(visible_at)))
    }
}

/// Refuses a timeout that would keep a message invisible for too long since it was received.
fn check_invisible(lease: &Lease, timeout_ms: u64, now: u64, max_ms: u64) -> Result<()> {
    let invisible_ms = now.saturating_add(timeout_ms).saturating_sub(lease.received_at);
    if timeout_ms > 0 && invisible_ms > max_ms {
        let reason = format!(
            "the message would be invisible for {invisible_ms} ms since it was received, at most {max_ms} ms are allowed"
        );
        return Err(Error::invalid("timeout", format!("{timeout_ms} ms"), reason));
    }
    Ok(())
}
