//! Streams: readers see what is committed, all of it and in order; and a shard has one worker of a group at a time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use broker_core::{
    Checkpointer, Error, LocalStream, Processor, PutRecord, ReceiveOptions, Record, ShardFilter, ShardId,
    StartingPosition, StreamQueueSettings,
};
use broker_shuttle::{Store, all, random};
use shuttle::future::spawn;
use tokio::sync::oneshot;

use crate::world::{World, check};

async fn a_stream(world: &World) -> (LocalStream, ShardId) {
    let stream = world.broker.stream("s").shards(1).await.expect("a stream can be made");
    let shard = stream.shards(ShardFilter::default()).await.expect("the stream is there")[0].id;
    (stream, shard)
}

/// A reader waits while some put; it gets all of it, and nothing before its commit.
async fn a_reader<const N: usize>(store: Store, texts: [&'static str; N]) {
    let world = World::open(store).await;
    let (stream, shard) = a_stream(&world).await;
    let reads = spawn({
        let (stream, store) = (stream.clone(), world.store.clone());
        async move {
            let mut reader = stream.reader(shard, StartingPosition::TrimHorizon).await.expect("it is there");
            let mut numbers = Vec::new();
            for _ in 0..N {
                let record = reader.next().await.expect("nothing fails here").expect("the shard is open");
                let text = String::from_utf8(record.data.to_vec()).expect("the scene puts texts");
                assert!(store.durability_of(&text).is_some(), "{text} was read before its commit");
                numbers.push(record.number);
            }
            numbers
        }
    });
    let puts = texts.map(|text| {
        let stream = stream.clone();
        spawn(async move { stream.put(PutRecord::new("key", text)).await })
    });
    let mut numbers = Vec::new();
    for put in puts {
        numbers.push(put.await.expect("nobody drops it").expect("nothing fails here").number);
    }
    numbers.sort_unstable();
    assert_eq!(reads.await.expect("nobody drops it"), numbers);
    check(&world.store);
}

/// A reader follows a shard that is split under it, to the end and on to the shards that came from it.
async fn a_split(store: Store) {
    let world = World::open(store).await;
    let (stream, shard) = a_stream(&world).await;
    let reads = spawn({
        let stream = stream.clone();
        async move {
            let mut found = 0;
            let mut reader = stream.reader(shard, StartingPosition::TrimHorizon).await.expect("it is there");
            while reader.next().await.expect("nothing fails here").is_some() {
                found += 1;
            }
            let children = reader.child_shards().to_vec();
            assert_eq!(children.len(), 2);
            (found, children)
        }
    });
    let put = spawn({
        let stream = stream.clone();
        async move { stream.put(PutRecord::new("key", "one")).await }
    });
    stream.split_shard(shard, 1 << 127).await.expect("it can be split");
    let put = put.await.expect("nobody drops it").expect("some shard is open");
    let (found, children) = reads.await.expect("nobody drops it");
    assert_eq!(found == 1, put.shard == shard);
    assert!(found == 1 || children.contains(&put.shard));
    check(&world.store);
}

/// The lease of a worker ends while it moves its checkpoint, alone or in a transaction, and another worker takes the shard: the
/// second one begins behind what the first one was told is checkpointed, and nowhere else.
async fn a_lease(store: Store, in_transaction: bool) {
    let world = World::open(store).await;
    let (stream, _) = a_stream(&world).await;
    for text in ["one", "two"] {
        stream.put(PutRecord::new("key", text)).await.expect("nothing fails here");
    }
    let start = || stream.consumer("g").lease(Duration::from_secs(10)).start(StartingPosition::TrimHorizon);
    let mut first = start().await.expect("nothing fails here");
    let record = first.next().await.expect("there is one");
    let checkpoint = spawn({
        let broker = world.broker.clone();
        async move {
            if !in_transaction {
                return record.checkpoint().await;
            }
            let mut tx = broker.transaction();
            tx.checkpoint(&record)?;
            tx.commit().await.map(drop)
        }
    });
    let other = spawn({
        let start = start();
        async move {
            let mut second = start.await.expect("nothing fails here");
            let record = second.next().await.expect("there is one");
            record.data.clone()
        }
    });
    // Longer than a lease, and so often that whoever waits for one has looked.
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(11));
        shuttle::future::yield_now().await;
    }
    let checkpointed = checkpoint.await.expect("nobody drops it");
    let mut n = 0;
    while !other.is_finished() {
        n += 1;
        if n > 500 {
            panic!("{:?} {:?}", checkpointed, stream.consumer_groups().await);
        }
        world.clock.advance(Duration::from_secs(11));
        shuttle::future::yield_now().await;
    }
    let begins_with = other.await.expect("nobody drops it");
    match checkpointed {
        Ok(()) => assert_eq!(begins_with, "two"),
        Err(Error::LeaseLost { .. } | Error::TransactionRejected(_)) => assert_eq!(begins_with, "one"),
        Err(error) => panic!("{error}"),
    }
    check(&world.store);
}

/// Two workers wait for a record, one of them gets it and is not heard of any more: the other one gets it when the lease is over.
async fn a_hang(store: Store) {
    let world = World::open(store).await;
    let (stream, _) = a_stream(&world).await;
    let start = || stream.consumer("g").lease(Duration::from_secs(10)).start(StartingPosition::TrimHorizon);
    let [mut first, mut second] = [start().await, start().await].map(|one| one.expect("nothing fails here"));
    let first = spawn(async move { (first.next().await.map(drop), first) });
    let second = spawn(async move { (second.next().await.map(drop), second) });
    stream.put(PutRecord::new("key", "one")).await.expect("nothing fails here");
    // One of them gets it. The first one is kept, and not heard of any more.
    let (first, other) = futures_util::future::select(first, second).await.factor_first();
    let _kept = first.expect("nobody drops it");
    world.clock.advance(Duration::from_secs(10));
    let (second, _) = other.await.expect("nobody drops it");
    assert!(second.is_ok());
}

#[test]
fn a_reader_gets_what_is_committed() {
    all("streams, a reader", 1, || a_reader(Store::inline(), ["record 1"]));
    random("streams, a reader, grouped", 2_000, || a_reader(Store::grouped(), ["record 1", "record 2"]));
}

#[test]
fn a_reader_gets_to_the_end_of_a_split_shard() {
    all("streams, a split", 1, || a_split(Store::inline()));
    random("streams, a split, grouped", 1_000, || a_split(Store::grouped()));
}

/// A processor and a work queue wait while one puts: both get it.
async fn others_that_wait(store: Store) {
    let world = World::open(store).await;
    let (stream, _) = a_stream(&world).await;
    let queue = stream.queue("w", StartingPosition::TrimHorizon, &StreamQueueSettings::default()).await;
    let receive = spawn({
        let queue = queue.expect("nothing fails here");
        async move { queue.receive(ReceiveOptions::up_to(1)).await }
    });
    let (sender, receiver) = oneshot::channel();
    let process = spawn({
        let consumer = stream.consumer("g");
        let sender = Arc::new(Mutex::new(Some(sender)));
        let factory = move |_| Tells(sender.clone());
        async move { consumer.run(StartingPosition::TrimHorizon, factory, async { _ = receiver.await }).await }
    });
    stream.put(PutRecord::new("key", "one")).await.expect("nothing fails here");
    assert_eq!(receive.await.expect("nobody drops it").expect("nothing fails here").len(), 1);
    process.await.expect("nobody drops it").expect("nothing fails here");
    check(&world.store);
}

/// A processor that tells of its first records.
struct Tells(Arc<Mutex<Option<oneshot::Sender<()>>>>);

#[async_trait]
impl Processor for Tells {
    async fn process(&mut self, _: Vec<Record>, _: &Checkpointer) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = sender.expect("there is one record").send(());
    }
}

#[test]
fn everybody_hears_of_a_record() {
    random("streams, others that wait", 1_000, || others_that_wait(Store::inline()));
    random("streams, others that wait, grouped", 2_000, || others_that_wait(Store::grouped()));
}

#[test]
fn a_worker_that_hangs_is_replaced() {
    random("streams, a hang", 1_000, || a_hang(Store::inline()));
    random("streams, a hang, grouped", 1_000, || a_hang(Store::grouped()));
}

#[test]
fn one_worker_has_a_shard() {
    for in_transaction in [false, true] {
        random("streams, a lease", 1_000, move || a_lease(Store::inline(), in_transaction));
        random("streams, a lease, grouped", 1_000, move || a_lease(Store::grouped(), in_transaction));
    }
}
