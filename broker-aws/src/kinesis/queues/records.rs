//! Receiving records of a queue, and what is done with them.

use std::time::Duration;

use broker_core::{
    Deleted, Error, ReceiptHandle, ReceiveOptions, StreamMessage, StreamQueue, VisibilityChanged,
};

use super::{manage::VISIBILITY, note};
use crate::{
    call::Context,
    kinesis::{
        check::Checks,
        errors,
        shapes::{
            QueueRecord, ReceiptDone, ReceiptEntry, ReceiptFailed, ReceiptsInput, ReceiptsOutput,
            ReceiveInput, ReceiveOutput,
        },
    },
    wire::{blob::Blob, error::WireResult},
};

/// Records of one receive: at most, and if it does not say.
const RECORDS: (i32, i32) = (1, 10);
/// Seconds of waiting.
const WAIT: (i32, i32) = (1, 20);
const WAIT_DEFAULT: i32 = 9;
/// Entries of one call.
const ENTRIES: (usize, usize) = (1, 10);
/// The longest receipt handle.
const RECEIPT_CHARS: (usize, usize) = (1, 1_024);

pub(super) async fn receive(context: &Context, input: ReceiveInput) -> WireResult<ReceiveOutput> {
    let (queue, options) = read_receive(context, input).await?;
    let found = queue.receive(options).await;
    found.map(shown).map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn receive_dead_letters(
    context: &Context,
    input: ReceiveInput,
) -> WireResult<ReceiveOutput> {
    let (queue, options) = read_receive(context, input).await?;
    let found = queue.receive_dead_letters(options).await;
    found.map(shown).map_err(|error| errors::from_broker(context, &error))
}

async fn read_receive(context: &Context, input: ReceiveInput) -> WireResult<(StreamQueue, ReceiveOptions)> {
    let mut checks = Checks::default();
    let arn = checks.required("queueARN", input.arn);
    checks.within("limit", input.limit, RECORDS);
    checks.within("waitTimeSeconds", input.wait, WAIT);
    checks.within("visibilityTimeoutSeconds", input.visibility_timeout, VISIBILITY);
    checks.done()?;
    let (_, _, queue) = note::open(context, &arn).await?;
    let max = usize::try_from(input.limit.unwrap_or(RECORDS.1)).unwrap_or(1);
    let mut options = ReceiveOptions::up_to(max).wait_time(seconds(input.wait.unwrap_or(WAIT_DEFAULT)));
    if let Some(timeout) = input.visibility_timeout {
        options = options.visibility_timeout(seconds(timeout));
    }
    Ok((queue, options))
}

fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn shown(messages: Vec<StreamMessage>) -> ReceiveOutput {
    let shown = |message: StreamMessage| QueueRecord {
        receipt: message.receipt.to_string(),
        id: message.record.to_string(),
        partition_key: Some(message.partition_key).filter(|key| !key.is_empty()),
        data: Blob(message.data),
        arrived: message.arrived_at.into(),
        first_received: message.first_received_at.into(),
        receive_count: u64::from(message.receive_count),
    };
    ReceiveOutput { records: messages.into_iter().map(shown).collect() }
}

/// What is to be done with a record, or with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Acknowledge,
    AcknowledgeDead,
    Hide,
    HideDead,
    Restore,
}

pub(super) async fn acknowledge(context: &Context, input: ReceiptsInput) -> WireResult<ReceiptsOutput> {
    each(context, input, Deed::Acknowledge).await
}

pub(super) async fn acknowledge_dead_letters(
    context: &Context,
    input: ReceiptsInput,
) -> WireResult<ReceiptsOutput> {
    each(context, input, Deed::AcknowledgeDead).await
}

pub(super) async fn update_visibility(context: &Context, input: ReceiptsInput) -> WireResult<ReceiptsOutput> {
    each(context, input, Deed::Hide).await
}

pub(super) async fn update_dead_letter_visibility(
    context: &Context,
    input: ReceiptsInput,
) -> WireResult<ReceiptsOutput> {
    each(context, input, Deed::HideDead).await
}

pub(super) async fn restore_dead_letters(
    context: &Context,
    input: ReceiptsInput,
) -> WireResult<ReceiptsOutput> {
    each(context, input, Deed::Restore).await
}

async fn each(context: &Context, input: ReceiptsInput, deed: Deed) -> WireResult<ReceiptsOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("queueARN", input.arn);
    let entries = checks.required("entries", input.entries);
    checks.length("entries", format!("[{} entries]", entries.len()), entries.len(), ENTRIES);
    for (at, entry) in entries.iter().enumerate() {
        let member = |name: &str| format!("entries.{}.member.{name}", at + 1);
        let receipt = checks.required(&member("receiptHandle"), entry.receipt.clone());
        checks.length(&member("receiptHandle"), &receipt, receipt.chars().count(), RECEIPT_CHARS);
        if matches!(deed, Deed::Hide | Deed::HideDead) {
            checks.required(&member("visibilityTimeoutSeconds"), entry.visibility_timeout);
            checks.within(&member("visibilityTimeoutSeconds"), entry.visibility_timeout, VISIBILITY);
        }
    }
    checks.done()?;
    let (_, _, queue) = note::open(context, &arn).await?;
    let mut output = ReceiptsOutput::default();
    for ReceiptEntry { receipt, visibility_timeout } in entries {
        let receipt = receipt.unwrap_or_default();
        match one(&queue, deed, &receipt, seconds(visibility_timeout.unwrap_or(0))).await {
            Ok(()) => output.successful.push(ReceiptDone { receipt }),
            Err((code, message)) => {
                output.failed.push(ReceiptFailed { receipt, code: code.to_owned(), message });
            }
        }
    }
    Ok(output)
}

/// Code and text, if it fails.
async fn one(
    queue: &StreamQueue,
    deed: Deed,
    text: &str,
    timeout: Duration,
) -> Result<(), (&'static str, String)> {
    let bad = || ("InvalidArgumentException", "The receipt handle is not one of this queue.".to_owned());
    let gone = || {
        (
            "ResourceNotFoundException",
            "The record is no longer what this receipt handle was given out for.".to_owned(),
        )
    };
    let receipt: ReceiptHandle = text.parse().map_err(|_| bad())?;
    let done = match deed {
        Deed::Acknowledge => queue.acknowledge(receipt).await.map(|done| done == Deleted::Gone),
        Deed::AcknowledgeDead => {
            queue.acknowledge_dead_letter(receipt).await.map(|done| done == Deleted::Gone)
        }
        Deed::Restore => queue.restore_dead_letter(receipt).await.map(|done| done == Deleted::Gone),
        Deed::Hide => queue.update_visibility(receipt, timeout).await.map(is_hidden),
        Deed::HideDead => queue.update_dead_letter_visibility(receipt, timeout).await.map(is_hidden),
    };
    match done {
        Ok(true) => Ok(()),
        Ok(false) => Err(gone()),
        Err(Error::ReceiptHandleIsInvalid { .. } | Error::ReceiptHandleExpired { .. }) => Err(bad()),
        Err(_) => Err(("InternalFailureException", "Internal Service Failure".to_owned())),
    }
}

fn is_hidden(changed: VisibilityChanged) -> bool {
    matches!(changed, VisibilityChanged::Until(_))
}
