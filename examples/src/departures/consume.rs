//! The workers: each takes what it can get, works out the results, journals them, and only then deletes the messages.
//!
//! A row that does not parse is journalled too, and given back: its queue's redrive policy sets it aside.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use broker_core::{ChangeVisibility, Entries, Message, MessageAttributes, ReceiveOptions};

use super::{journal::Record, run::Shared};

/// The most messages per receive: the limit of SQS.
const BATCH: usize = 10;

/// How long to wait for messages before looking whether there can be any more.
const WAIT: Duration = Duration::from_secs(5);

/// Works until every row has its result, or everything was sent and the queue is empty.
pub(super) async fn work(shared: Arc<Shared>) -> Result<()> {
    let mut finished = shared.finished.subscribe();
    loop {
        let received = tokio::select! {
            biased;
            _ = finished.wait_for(|finished| *finished) => return Ok(()),
            received = shared.departures.receive(ReceiveOptions::up_to(BATCH).wait_time(WAIT)) => received?,
        };
        if !received.is_empty() {
            settle(&shared, received).await?;
        } else if shared.all_sent.load(Ordering::Acquire) && is_empty(&shared).await? {
            shared.finished.send_replace(true);
        }
    }
}

/// Receives what is in the queue when every row has its result, until it is empty, and returns how many copies there
/// were: rows sent again after a crash, or journalled and not deleted before one. The rest are rows that do not parse,
/// on their way to the dead letters.
pub(super) async fn drain(shared: &Shared) -> Result<u64> {
    let mut copies = 0;
    while !is_empty(shared).await? {
        // A receive that moves all there is goes on waiting, for what does not come.
        let options = ReceiveOptions::up_to(BATCH).wait_time(Duration::from_millis(50));
        let received = shared.departures.receive(options).await?;
        copies += settle(shared, received).await?;
    }
    Ok(copies)
}

async fn is_empty(shared: &Shared) -> Result<bool> {
    Ok(shared.departures.counters().await?.total() == 0)
}

/// From messages to results, in the order that makes a crash harmless. Returns how many good rows had theirs already.
async fn settle(shared: &Shared, messages: Vec<Message>) -> Result<u64> {
    let again = messages.iter().filter(|message| message.receive_count > 1).count();
    shared.received.fetch_add(messages.len() as u64, Ordering::Relaxed);
    shared.redelivered.fetch_add(again as u64, Ordering::Relaxed);
    let mut records = Vec::with_capacity(messages.len());
    let (mut done, mut failed, mut copies) = (Entries::new(), Entries::new(), 0);
    for message in &messages {
        let row = row_of(&message.attributes);
        let stranger = || format!("message {} has no row number: this program did not send it", message.id);
        let row = row.with_context(stranger)?;
        // A row that has its result is a copy, or its delete did not survive: there is nothing more to journal.
        let known = shared.tally.lock().is_done(row);
        let record = if let Ok(departure) = shared.columns.parse(&message.body) {
            done.push(message.receipt);
            copies += u64::from(known);
            Record::Row { row, departure }
        } else {
            // Visible at once. When it has been delivered often enough, the next receive moves it.
            failed.push(ChangeVisibility { receipt: message.receipt, timeout: Duration::ZERO });
            Record::Rejected { row }
        };
        if !known {
            records.push(record);
        }
    }
    if !records.is_empty() {
        shared.journal.append(&records).await?;
        shared.journalled(&records)?;
    }
    // A stale receipt is no failure: the row comes again and is found to be done.
    if !done.is_empty() {
        shared.departures.delete_batch(done).await?.all()?;
    }
    if !failed.is_empty() {
        shared.departures.change_visibility_batch(failed).await?.all()?;
    }
    Ok(copies)
}

/// The number of a message's row.
pub(super) fn row_of(attributes: &MessageAttributes) -> Option<u64> {
    attributes.get("row")?.text()?.parse().ok()
}
