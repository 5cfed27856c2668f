//! The workers: each takes what it can get, works out the results, journals them, and only then acknowledges the messages.
//!
//! The consumer runtime receives, keeps the leases and settles; here is what it calls. A row that does not parse is
//! journalled too, and given back: its queue's redrive policy sets it aside.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use broker_core::{ChangeVisibility, Entries, Message, MessageAttributes, ReceiveOptions};
use broker_worker::{
    Outcome,
    handler::batch,
    queue::{Batch, Pollers, QueueMapping, Running},
};

use super::{journal::Record, run::Shared};

/// The most messages per receive: the limit of SQS.
const BATCH: usize = 10;

/// How often to look whether there can be any more messages, once all were sent.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What handlers that are at work when everything is done get to finish.
const DRAIN: Duration = Duration::from_secs(60);

/// Starts so many workers.
pub(super) async fn start(shared: &Arc<Shared>, workers: usize) -> Result<Running> {
    let of_workers = shared.clone();
    let handler = batch(move |messages: Batch, _| {
        let shared = of_workers.clone();
        async move {
            let handled = handle(&shared, &messages).await;
            // To go on would not help: the run ends.
            handled.map_err(|error| shared.give_up(error))
        }
    });
    let mapping = QueueMapping::new(shared.departures.clone(), handler).batch_size(BATCH);
    // A result is journalled once it has begun to be: the heartbeat keeps its messages for as long as that takes.
    Ok(mapping.pollers(Pollers::Fixed(workers)).heartbeat(true).start().await?)
}

/// Lets workers work until every row has its result, or everything was sent and the queue is empty.
pub(super) async fn finish(shared: &Shared, running: Running) -> Result<()> {
    let mut finished = shared.finished.subscribe();
    loop {
        tokio::select! {
            biased;
            _ = finished.wait_for(|finished| *finished) => break,
            error = running.broken() => return Err(error.into()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if shared.all_sent.load(Ordering::Acquire) && is_empty(shared).await? {
            break;
        }
    }
    running.stop(DRAIN).await;
    shared.finished.send_replace(true);
    shared.trouble.lock().take().map_or(Ok(()), Err)
}

/// Decides on each message of a batch.
async fn handle(shared: &Shared, batch: &Batch) -> Result<()> {
    let messages: Vec<&Message> = batch.messages().iter().map(|received| &**received).collect();
    let (good, _) = journal(shared, &messages).await?;
    for (message, good) in batch.messages().iter().zip(good) {
        // Of a row that does not parse: visible at once. When it has been delivered often enough, a receive moves it.
        message.decide(if good { Outcome::Ack } else { Outcome::retry(Duration::ZERO) });
    }
    Ok(())
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
    let (good, copies) = journal(shared, &messages.iter().collect::<Vec<_>>()).await?;
    let (mut done, mut failed) = (Entries::new(), Entries::new());
    for (message, good) in messages.iter().zip(good) {
        if good {
            done.push(message.receipt);
        } else {
            failed.push(ChangeVisibility { receipt: message.receipt, timeout: Duration::ZERO });
        }
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

/// Journals the results of messages. Returns which of them are rows that parse, and how many good rows had their results
/// already.
async fn journal(shared: &Shared, messages: &[&Message]) -> Result<(Vec<bool>, u64)> {
    let again = messages.iter().filter(|message| message.receive_count > 1).count();
    shared.received.fetch_add(messages.len() as u64, Ordering::Relaxed);
    shared.redelivered.fetch_add(again as u64, Ordering::Relaxed);
    let mut records = Vec::with_capacity(messages.len());
    let (mut good, mut copies) = (Vec::with_capacity(messages.len()), 0);
    for message in messages {
        let row = row_of(&message.attributes);
        let stranger = || format!("message {} has no row number: this program did not send it", message.id);
        let row = row.with_context(stranger)?;
        // A row that has its result is a copy, or its delete did not survive: there is nothing more to journal.
        let known = shared.tally.lock().is_done(row);
        let parsed = shared.columns.parse(&message.body);
        good.push(parsed.is_ok());
        copies += u64::from(known && parsed.is_ok());
        if !known {
            records.push(match parsed {
                Ok(departure) => Record::Row { row, departure },
                Err(_) => Record::Rejected { row },
            });
        }
    }
    if !records.is_empty() {
        shared.journal.append(&records).await?;
        shared.journalled(&records)?;
    }
    Ok((good, copies))
}

/// The number of a message's row.
pub(super) fn row_of(attributes: &MessageAttributes) -> Option<u64> {
    attributes.get("row")?.text()?.parse().ok()
}
