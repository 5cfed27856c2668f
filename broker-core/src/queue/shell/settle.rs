//! Deleting messages and changing their visibility.

use std::time::Duration;

use super::{LocalQueue, Operation};
use crate::{
    clock::millis,
    error::{Error, Result},
    ids::ReceiptHandle,
    keys,
    pipeline::Ticket,
    queue::{
        entries::{Entries, Outcomes},
        lease::Lease,
        options::{ChangeVisibility, Deleted, VisibilityChanged, check_duration},
        state::lease_in,
    },
    storage::{Durability, Storage},
};

impl LocalQueue {
    /// Deletes the message that this receipt was given out for, and returns when that has the queue's durability.
    ///
    /// Deleting again is no error, nor is a receipt whose message has been received again since: see [`Deleted`].
    /// Cancel safe in this sense: a dropped call has deleted the message or not, and later calls agree on which.
    pub async fn delete(&self, receipt: ReceiptHandle) -> Result<Deleted> {
        let place = self.open_receipt(receipt)?;
        let durability = self.cell.inner.lock().state.settings.durability.into();
        let (deleted, ticket) =
            self.settle(durability, &[place.0], |op| Ok(op.state.delete(place.0, place.1, op.batch))).await?;
        ticket.wait().await?;
        Ok(deleted)
    }

    /// Deletes several messages in one commit. A receipt of another queue fails alone. Cancel safe as
    /// [`delete`](Self::delete) is.
    pub async fn delete_batch(&self, entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        entries.check(&self.cell.engine.limits)?;
        let places: Vec<_> =
            entries.entries.into_iter().map(|(id, receipt)| (id, self.open_receipt(receipt))).collect();
        let seqs: Vec<u64> = places.iter().filter_map(|(_, place)| Some(place.as_ref().ok()?.0)).collect();
        let durability = entries.durability.unwrap_or_else(|| self.cell.settings().durability.into());
        let delete = |op: &mut Operation<'_>| {
            let mut delete = |(seq, delivery)| op.state.delete(seq, delivery, op.batch);
            Ok(places.into_iter().map(|(id, place)| (id, place.map(&mut delete))).collect())
        };
        let (outcomes, ticket) = self.settle(durability, &seqs, delete).await?;
        ticket.wait().await?;
        Ok(Outcomes(outcomes))
    }

    /// Changes how long a received message stays invisible, counted from now: 0 to 12 hours, and at most 12 hours
    /// since it was received. Zero makes it visible at once.
    ///
    /// It does not change the timeout of later receives. Cancel safe as [`delete`](Self::delete) is.
    pub async fn change_visibility(
        &self,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<VisibilityChanged> {
        let outcomes =
            self.change_visibility_all(vec![((), ChangeVisibility { receipt, timeout })], None).await?;
        outcomes.into_iter().map(|((), outcome)| outcome).next().expect("one outcome for one change")
    }

    /// Changes the visibility of several messages in one commit; each entry succeeds or fails alone.
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
            checked.iter().filter_map(|(_, checked)| Some(checked.as_ref().ok()?.0.0)).collect();
        let change = |op: &mut Operation<'_>| {
            let mut change = |(place, timeout_ms)| {
                op.state.change_visibility(place, timeout_ms, op.now, millis(max), op.batch)
            };
            Ok(checked.into_iter().map(|(id, checked)| (id, checked.and_then(&mut change))).collect())
        };
        let durability = durability.unwrap_or(Durability::Buffered);
        let (outcomes, ticket) = self.settle(durability, &seqs, change).await?;
        ticket.wait().await?;
        Ok(outcomes)
    }

    fn open_receipt(&self, receipt: ReceiptHandle) -> Result<(u64, u32)> {
        let invalid = || Error::ReceiptHandleIsInvalid { receipt: receipt.to_string() };
        receipt.open(self.cell.engine.seed, self.cell.id).ok_or_else(invalid)
    }

    /// Runs an operation on received messages, after making those live again that had been put out of memory.
    async fn settle<T>(
        &self,
        durability: Durability,
        seqs: &[u64],
        step: impl FnOnce(&mut Operation<'_>) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let mut step = Some(step);
        let (first, ticket) = self.cell.operate(durability, None, |op| {
            if seqs.iter().any(|seq| op.state.may_be_cold(*seq)) {
                return Ok(None);
            }
            let step = step.take().expect("the operation runs once");
            step(op).map(Some)
        })?;
        if let Some(done) = first {
            return Ok((done, ticket));
        }
        let _turn = self.cell.paging.lock().await;
        loop {
            let (leases, epoch) = self.cold_leases(seqs).await?;
            // In the same operation as the step: time that passes between the two could put a message out again.
            let (done, ticket) = self.cell.operate(durability, None, |op| {
                if op.state.epoch() != epoch {
                    return Ok(None);
                }
                for (seq, lease) in leases {
                    op.state.recall(seq, lease, op.batch);
                }
                let step = step.take().expect("the operation runs once");
                step(op).map(Some)
            })?;
            if let Some(done) = done {
                return Ok((done, ticket));
            }
        }
    }

    /// Reads the cold leases of those messages that wait in storage, and the epoch for which they hold.
    async fn cold_leases(&self, seqs: &[u64]) -> Result<(Vec<(u64, Lease)>, u64)> {
        let ((partition, epoch, fence, seqs), _) = self.cell.operate(Durability::Buffered, None, |op| {
            let cold = seqs.iter().copied().filter(|seq| op.state.may_be_cold(*seq)).collect::<Vec<_>>();
            Ok((op.state.partition(), op.state.epoch(), op.fence.clone(), cold))
        })?;
        fence.wait().await?;
        let read = move |store: &dyn Storage| {
            let mut leases = Vec::with_capacity(seqs.len());
            for seq in seqs {
                let key = keys::cold(partition, seq);
                if let Some(value) = store.meta(&key)? {
                    leases.push((seq, lease_in(&bytes::Bytes::copy_from_slice(&key), &value)?));
                }
            }
            Ok(leases)
        };
        Ok((self.cell.engine.pipeline.read(read).await?, epoch))
    }
}
