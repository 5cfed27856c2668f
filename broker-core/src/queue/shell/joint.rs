//! What a transaction does to a queue: first it is looked whether all of it can be done, then all of it is.

use std::time::Duration;

use bytes::Bytes;

use super::{
    LocalQueue, LookedUp, Operation, QueueCell, ToLookUp,
    dead::check_reason,
    send::{Prepared, no_deduplication_id},
};
use crate::{
    clock::{Timestamp, millis},
    codec::Malformed,
    error::{Error, Result},
    ids::ReceiptHandle,
    queue::{
        fetch::damaged_row,
        message::{SendMessage, Sent},
        options::Deleted,
        row::RowContent,
        settings::check_duration,
        state::Place,
    },
    transaction::Reason,
};

/// A message to be sent, until it is.
pub(crate) struct StagedSend(Option<Prepared>);

/// What is to become of a received message.
#[derive(Debug)]
pub(crate) enum Settlement {
    Delete(Place),
    /// Visible after so many milliseconds.
    ChangeVisibility(Place, u64),
    /// To the dead-letter queue, for this reason.
    DeadLetter(Place, String),
}

/// The row of a message that is to be a dead letter, none if it was not there, and the partition that it was read from.
pub(crate) type DeadRow = (u64, Option<Bytes>);

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

    pub(crate) fn stage_dead_letter(&self, receipt: ReceiptHandle, reason: String) -> Result<Settlement> {
        check_reason(&reason)?;
        Ok(Settlement::DeadLetter(self.open_receipt(receipt)?, reason))
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

/// Reads a row whose message is in flight. Cancel safe.
pub(crate) async fn read_dead_row(cell: &QueueCell, partition: u64, seq: u64) -> Result<DeadRow> {
    cell.fence().wait().await?;
    let row = cell.engine.pipeline.read(move |store| store.row(partition, seq)).await?;
    Ok((partition, row))
}

fn content_of(row: Option<&DeadRow>, seq: u64) -> Result<RowContent> {
    let (partition, row) = row.expect("what is to be a dead letter is read before it is decided");
    let content = row.as_ref().ok_or(Malformed("is missing")).and_then(RowContent::read);
    content.map_err(|what| damaged_row(*partition, seq, what).into())
}

impl Settlement {
    fn place(&self) -> Place {
        match self {
            Self::Delete(place) | Self::ChangeVisibility(place, _) | Self::DeadLetter(place, _) => *place,
        }
    }

    /// Whether the message goes to the dead-letter queue, so that its row must be read.
    pub(crate) fn is_move(&self) -> bool {
        matches!(self, Self::DeadLetter(..))
    }

    pub(crate) fn seq(&self) -> u64 {
        self.place().seq
    }

    /// The error of a second settlement of one message.
    pub(crate) fn again(&self) -> Error {
        let reason = "is of a message that the same transaction settles already";
        Error::invalid("receipt", self.place().receipt, reason)
    }

    /// Whether the receipt is the one that holds the message, and all else is as it must be. `row` is that of a dead letter.
    pub(crate) fn check(
        &self,
        cell: &QueueCell,
        row: Option<&DeadRow>,
        op: &Operation<'_>,
    ) -> Result<(), Reason> {
        match op.state.can_give_up(self.place())? {
            Ok(()) => {}
            Err(Deleted::Stale) => return Err(Reason::ReceiptStale),
            Err(Deleted::Gone) => return Err(Reason::MessageGone),
        }
        match self {
            Self::Delete(_) => Ok(()),
            Self::ChangeVisibility(place, timeout_ms) => {
                let max = millis(cell.engine.limits.visibility_timeout_max);
                Ok(op.state.check_visibility(*place, *timeout_ms, op.now, max)?)
            }
            Self::DeadLetter(place, _) => Ok(content_of(row, place.seq).map(drop)?),
        }
    }

    /// Settles the message, which can be. Returns when it becomes visible, if it does.
    pub(crate) fn apply(&self, cell: &QueueCell, op: &mut Operation<'_>) -> Result<Option<Timestamp>> {
        match self {
            Self::Delete(place) => {
                op.state.delete(*place, op.now, op.batch)?;
                Ok(None)
            }
            Self::ChangeVisibility(place, timeout_ms) => {
                let max = millis(cell.engine.limits.visibility_timeout_max);
                op.state.change_visibility(*place, *timeout_ms, op.now, max, op.batch)?;
                Ok(Some(Timestamp::from_millis(op.now.saturating_add(*timeout_ms))))
            }
            Self::DeadLetter(..) => unreachable!("a dead letter has two queues"),
        }
    }

    /// Moves a message, which can be, to its dead-letter queue.
    pub(crate) fn apply_move(
        &self,
        (cell, op): (&QueueCell, &mut Operation<'_>),
        (target, other): (&QueueCell, &mut Operation<'_>),
        row: Option<&DeadRow>,
    ) -> Result<()> {
        let Self::DeadLetter(place, reason) = self else { unreachable!("only dead letters are moved") };
        let content = content_of(row, place.seq)?;
        let lease =
            op.state.give_up(*place, op.now, op.batch).expect("it was looked whether it can be given up");
        let receives = cell.put_dead(place.seq, &lease, content, Some(reason.clone()), other);
        op.state.note_moved(place.seq, &target.name, receives, op.now);
        Ok(())
    }
}
