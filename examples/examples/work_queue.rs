//! A work queue: several workers compete for the messages of one durable queue.
//!
//! Run it with `cargo run -p broker-examples --example work_queue`.
//!
//! Whoever receives a message has it alone for the queue's visibility timeout. `ack` deletes it. A worker that dies
//! before that has lost nothing: the message becomes visible again and another worker gets it.

use std::time::Duration;

use broker_core::{Broker, LocalQueue, QueueExt as _};
use broker_log::LogStorage;
use tokio::task::JoinSet;

const JOBS: usize = 60;
const WORKERS: usize = 3;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A program keeps its data in a directory of its own. This one forgets it at the end.
    let directory = tempfile::tempdir()?;
    let broker = Broker::open(LogStorage::open(directory.path())?).await?;

    // Created by the first run, opened by all later ones.
    let jobs = broker.queue("jobs").visibility_timeout(Duration::from_secs(30)).await?;

    // `send` returns when the message is on the disk, so it pays to have several on the way at once: they share one
    // sync. Batches do the same.
    let sends = (0..JOBS).map(|number| jobs.send(format!("job {number}")));
    futures_util::future::try_join_all(sends).await?;
    println!("sent {JOBS} jobs: {:?}", jobs.counters().await?);

    let mut workers = JoinSet::new();
    for number in 1..=WORKERS {
        workers.spawn(work(number, jobs.clone()));
    }
    let mut done = 0;
    while let Some(worker) = workers.join_next().await {
        done += worker??;
    }
    println!("done {done} jobs: {:?}", jobs.counters().await?);

    // What was acknowledged is safe without this; it lets go of the directory in good order.
    broker.close().await?;
    Ok(())
}

/// Works until the queue is empty. A real worker would go on until it is told to stop.
async fn work(number: usize, jobs: LocalQueue) -> broker_core::Result<usize> {
    let mut done = 0;
    loop {
        // Giving up a `recv` loses nothing: a message that it did not return is visible again.
        let Ok(job) = tokio::time::timeout(Duration::from_millis(200), jobs.recv()).await else {
            if jobs.counters().await?.total() > 0 {
                continue;
            }
            println!("worker {number} did {done} jobs");
            return Ok(done);
        };
        let job = job?;
        // The work itself would be here. It must bear being done twice: a crash can come right before the `ack`.
        tokio::time::sleep(Duration::from_millis(2)).await;
        if done == 0 {
            println!("worker {number} begins with {:?}", job.text());
        }
        job.ack().await?;
        done += 1;
    }
}
