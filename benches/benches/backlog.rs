//! Receiving from a queue in which little or much is waiting, on memory and on sled; and what opening a large one costs.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::{Contest, resident_bytes};
use broker_core::{Broker, Entries, Limits, LocalQueue, ReceiveOptions, SendMessage, storage::Storage};
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const BACKLOGS: [usize; 3] = [1_000, 100_000, 1_000_000];
const BATCH: usize = 10;

async fn open(store: Arc<dyn Storage>) -> (Broker, LocalQueue) {
    let broker = Broker::builder_on(store).limits(Limits::unlimited()).open().await.expect("open");
    let queue = broker.queue("bench").await.expect("queue");
    (broker, queue)
}

fn some(count: usize) -> Entries<SendMessage> {
    (0..count).map(|_| SendMessage::from(Bytes::from_static(&[b'x'; 100]))).collect()
}

async fn fill(queue: &LocalQueue, backlog: usize) {
    for _ in 0..backlog / 1_000 {
        queue.send_batch(some(1_000)).await.expect("send").all().expect("every entry");
    }
}

/// Receives and deletes a batch, and sends as many behind the backlog, so that it stays as it is.
fn turn_over(runtime: &Runtime, queue: &LocalQueue, rounds: u64) -> Duration {
    let start = Instant::now();
    runtime.block_on(async {
        for _ in 0..rounds {
            let received = queue.receive(ReceiveOptions::up_to(BATCH)).await.expect("receive");
            assert_eq!(received.len(), BATCH);
            let receipts = received.iter().map(|message| message.receipt).collect();
            let _ = queue.delete_batch(receipts).await.expect("delete");
            let _ = queue.send_batch(some(BATCH)).await.expect("send");
        }
    });
    start.elapsed()
}

fn backlog(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let sled = |backlog: usize| -> Arc<dyn Storage> {
        Arc::new(SledStorage::open(directory.path().join(backlog.to_string())).expect("open sled"))
    };
    let memory = |_: usize| -> Arc<dyn Storage> { Arc::new(MemStorage::new()) };
    let stores: [(&str, &dyn Fn(usize) -> Arc<dyn Storage>); 2] = [("memory", &memory), ("sled", &sled)];
    for (name, store) in stores {
        let queues: Vec<_> = BACKLOGS
            .iter()
            .rev()
            .map(|backlog| {
                let (broker, queue) = runtime.block_on(open(store(*backlog)));
                runtime.block_on(fill(&queue, *backlog));
                (*backlog, broker, queue)
            })
            .collect();
        let mut contest = Contest::new(format!("backlog on {name}"), BATCH as u64);
        for (backlog, _, queue) in &queues {
            contest.enter(format!("{backlog} waiting"), |rounds| turn_over(&runtime, queue, rounds));
        }
        contest.run(criterion);
        drop(contest);
        for (_, broker, _) in queues {
            runtime.block_on(broker.close()).expect("close");
        }
    }
    for backlog in BACKLOGS {
        opening(&runtime, &directory.path().join(backlog.to_string()), backlog);
    }
}

/// How long the broker takes to open a store that the engine has opened, and what it adds to the process's memory.
fn opening(runtime: &Runtime, path: &Path, backlog: usize) {
    let store: Arc<dyn Storage> = Arc::new(SledStorage::open(path).expect("open sled"));
    let before = resident_bytes();
    let start = Instant::now();
    let (_broker, queue) = runtime.block_on(open(store));
    let opened = start.elapsed();
    let counters = runtime.block_on(queue.counters()).expect("counters");
    let grown = resident_bytes().saturating_sub(before) / 1024;
    println!("open   {backlog} waiting ({}): {opened:?}, {grown} KiB more resident", counters.total());
}

criterion_group!(benches, backlog);
criterion_main!(benches);
