//! A consumer's whole step: acknowledge, send on, put to a stream, write its own state. In one transaction, against the same as
//! four commits, in memory and on both durable stores; by one consumer, and by sixteen at once.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::{Contest, keep_memory};
use broker_core::{
    Broker, Entries, LocalQueue, LocalStream, PutRecord, ReceiptHandle, ReceiveOptions, SendMessage, Space,
    storage::Storage,
};
use broker_log::LogStorage;
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// Of the message, the record and the value.
const BODY_BYTES: usize = 256;

/// Where the steps are done: made anew for each turn, so that nothing piles up.
struct World {
    broker: Broker,
    orders: LocalQueue,
    parcels: LocalQueue,
    clicks: LocalStream,
    totals: Space,
}

impl World {
    /// A world with so many received messages.
    async fn new(broker: &Broker, messages: u64) -> (Arc<Self>, Vec<ReceiptHandle>) {
        for name in ["orders", "parcels"] {
            if broker.list_queues(name).contains(&name.to_owned()) {
                broker.delete_queue(name).await.expect("delete");
            }
        }
        if broker.list_streams().contains(&"clicks".to_owned()) {
            broker.delete_stream("clicks").await.expect("delete");
        }
        let world = Self {
            broker: broker.clone(),
            orders: broker
                .queue("orders")
                .visibility_timeout(Duration::from_secs(3_600))
                .await
                .expect("queue"),
            parcels: broker.queue("parcels").await.expect("queue"),
            clicks: broker.stream("clicks").shards(1).await.expect("stream"),
            totals: broker.space("totals").await.expect("space"),
        };
        let mut receipts = Vec::new();
        while (receipts.len() as u64) < messages {
            let batch: Entries<_> = (0..10).map(|_| SendMessage::from(body())).collect();
            world.orders.send_batch(batch).await.expect("send").all().expect("send");
            let got = world.orders.receive(ReceiveOptions::up_to(10)).await.expect("receive");
            receipts.extend(got.iter().map(|message| message.receipt));
        }
        (Arc::new(world), receipts)
    }

    async fn in_one_transaction(&self, receipt: ReceiptHandle, key: &str) {
        let mut tx = self.broker.transaction();
        tx.ack(&self.orders, receipt).expect("ack");
        tx.send(&self.parcels, body()).expect("send");
        tx.put_record(&self.clicks, PutRecord::new("user", body())).expect("put");
        tx.put(&self.totals, key, body()).expect("key");
        tx.commit().await.expect("commit");
    }

    async fn in_four_commits(&self, receipt: ReceiptHandle, key: &str) {
        self.parcels.send(body()).await.expect("send");
        self.clicks.put(PutRecord::new("user", body())).await.expect("put");
        self.totals.put(key, body()).await.expect("key");
        self.orders.delete(receipt).await.expect("ack");
    }
}

fn body() -> Bytes {
    static BODY: [u8; BODY_BYTES] = [b'x'; BODY_BYTES];
    Bytes::from_static(&BODY)
}

/// `rounds` rounds of a step by each of so many consumers at once.
fn steps(runtime: &Runtime, broker: &Broker, consumers: u64, rounds: u64, in_one: bool) -> Duration {
    let (world, receipts) = runtime.block_on(World::new(broker, rounds * consumers));
    let rounds = usize::try_from(rounds).expect("a turn is short");
    let start = Instant::now();
    let consume = |(number, receipts): (usize, &[ReceiptHandle])| {
        let (world, receipts) = (world.clone(), receipts.to_vec());
        let key = format!("consumer {number}");
        async move {
            for receipt in receipts {
                if in_one {
                    world.in_one_transaction(receipt, &key).await;
                } else {
                    world.in_four_commits(receipt, &key).await;
                }
            }
        }
    };
    let mut shares =
        receipts.chunks(rounds).take(usize::try_from(consumers).expect("few consumers")).enumerate();
    if consumers == 1 {
        runtime.block_on(consume(shares.next().expect("one share")));
    } else {
        let tasks: Vec<_> = shares.map(|share| runtime.spawn(consume(share))).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("a consumer");
            }
        });
    }
    start.elapsed()
}

fn contest(criterion: &mut Criterion, name: &str, store: impl Storage, consumers: u64, turn: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let broker = runtime.block_on(Broker::open(store)).expect("open");
    let mut contest =
        Contest::new(format!("transactions, {name}, {consumers} consumers"), consumers).turns_of(turn);
    contest.enter("in one transaction", |rounds| steps(&runtime, &broker, consumers, rounds, true));
    contest.enter("in four commits", |rounds| steps(&runtime, &broker, consumers, rounds, false));
    contest.run(criterion);
}

fn transactions(criterion: &mut Criterion) {
    keep_memory();
    for consumers in [1, 16] {
        contest(criterion, "memory", MemStorage::new(), consumers, Duration::from_millis(60));
        let directory = tempfile::tempdir().expect("a directory");
        let log = LogStorage::open(directory.path().join("log")).expect("open");
        contest(criterion, "broker-log", log, consumers, Duration::from_millis(400));
        let sled = SledStorage::open(directory.path().join("sled")).expect("open");
        contest(criterion, "sled", sled, consumers, Duration::from_millis(400));
    }
}

criterion_group!(benches, transactions);
criterion_main!(benches);
