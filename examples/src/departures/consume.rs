//! The workers: each takes what it can get, works out the results, journals them, and only then deletes the messages.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use broker_core::{AttributeValue, Entries, Message, ReceiveOptions, SendMessage};

use super::{journal::Record, run::Shared};

/// The most messages per receive: the limit of SQS.
const BATCH: usize = 10;

/// How long to wait for messages before looking whether there can be any more.
const WAIT: Duration = Duration::from_secs(5);

/// Works until every row has its result.
pub(super) async fn work(shared: Arc<Shared>) -> Result<()> {
    let mut finished = shared.finished.subscribe();
    loop {
        let received = tokio::select! {
            biased;
            _ = finished.wait_for(|finished| *finished) => return Ok(()),
            received = shared.departures.receive(ReceiveOptions::up_to(BATCH).wait_time(WAIT)) => received?,
        };
        if received.is_empty() {
            refuse_to_wait_for_nothing(&shared).await?;
        } else {
            settle(&shared, received).await?;
        }
    }
}

/// From messages to results, in the order that makes a crash harmless.
async fn settle(shared: &Shared, messages: Vec<Message>) -> Result<()> {
    let again = messages.iter().filter(|message| message.receive_count > 1).count();
    shared.received.fetch_add(messages.len() as u64, Ordering::Relaxed);
    shared.redelivered.fetch_add(again as u64, Ordering::Relaxed);
    let mut records = Vec::with_capacity(messages.len());
    let mut rejected = Entries::new();
    for message in &messages {
        let row = row_of(message)?;
        if shared.tally.lock().is_done(row) {
            // A copy, or a message whose delete did not survive. Deleting it is all that is left to do.
            continue;
        }
        match shared.columns.parse(&message.body) {
            Ok(departure) => records.push(Record::Row { row, departure }),
            Err(reason) => {
                rejected.push(set_aside(message, row, reason));
                records.push(Record::Rejected { row });
            }
        }
    }
    if !rejected.is_empty() {
        shared.rejected.send_batch(rejected).await?.all()?;
    }
    if !records.is_empty() {
        shared.journal.append(&records).await?;
        shared.journalled(&records)?;
    }
    let receipts = messages.iter().map(|message| message.receipt).collect();
    // A stale receipt is no failure: the row comes again and is found to be done.
    shared.departures.delete_batch(receipts).await?.all()?;
    Ok(())
}

/// The row as it stands in the file, with its number and what is wrong with it.
fn set_aside(message: &Message, row: u64, reason: String) -> SendMessage {
    SendMessage::new(message.body.clone())
        .attribute("row", AttributeValue::number(row))
        .attribute("reason", AttributeValue::string(reason))
}

/// The number of the message's row.
fn row_of(message: &Message) -> Result<u64> {
    let row = message.attributes.get("row").and_then(AttributeValue::text);
    let row = row.and_then(|row| row.parse().ok());
    row.with_context(|| format!("message {} has no row number: this program did not send it", message.id))
}

/// Fails if everything was sent, the queue is empty, and yet results are missing: no waiting would bring them.
async fn refuse_to_wait_for_nothing(shared: &Shared) -> Result<()> {
    if !shared.all_sent.load(Ordering::Acquire) {
        return Ok(());
    }
    let left = shared.departures.counters().await?.total();
    // Looked at after the queue: a message is deleted only when its result is in the tally.
    let tally = shared.tally.lock();
    if left == 0 && !tally.is_complete() {
        let done = tally.done_count();
        bail!("rows were lost: all were sent, {done} have a result, and the queue is empty");
    }
    Ok(())
}
