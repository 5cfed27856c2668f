//! The child: sends, receives, deletes and puts until it is ended, and says what it was promised.

use std::{
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use broker_core::{Broker, LocalQueue, LocalStream, PutRecord, ReceiveOptions, SendMessage};

use crate::{
    store::Store,
    work::{self, Item, Place},
};

/// Of this many messages that are received one is left in flight: its count must survive.
const LEFT_IN_FLIGHT: u64 = 7;

/// Works until it is ended from outside, or has said so many lines.
pub(crate) fn work(
    store: Store,
    directory: &Path,
    life: u64,
    seed: u64,
    lines_max: u64,
) -> anyhow::Result<()> {
    LINES_LEFT.store(lines_max, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(async {
        let broker = Broker::builder_on(store.open(directory)?).open().await?;
        let queue = broker.queue(work::QUEUE).visibility_timeout(Duration::ZERO).await?;
        let fifo = broker.queue(work::FIFO).fifo().await?;
        let stream = broker.stream(work::STREAM).shards(2).await?;
        say("opened");
        // Which of them gets ahead differs from life to life.
        let batch = 1 + work::mix(seed ^ life) % 3;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..3 {
            tasks.spawn(send(queue.clone(), life, task));
        }
        tasks.spawn(send(fifo, life, 3));
        tasks.spawn(put(stream, life, 4));
        tasks.spawn(consume(queue.clone(), usize::try_from(batch)?));
        tasks.spawn(consume(queue, 10));
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// How many lines are left to be said: then the child ends by itself.
static LINES_LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// One write to the pipe: complete or not there, also when the process dies.
fn say(line: &str) {
    if LINES_LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        std::process::exit(0);
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    // The parent is gone or going: so is this process.
    drop(written);
}

async fn send(queue: LocalQueue, life: u64, task: u64) -> anyhow::Result<()> {
    let place = if task == 3 { Place::Fifo } else { Place::Queue };
    for number in 0.. {
        let item = Item { place, life, task, number };
        let name = item.to_string();
        let message = SendMessage::new(item.body()).trace_header(&name);
        let fifo = place == Place::Fifo;
        queue
            .send(if fifo { message.group_id(item.group()).deduplication_id(name) } else { message })
            .await?;
        say(&format!("sent {item}"));
    }
    Ok(())
}

async fn put(stream: LocalStream, life: u64, task: u64) -> anyhow::Result<()> {
    for number in 0.. {
        let item = Item { place: Place::Stream, life, task, number };
        let record = PutRecord::new(item.to_string(), item.body());
        stream.put(record.explicit_hash_key(item.hash())).await?;
        say(&format!("sent {item}"));
    }
    Ok(())
}

async fn consume(queue: LocalQueue, batch: usize) -> anyhow::Result<()> {
    loop {
        let options = ReceiveOptions::up_to(batch).wait_time(Duration::from_secs(1));
        for message in queue.receive(options.visibility_timeout(Duration::from_secs(600))).await? {
            let item = Item::of_message(message.trace_header.as_deref(), &message.body)?;
            say(&format!("received {item} {}", message.receive_count));
            if item.number % LEFT_IN_FLIGHT == 0 {
                continue;
            }
            say(&format!("deleting {item}"));
            queue.delete(message.receipt).await?;
            say(&format!("deleted {item}"));
        }
    }
}
