//! Deleting messages and changing their visibility.

use std::time::Duration;

use super::{LocalQueue, Operation, QueueCell};
use crate::{
    clock::millis,
    error::{Error, Result},
    ids::ReceiptHandle,
    pipeline::Ticket,
    queue::{
        entries::{Entries, Outcomes},
        options::{ChangeVisibility, Deleted, VisibilityChanged},
        settings::check_duration,
        state::{Place, Recalled, Want},
    },
    storage::Durability,
};

impl LocalQueue {
    /// Deletes the message that this receipt was given out for, and returns when that has the queue's durability.
    ///
    /// Deleting again is no error, nor is a receipt whose message has been received again since: see [`Deleted`]. On a
    /// FIFO queue a receipt whose visibility timeout is over fails with [`Error::ReceiptHandleExpired`].
    /// Cancel safe in this sense: a dropped call has deleted the message or not, and later calls agree on which.
    pub async fn delete(&self, receipt: ReceiptHandle) -> Result<Deleted> {
        let place = self.open_receipt(receipt)?;
        let (deleted, ticket) =
            self.settle(None, &[place.seq], |op| op.state.delete(place, op.now, op.batch)).await?;
        ticket.wait().await?;
        Ok(deleted)
    }

    /// Deletes several messages in one commit. A receipt of another queue fails alone. Cancel safe as
    /// [`delete`](Self::delete) is.
    pub async fn delete_batch(&self, entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        entries.check(&self.cell.engine.limits)?;
        let places: Vec<_> =
            entries.entries.into_iter().map(|(id, receipt)| (id, self.open_receipt(receipt))).collect();
        let seqs: Vec<u64> = places.iter().filter_map(|(_, place)| Some(place.as_ref().ok()?.seq)).collect();
        let delete = |op: &mut Operation<'_>| {
            let mut delete = |place| op.state.delete(place, op.now, op.batch);
            Ok(places.into_iter().map(|(id, place)| (id, place.and_then(&mut delete))).collect())
        };
        let (outcomes, ticket) = self.settle(entries.durability, &seqs, delete).await?;
        ticket.wait().await?;
        Ok(Outcomes(outcomes))
    }

    /// Changes how long a received message stays invisible, counted from now: 0 to 12 hours, and at most 12 hours
    /// since it was received. Zero makes it visible at once.
    ///
    /// It does not change the timeout of later receives. Survives a killed process, not a power cut; to have more, use
    /// the batch form with [`Entries::durability`]. A timeout that is too long fails with
    /// [`Error::InvalidParameter`]; an older receipt, or a message that is gone, is an outcome. Cancel safe as [`delete`](Self::delete) is.
    pub async fn change_visibility(
        &self,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<VisibilityChanged> {
        let outcomes =
            self.change_visibility_all(vec![((), ChangeVisibility { receipt, timeout })], None).await?;
        outcomes.into_iter().map(|((), outcome)| outcome).next().expect("one outcome for one change")
    }

    /// Changes the visibility of several messages in one commit; each entry succeeds or fails alone. Survives a killed
    /// process unless the entries ask for another durability. Cancel safe as [`delete`](Self::delete) is.
    pub async fn change_visibility_batch(
        &self,
        entries: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>> {
        entries.check(&self.cell.engine.limits)?;
        Ok(Outcomes(self.change_visibility_all(entries.entries, entries.durability).await?))
    }

    async fn change_visibility_all<I>(
        &self,
        changes: Vec<(I, ChangeVisibility)>,
        durability: Option<Durability>,
    ) -> Result<Vec<(I, Result<VisibilityChanged>)>> {
        let max = self.cell.engine.limits.visibility_timeout_max;
        let check = |(id, change): (I, ChangeVisibility)| {
            let place = self.open_receipt(change.receipt).and_then(|place| {
                check_duration("timeout", Some(change.timeout), Duration::ZERO, max)?;
                Ok((place, millis(change.timeout)))
            });
            (id, place)
        };
        let checked: Vec<_> = changes.into_iter().map(check).collect();
        let seqs: Vec<u64> =
            checked.iter().filter_map(|(_, checked)| Some(checked.as_ref().ok()?.0.seq)).collect();
        let change = |op: &mut Operation<'_>| {
            let mut change = |(place, timeout_ms)| {
                op.state.change_visibility(place, timeout_ms, op.now, millis(max), op.batch)
            };
            Ok(checked.into_iter().map(|(id, checked)| (id, checked.and_then(&mut change))).collect())
        };
        let durability = durability.unwrap_or(Durability::Buffered);
        let (outcomes, ticket) = self.settle(Some(durability), &seqs, change).await?;
        ticket.wait().await?;
        Ok(outcomes)
    }

    pub(crate) fn open_receipt(&self, receipt: ReceiptHandle) -> Result<Place> {
        let invalid = || Error::ReceiptHandleIsInvalid { receipt: receipt.to_string() };
        let (seq, delivery) = receipt.open(self.cell.engine.seed, self.cell.id).ok_or_else(invalid)?;
        Ok(Place { seq, delivery, receipt })
    }

    /// Runs an operation on received messages, after making those live again that had been put out of memory.
    async fn settle<T>(
        &self,
        durability: Option<Durability>,
        seqs: &[u64],
        step: impl FnOnce(&mut Operation<'_>) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let mut step = Some(step);
        let mut read: Option<ColdLeases> = None;
        loop {
            let (done, ticket) = self.cell.operate(durability, None, |op| {
                if let Some(missing) = self.cell.recall(op, seqs, read.take())? {
                    return Ok(Err(missing));
                }
                let step = step.take().expect("taken once, since this ends the loop");
                step(op).map(Ok)
            })?;
            match done {
                Ok(done) => return Ok((done, ticket)),
                Err(missing) => read = self.cell.read_leases(missing, seqs.to_vec()).await?,
            }
        }
    }
}

impl QueueCell {
    /// Makes the messages live again that had been put out of memory, with what was read of them, or says what must be read.
    pub(crate) fn recall(
        &self,
        op: &mut Operation<'_>,
        seqs: &[u64],
        read: Option<ColdLeases>,
    ) -> Result<Option<Missing>> {
        // What is due in the time index must leave it before it can be told from what is untouched.
        if !op.page_in_here(self, Want::Nothing)? {
            return Ok(Some(Missing::Index));
        }
        let epoch = op.state.epoch();
        match read {
            Some(known) if known.epoch == epoch => {
                known.leases.iter().for_each(|(seq, lease)| op.state.recall(*seq, lease, op.batch));
                Ok(None)
            }
            _ if seqs.iter().any(|seq| op.state.must_recall(*seq)) => {
                Ok(Some(Missing::Leases(op.state.partition(), epoch, op.now)))
            }
            _ => Ok(None),
        }
    }

    /// Reads what is missing. Cancel safe.
    pub(crate) async fn read_leases(&self, missing: Missing, seqs: Vec<u64>) -> Result<Option<ColdLeases>> {
        let Missing::Leases(partition, epoch, now) = missing else {
            self.page_in(Want::Nothing).await?;
            return Ok(None);
        };
        self.fence().wait().await?;
        let leases = self.engine.pipeline.read(move |store| {
            let read = |seq| Ok(Recalled::read(store, partition, seq, now)?.map(|lease| (seq, lease)));
            seqs.into_iter().filter_map(|seq| read(seq).transpose()).collect()
        });
        Ok(Some(ColdLeases { epoch, leases: leases.await? }))
    }
}

/// What must be read before messages can be settled.
pub(crate) enum Missing {
    Index,
    /// Leases from this partition, as they are in this epoch, at this time.
    Leases(u64, u64, u64),
}

/// Leases read from storage, and the epoch in which they are what the state has put there.
pub(crate) struct ColdLeases {
    epoch: u64,
    leases: Vec<(u64, Recalled)>,
}
