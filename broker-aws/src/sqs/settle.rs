//! Deleting and changing visibility (rules Q70 to Q78, F40 to F44).

use std::time::Duration;

use broker_core::{ChangeVisibility, Deleted, Entries, ReceiptHandle, VisibilityChanged};

use super::{
    batch, errors,
    receive::visibility_timeout,
    shapes::{
        BatchResult, BatchResultEntry, ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityRequest,
        DeleteMessageBatchRequest, DeleteMessageRequest,
    },
    target,
};
use crate::{
    call::Context,
    wire::error::{WireError, WireResult},
};

pub(super) async fn delete_message(context: &Context, input: DeleteMessageRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let receipt = receipt(input.receipt_handle.as_deref())?;
    // That it was gone, or that the receipt is an old one, is no error.
    let _: Deleted = queue.delete(receipt).await.map_err(|error| errors::from_broker(&error))?;
    Ok(())
}

pub(super) async fn delete_message_batch(
    context: &Context,
    input: DeleteMessageBatchRequest,
) -> WireResult<BatchResult<BatchResultEntry>> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let mut entries = Entries::new();
    let mut refused = Vec::new();
    for entry in input.entries.unwrap_or_default() {
        let (receipt, error) = or_stand_in(receipt(entry.receipt_handle.as_deref()), stand_in()?);
        refused.push(error);
        entries.push_named(entry.id.unwrap_or_default(), receipt);
    }
    let deleted = queue.delete_batch(entries).await.map_err(|error| errors::from_broker(&error))?;
    Ok(batch::result(deleted, |position| refused[position].take(), |_, id, _| Ok(BatchResultEntry { id })))
}

pub(super) async fn change_message_visibility(
    context: &Context,
    input: ChangeMessageVisibilityRequest,
) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let text = input.receipt_handle.as_deref();
    let receipt = receipt(text)?;
    let timeout = input.visibility_timeout.ok_or_else(|| errors::missing("VisibilityTimeout"))?;
    let timeout = visibility_timeout(context, timeout)?;
    let changed = queue.change_visibility(receipt, timeout).await;
    changed_or_gone(text, changed.map_err(|error| errors::from_broker(&error))?)
}

pub(super) async fn change_message_visibility_batch(
    context: &Context,
    input: ChangeMessageVisibilityBatchRequest,
) -> WireResult<BatchResult<BatchResultEntry>> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let mut entries = Entries::new();
    let (mut refused, mut receipts) = (Vec::new(), Vec::new());
    let nothing = ChangeVisibility { receipt: stand_in()?, timeout: Duration::ZERO };
    for entry in input.entries.unwrap_or_default() {
        let change = receipt(entry.receipt_handle.as_deref()).and_then(|receipt| {
            let timeout = entry.visibility_timeout.ok_or_else(|| errors::missing("VisibilityTimeout"))?;
            Ok(ChangeVisibility { receipt, timeout: visibility_timeout(context, timeout)? })
        });
        let (change, error) = or_stand_in(change, nothing);
        refused.push(error);
        receipts.push(entry.receipt_handle);
        entries.push_named(entry.id.unwrap_or_default(), change);
    }
    let changed =
        queue.change_visibility_batch(entries).await.map_err(|error| errors::from_broker(&error))?;
    Ok(batch::result(
        changed,
        |position| refused[position].take(),
        |position, id, changed| {
            changed_or_gone(receipts[position].as_deref(), changed).map(|()| BatchResultEntry { id })
        },
    ))
}

/// A message that is gone cannot be hidden (rule Q72). A receipt that is too old to have an effect is no error (rule Q71).
fn changed_or_gone(receipt: Option<&str>, changed: VisibilityChanged) -> WireResult<()> {
    match changed {
        VisibilityChanged::Until(_) | VisibilityChanged::Stale => Ok(()),
        VisibilityChanged::Gone => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            Err(errors::invalid_value("ReceiptHandle", receipt.unwrap_or_default(), reason))
        }
    }
}

fn receipt(text: Option<&str>) -> WireResult<ReceiptHandle> {
    let text = text.ok_or_else(|| errors::missing("ReceiptHandle"))?;
    text.parse().map_err(|_| errors::invalid_receipt(text))
}

/// What the broker gets in place of an entry that was refused: a receipt of no queue, which it refuses too, so that the ids of all
/// entries are checked, and all are answered in their order.
fn stand_in() -> WireResult<ReceiptHandle> {
    let of_nobody = "0".repeat(48);
    of_nobody.parse().map_err(|_| errors::invalid_receipt(&of_nobody))
}

fn or_stand_in<T>(given: WireResult<T>, stand_in: T) -> (T, Option<WireError>) {
    match given {
        Ok(given) => (given, None),
        Err(error) => (stand_in, Some(error)),
    }
}
