//! A file system that fills up: what was acknowledged is there, and can be received and deleted; and when there is room, sending
//! goes on. `broker-log` does that while it is open; sled stops, and has to be opened again when there is room.

use std::{collections::HashSet, fs, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use broker_core::{Broker, Certainty, LocalQueue, ReceiveOptions, storage::StorageError};

use crate::{machine::Machine, report::Outcome, store::Store};

/// Small, so that it is full soon; the journal takes a part.
const DEVICE_BYTES: u64 = 64 << 20;
/// What makes room on the device when it goes: more than sled writes before it has taken back what was deleted. With 8 MiB it
/// was full again, at one time in eight, before it had deleted 11 MiB of messages.
const BALLAST_BYTES: usize = 24 << 20;
/// Bodies have so many bytes, and some more.
const BODY_BYTES: usize = 60_000;
/// More messages than the device has room for.
const MESSAGES_MAX: usize = 2_000;
/// Ten seconds of waiting.
const TRIES_MAX: usize = 1_000;
/// Sent when there is room again.
const AFTERWARDS: usize = 20;

/// Fills so many devices.
pub(crate) fn run(store: Store, times: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("full_log", "full_sled");
    let (mut messages, mut bad) = (0, Vec::new());
    for number in 0..times {
        let machine = match Machine::new(DEVICE_BYTES) {
            Ok(machine) => machine,
            Err(why) => return Ok(Outcome::skipped(suite, format!("{why:#}"))),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let salt = usize::try_from(number)? * 97;
        match runtime.block_on(fill(store, machine.mount(), salt)) {
            Ok(sent) => messages += sent as u64,
            Err(error) => bad.push(format!("device {number}: {error:#}")),
        }
    }
    Ok(Outcome::new(suite, vec![("devices", times), ("messages", messages)], bad))
}

async fn open(store: Store, directory: &Path) -> anyhow::Result<(Broker, LocalQueue)> {
    let broker = Broker::builder_on(store.open(directory)?).open().await?;
    let queue = broker.queue("work").await?;
    Ok((broker, queue))
}

/// The last of the old broker goes when its threads end, a moment after it was dropped.
async fn reopen(store: Store, directory: &Path) -> anyhow::Result<(Broker, LocalQueue)> {
    for _ in 0..TRIES_MAX {
        match store.open(directory) {
            Err(StorageError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => return Err(error.into()),
            Ok(opened) => {
                drop(opened);
                return open(store, directory).await;
            }
        }
    }
    bail!("the store is in use long after its broker was dropped")
}

fn body(number: usize, salt: usize) -> String {
    format!("{number}:{}", "x".repeat(BODY_BYTES + (number * 31 + salt) % 3_000))
}

/// Returns how many messages were sent, and received again.
async fn fill(store: Store, mount: &Path, salt: usize) -> anyhow::Result<usize> {
    let (directory, ballast) = (mount.join("store"), mount.join("ballast"));
    fs::write(&ballast, vec![7; BALLAST_BYTES])?;
    let (mut broker, mut queue) = open(store, &directory).await?;
    let mut sent = HashSet::new();
    let refused = loop {
        ensure!(sent.len() < MESSAGES_MAX, "the device never fills up");
        match queue.send(body(sent.len(), salt)).await {
            Ok(_) => drop(sent.insert(body(sent.len(), salt))),
            Err(error) => break error,
        }
    };
    match (store, refused.certainty()) {
        (Store::Log, Certainty::Rejected) => {}
        (Store::Sled, Certainty::Indeterminate) => {
            drop((broker, queue));
            fs::remove_file(&ballast)?;
            (broker, queue) = reopen(store, &directory).await.context("opening again")?;
        }
        (_, certainty) => bail!("a full device: {certainty:?}, {refused}"),
    }
    let count = sent.len();
    let options = ReceiveOptions::up_to(10).wait_time(Duration::ZERO);
    loop {
        let got = queue.receive(options.clone()).await.context("receiving")?;
        if got.is_empty() {
            break;
        }
        for message in got {
            // The send that failed may be there, if it is not known to have been refused.
            let known = sent.remove(message.text()?) || message.text()? == body(count, salt);
            ensure!(known, "a message that was never sent, or comes twice");
            let left = sent.len();
            queue
                .delete(message.receipt)
                .await
                .with_context(|| format!("deleting, {left} of {count} left"))?;
        }
    }
    ensure!(sent.is_empty(), "{} of {count} acknowledged messages are lost", sent.len());
    for number in 0..AFTERWARDS {
        queue.send(body(number, salt)).await.with_context(|| format!("sending {number} afterwards"))?;
    }
    broker.close().await?;
    Ok(count)
}
