//! Receiving from a FIFO queue in which little or much is waiting: all of it in one group, or each message in a group of
//! its own. In memory and on sled.
//!
//! Only receiving and deleting is timed. What was taken is sent again behind the rest, so that the queue stays as deep.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::{Contest, resident_bytes};
use broker_core::{
    Broker, Entries, Limits, LocalQueue, ReceiveOptions, SendMessage,
    storage::{Durability, Storage},
};
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// The deepest first: it is compared with the other.
const DEPTHS: [u64; 2] = [200_000, 1_000];
const BATCH: usize = 10;
/// Messages sent at once. sled keeps some kilobytes for each message of a batch of a thousand.
const SENT_AT_ONCE: u64 = 100;
/// Rounds after which as many messages are sent again: less than half of the smallest depth.
const ROUNDS_UNTIL_REFILL: u64 = 40;

/// In which groups the messages are.
#[derive(Clone, Copy)]
enum Groups {
    One,
    AsManyAsMessages,
}

/// A queue that is kept at its depth.
struct Deep {
    broker: Broker,
    queue: LocalQueue,
    depth: u64,
    groups: Groups,
    sent: Cell<u64>,
}

impl Deep {
    async fn open(store: Arc<dyn Storage>, depth: u64, groups: Groups) -> Self {
        let broker = Broker::builder_on(store).limits(Limits::unlimited()).open().await.expect("open");
        // Not synced: this measures the way to a message, not the disk's latency, which is the same for all.
        let queue = broker.queue("bench.fifo").fifo().durability(Durability::Buffered);
        let queue = queue.await.expect("queue");
        let deep = Self { broker, queue, depth, groups, sent: Cell::new(0) };
        deep.send(depth).await;
        deep
    }

    async fn send(&self, count: u64) {
        let message = |number: u64| {
            let group = match self.groups {
                Groups::One => 0,
                // That of the message that was taken for this one.
                Groups::AsManyAsMessages => number % self.depth,
            };
            let message = SendMessage::from(Bytes::from_static(&[b'x'; 100]));
            message.group_id(group.to_string()).deduplication_id(number.to_string())
        };
        let (mut from, to) = (self.sent.get(), self.sent.get() + count);
        while from < to {
            let until = to.min(from + SENT_AT_ONCE);
            let batch: Entries<SendMessage> = (from..until).map(message).collect();
            self.queue.send_batch(batch).await.expect("send").all().expect("every entry");
            from = until;
        }
        self.sent.set(to);
    }

    /// Receives and deletes a batch in each round.
    fn take(&self, runtime: &Runtime, rounds: u64) -> Duration {
        let mut took = Duration::ZERO;
        let mut left = rounds;
        while left > 0 {
            let some = left.min(ROUNDS_UNTIL_REFILL);
            let start = Instant::now();
            runtime.block_on(async {
                for _ in 0..some {
                    let received = self.queue.receive(ReceiveOptions::up_to(BATCH)).await.expect("receive");
                    assert_eq!(received.len(), BATCH);
                    let receipts = received.iter().map(|message| message.receipt).collect();
                    self.queue.delete_batch(receipts).await.expect("delete").all().expect("every entry");
                }
            });
            took += start.elapsed();
            runtime.block_on(self.send(some * BATCH as u64));
            left -= some;
        }
        took
    }
}

fn deep_fifo(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for on_sled in [false, true] {
        for (groups, name) in [(Groups::One, "in one group"), (Groups::AsManyAsMessages, "in as many groups")]
        {
            let directory = tempfile::tempdir().expect("a directory");
            let open = |depth: u64| {
                let store: Arc<dyn Storage> = if on_sled {
                    Arc::new(SledStorage::open(directory.path().join(depth.to_string())).expect("open sled"))
                } else {
                    Arc::new(MemStorage::new())
                };
                let (before, start) = (resident_bytes(), Instant::now());
                let deep = runtime.block_on(Deep::open(store, depth, groups));
                let (took, grown) = (start.elapsed(), resident_bytes().saturating_sub(before) / 1024);
                println!("fill   {depth} waiting {name}: {took:?}, {grown} KiB more resident");
                deep
            };
            let queues = DEPTHS.map(open);
            let store = if on_sled { "sled" } else { "memory" };
            let contest = Contest::new(format!("deep FIFO on {store}, {name}"), BATCH as u64);
            let mut contest = contest.turns_of(Duration::from_millis(200));
            for deep in &queues {
                let runtime = &runtime;
                contest.enter(format!("{} waiting", deep.depth), move |rounds| deep.take(runtime, rounds));
            }
            contest.run(criterion);
            drop(contest);
            for deep in queues {
                runtime.block_on(deep.broker.close()).expect("close");
            }
        }
    }
}

criterion_group!(benches, deep_fifo);
criterion_main!(benches);
