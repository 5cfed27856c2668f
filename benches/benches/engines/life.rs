//! Sending, receiving and deleting with the broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::{
    Broker, LocalQueue, ReceiveOptions, SendMessage,
    storage::{Durability, Storage},
};
use broker_log::LogStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TASKS: u64 = 64;
const BODY_BYTES: usize = 1_024;

/// So many messages, each sent, received and deleted, by so many tasks at once.
fn live(runtime: &Runtime, queue: &LocalQueue, messages: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(messages));
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let start = Instant::now();
    let tasks = (0..TASKS).map(|_| {
        let (queue, left, body) = (queue.clone(), left.clone(), body.clone());
        runtime.spawn(async move {
            let take = |left: u64| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                queue.send(SendMessage::from(body.clone())).await.expect("send");
                for message in queue.receive(ReceiveOptions::up_to(1)).await.expect("receive") {
                    queue.delete(message.receipt).await.expect("delete");
                }
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("a task of the bench");
        }
    });
    start.elapsed()
}

fn queue(runtime: &Runtime, log: bool, durability: Durability) -> (LocalQueue, TempDir) {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("store");
    let store: Arc<dyn Storage> = if log {
        Arc::new(LogStorage::open(path).expect("a store"))
    } else {
        Arc::new(SledStorage::open(path).expect("a store"))
    };
    let queue = runtime.block_on(async {
        let broker = Broker::builder_on(store).open().await.expect("open");
        broker.queue("life").durability(durability).await.expect("a queue")
    });
    (queue, home)
}

pub(crate) fn on_disk(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for (name, durability) in [("durable", Durability::Synced), ("buffered", Durability::Buffered)] {
        let (on_log, _log) = queue(&runtime, true, durability);
        let (on_sled, _sled) = queue(&runtime, false, durability);
        let mut contest = Contest::new(format!("life of messages, {name}, {TASKS} tasks"), TASKS);
        contest = contest.turns_of(Duration::from_millis(300));
        contest.enter("on broker-log", |rounds| live(&runtime, &on_log, rounds * TASKS));
        contest.enter("on sled", |rounds| live(&runtime, &on_sled, rounds * TASKS));
        contest.run(criterion);
    }
}
