//! The producer: sends every row that is not known to be sent, many batches at a time.
//!
//! Many, because senders that wait share one sync of the disk: that is where the throughput comes from.

use std::sync::{Arc, atomic::Ordering};

use anyhow::{Context as _, Result, ensure};
use broker_core::{AttributeValue, Entries, SendMessage};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;

use super::{input::Input, journal::Record, run::Shared};

/// The most messages in a batch: the limit of SQS.
const BATCH: usize = 10;

/// How many batches wait for the disk at once.
const BATCHES_IN_FLIGHT: usize = 32;

/// Messages to send together, and what is sent when they are.
struct Batch {
    entries: Entries<SendMessage>,
    /// Every row below this one is in this batch, in one before, or needs no sending.
    below: u64,
}

/// Sends the rows of the input that are not known to be sent.
pub(super) async fn send_all(shared: Arc<Shared>, input: Input, rows: u64) -> Result<()> {
    let (batches, mut ready) = mpsc::channel(BATCHES_IN_FLIGHT);
    let reading = {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || read(&shared, &input, rows, &batches))
    };
    // `buffered` keeps the order: a batch is reported as sent when all before it are.
    stream::poll_fn(|cx| ready.poll_recv(cx))
        .map(|batch| send(&shared, batch))
        .buffered(BATCHES_IN_FLIGHT)
        .try_for_each(|below| {
            let shared = &shared;
            async move {
                let record = [Record::Sent { below }];
                // Nobody waits for this: if it is lost, some rows are sent again.
                drop(shared.journal.append_later(&record));
                shared.journalled(&record)
            }
        })
        .await?;
    reading.await.context("the reader of the input panicked")??;
    shared.all_sent.store(true, Ordering::Release);
    Ok(())
}

/// Sends one batch and returns its `below`.
async fn send(shared: &Shared, batch: Batch) -> Result<u64> {
    let count = batch.entries.len();
    if count > 0 {
        shared.departures.send_batch(batch.entries).await?.all()?;
        shared.sent.fetch_add(count as u64, Ordering::Relaxed);
    }
    Ok(batch.below)
}

/// Reads the input and makes batches of what is to be sent. Blocks; ends early if nobody wants more.
fn read(shared: &Shared, input: &Input, rows: u64, batches: &mpsc::Sender<Batch>) -> Result<()> {
    let sent_below = shared.tally.lock().sent_below;
    let mut entries = Entries::new();
    let mut below = 0;
    for row in input.open()?.1 {
        let (row, line) = row?;
        below = row + 1;
        ensure!(below <= rows, "{} has changed: it had {rows} rows before", input.name());
        if row < sent_below || shared.tally.lock().is_done(row) {
            continue;
        }
        entries.push(SendMessage::new(line).attribute("row", AttributeValue::number(row)));
        if entries.len() == BATCH {
            let batch = Batch { entries: std::mem::take(&mut entries), below };
            if batches.blocking_send(batch).is_err() {
                return Ok(());
            }
        }
    }
    ensure!(below == rows, "{} has changed: it had {rows} rows before, now {below}", input.name());
    // If this is not taken, the run has failed already.
    drop(batches.blocking_send(Batch { entries, below }));
    Ok(())
}
