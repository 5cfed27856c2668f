//! What a transaction does to a queue: first it is looked whether all of it can be done, then all of it is.

use std::time::Duration;

use super::{
    LocalQueue, LookedUp, Operation, QueueCell, ToLookUp,
    send::{Prepared, no_deduplication_id},
};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, Result},
    ids::ReceiptHandle,
    queue::{
        message::{SendMessage, Sent},
        options::Deleted,
        settings::check_duration,
        state::Place,
    },
    transaction::Reason,
};

/// A message to be sent, until it is.
pub(crate) struct StagedSend(Option<Prepared>);

/// What is to become of a received message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settlement {
    Delete(Place),
    /// Visible after so many milliseconds.
    ChangeVisibility(Place, u64),
}

impl LocalQueue {
    /// The checks that need no lock. Returns also how many bytes the message has.
    pub(crate) fn stage_send(&self, message: SendMessage) -> Result<(StagedSend, usize)> {
        let prepared = self.prepare(message)?;
        let bytes = prepared.size_bytes;
        Ok((StagedSend(Some(prepared)), bytes))
    }

    pub(crate) fn stage_delete(&self, receipt: ReceiptHandle) -> Result<Settlement> {
        self.open_receipt(receipt).map(Settlement::Delete)
    }

    pub(crate) fn stage_visibility(&self, receipt: ReceiptHandle, timeout: Duration) -> Result<Settlement> {
        let max = self.cell.engine.limits.visibility_timeout_max;
        let place = self.open_receipt(receipt)?;
        check_duration("timeout", Some(timeout), Duration::ZERO, max)?;
        Ok(Settlement::ChangeVisibility(place, millis(timeout)))
    }
}

impl QueueCell {
    /// Which deduplication ids must be looked up before these messages can be sent.
    pub(crate) fn missing_ids<'s>(
        &self,
        sends: impl Iterator<Item = &'s StagedSend>,
        looked_up: &LookedUp,
        op: &Operation<'_>,
    ) -> Option<ToLookUp> {
        let ids = sends.filter_map(|send| send.0.as_ref()?.id.as_ref());
        looked_up.missing(self, ids, op)
    }

    /// Whether the message can be sent. Then [`apply_send`](Self::apply_send) does not fail.
    pub(crate) fn check_send(&self, send: &StagedSend, known: &LookedUp, op: &Operation<'_>) -> Result<()> {
        let Some(prepared) = &send.0 else { return Ok(()) };
        prepared.check_size(op)?;
        let Some(id) = &prepared.id else { return Ok(()) };
        if prepared.id_computed && !op.state.settings.fifo.unwrap_or_default().content_based_deduplication {
            return Err(no_deduplication_id());
        }
        // A store that cannot block is asked again when the message is sent: if it fails, then here.
        known.original(self, &mut id.clone(), op).map(drop)
    }

    /// Sends the message, once.
    pub(crate) fn apply_send(
        &self,
        send: &mut StagedSend,
        known: &LookedUp,
        op: &mut Operation<'_>,
    ) -> Result<Sent> {
        let prepared = send.0.take().expect("a message is sent once, and that ends the transaction");
        if prepared.id.is_some() {
            return self.send_once(prepared, known, op);
        }
        Ok(self.sent(prepared.append(op)?))
    }
}

impl Settlement {
    fn place(&self) -> Place {
        match self {
            Self::Delete(place) | Self::ChangeVisibility(place, _) => *place,
        }
    }

    pub(crate) fn seq(&self) -> u64 {
        self.place().seq
    }

    /// The error of a second settlement of one message.
    pub(crate) fn again(&self) -> Error {
        let reason = "is of a message that the same transaction settles already";
        Error::invalid("receipt", self.place().receipt, reason)
    }

    /// Whether the receipt is the one that holds the message, and all else is as it must be.
    pub(crate) fn check(&self, cell: &QueueCell, op: &Operation<'_>) -> Result<(), Reason> {
        match op.state.can_give_up(self.place())? {
            Ok(()) => {}
            Err(Deleted::Stale) => return Err(Reason::ReceiptStale),
            Err(Deleted::Gone) => return Err(Reason::MessageGone),
        }
        if let Self::ChangeVisibility(place, timeout_ms) = self {
            let max = millis(cell.engine.limits.visibility_timeout_max);
            op.state.check_visibility(*place, *timeout_ms, op.now, max)?;
        }
        Ok(())
    }

    /// Settles the message, which can be. Returns when it becomes visible, if it does.
    pub(crate) fn apply(&self, cell: &QueueCell, op: &mut Operation<'_>) -> Result<Option<Timestamp>> {
        match *self {
            Self::Delete(place) => {
                op.state.delete(place, op.now, op.batch)?;
                Ok(None)
            }
            Self::ChangeVisibility(place, timeout_ms) => {
                let max = millis(cell.engine.limits.visibility_timeout_max);
                op.state.change_visibility(place, timeout_ms, op.now, max, op.batch)?;
                Ok(Some(Timestamp::from_millis(op.now.saturating_add(timeout_ms))))
            }
        }
    }
}
