//! The life of a message in a FIFO queue: send, receive, delete. Against a standard queue in the same run, in memory and
//! on sled.
//!
//! Each turn has a store of its own: a FIFO queue remembers for five minutes what was sent, so a turn would find what
//! those before it left.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::{
    Broker, Entries, LocalQueue, ReceiveOptions, SendMessage,
    storage::{Durability, Storage},
};
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Messages of a batch are in groups of their own, and so are those that are in flight at once.
const GROUPS: u64 = 1_000;

/// Makes an empty store, and returns what must outlive it.
type MakeStore = fn() -> (Arc<dyn Storage>, Option<TempDir>);

fn in_memory() -> (Arc<dyn Storage>, Option<TempDir>) {
    (Arc::new(MemStorage::new()), None)
}

fn on_sled() -> (Arc<dyn Storage>, Option<TempDir>) {
    let directory = tempfile::tempdir().expect("a directory");
    (Arc::new(SledStorage::open(directory.path().join("store")).expect("open sled")), Some(directory))
}

/// A turn of one kind of queue.
struct Turn {
    store: MakeStore,
    fifo: bool,
    tasks: u64,
    batch: usize,
}

impl Turn {
    /// Runs `rounds` of a life cycle on a new queue, split over tasks. Making the store and closing it is not timed.
    fn run(&self, runtime: &Runtime, rounds: u64) -> Duration {
        let (store, directory) = (self.store)();
        let (broker, queue) = runtime.block_on(open(store, self.fifo));
        let next = Arc::new(AtomicU64::new(0));
        let share = rounds.div_ceil(self.tasks);
        let lives = || lives(queue.clone(), self.fifo, self.batch, next.clone(), share);
        let start = Instant::now();
        if self.tasks == 1 {
            runtime.block_on(lives());
        } else {
            let tasks: Vec<_> = (0..self.tasks).map(|_| runtime.spawn(lives())).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.expect("a task of the bench");
                }
            });
        }
        let took = start.elapsed();
        runtime.block_on(broker.close()).expect("close");
        drop(directory);
        took
    }
}

async fn open(store: Arc<dyn Storage>, fifo: bool) -> (Broker, LocalQueue) {
    let broker = Broker::builder_on(store).open().await.expect("open");
    let queue = if fifo { broker.queue("bench.fifo").fifo() } else { broker.queue("bench") };
    // Not synced: this measures the work, not the disk's latency, which is the same for both.
    let queue = queue.durability(Durability::Buffered).await.expect("queue");
    (broker, queue)
}

fn message(fifo: bool, next: &AtomicU64) -> SendMessage {
    let message = SendMessage::from(Bytes::from_static(&[b'x'; 100]));
    if !fifo {
        return message;
    }
    let number = next.fetch_add(1, Ordering::Relaxed);
    message.group_id((number % GROUPS).to_string()).deduplication_id(number.to_string())
}

async fn lives(queue: LocalQueue, fifo: bool, batch: usize, next: Arc<AtomicU64>, rounds: u64) {
    for _ in 0..rounds {
        if batch == 1 {
            queue.send(message(fifo, &next)).await.expect("send");
            for message in queue.receive(ReceiveOptions::default()).await.expect("receive") {
                queue.delete(message.receipt).await.expect("delete");
            }
            continue;
        }
        let entries: Entries<SendMessage> = (0..batch).map(|_| message(fifo, &next)).collect();
        queue.send_batch(entries).await.expect("send").all().expect("every entry");
        let received = queue.receive(ReceiveOptions::up_to(batch)).await.expect("receive");
        if !received.is_empty() {
            let receipts = received.iter().map(|message| message.receipt).collect();
            queue.delete_batch(receipts).await.expect("delete").all().expect("every entry");
        }
    }
}

fn fifo(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for (name, store) in [("memory", in_memory as MakeStore), ("sled", on_sled)] {
        for tasks in [1, 4] {
            for batch in [1, 10] {
                let name = format!("fifo on {name}, {tasks} tasks, batches of {batch}");
                let contest = Contest::new(name, batch as u64);
                let mut contest = contest.turns_of(Duration::from_millis(150));
                for (name, fifo) in [("FIFO", true), ("standard", false)] {
                    let turn = Turn { store, fifo, tasks, batch };
                    let runtime = &runtime;
                    contest.enter(name, move |rounds| turn.run(runtime, rounds));
                }
                contest.run(criterion);
            }
        }
    }
}

criterion_group!(benches, fifo);
criterion_main!(benches);
