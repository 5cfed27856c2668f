//! Consumer groups: leases, checkpoints, balance, hand-over.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use broker_core::{
    Checkpointer, Consumer, Error, LocalStream, Processor, PutRecord, Record, RecordNumber, ShardId,
    StartingPosition, storage::Durability,
};
use parking_lot::Mutex;

use crate::support::{World, secs};

everywhere! {
    k82_a_group_goes_on_behind_its_checkpoint_after_a_restart,
    k81_workers_share_the_shards_and_hand_them_over,
    k80_a_worker_that_is_not_heard_of_loses_its_shards_and_its_checkpoint,
    k83_children_are_consumed_after_their_parents,
    k84_a_processor_is_told_of_the_five_moments,
}

async fn put(stream: &LocalStream, range: std::ops::Range<usize>) {
    for n in range {
        stream.put(PutRecord::new(format!("k{}", n % 11), n.to_string())).await.unwrap();
    }
}

fn number(record: &Record) -> usize {
    std::str::from_utf8(&record.data).unwrap().parse().unwrap()
}

/// What a worker gets until nothing more comes for a while; each record is checkpointed.
async fn drain(consumer: &mut Consumer) -> Vec<usize> {
    let mut got = Vec::new();
    while let Ok(record) = tokio::time::timeout(secs(5), consumer.next()).await {
        let record = record.unwrap();
        got.push(number(&record));
        record.checkpoint().await.unwrap();
    }
    got
}

async fn k82_a_group_goes_on_behind_its_checkpoint_after_a_restart(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(3).durability(Durability::Buffered).await.unwrap();
    put(&clicks, 0..30).await;
    let mut consumer = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        let record = consumer.next().await.unwrap();
        assert!(seen.insert(number(&record)));
        record.checkpoint().await.unwrap();
    }
    // Delivered, and not checkpointed: it comes again.
    consumer.next().await.unwrap();
    drop(consumer);
    broker.close().await.unwrap();
    drop((broker, clicks));
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    put(&clicks, 30..40).await;
    let mut consumer = clicks.consumer("billing").start(StartingPosition::Latest).await.unwrap();
    for n in drain(&mut consumer).await {
        assert!(seen.insert(n), "{n} came twice");
    }
    assert_eq!(seen.len(), 40);
    let mut other = clicks.consumer("scoring").start(StartingPosition::Latest).await.unwrap();
    put(&clicks, 40..43).await;
    assert_eq!(drain(&mut other).await.len(), 3);
}

async fn k81_workers_share_the_shards_and_hand_them_over(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(4).await.unwrap();
    let mut first = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    put(&clicks, 0..40).await;
    let mut got = vec![number(&first.next().await.unwrap())];
    assert_eq!(first.shards().count(), 4);
    let mut second = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    let worker = tokio::spawn(async move {
        let got = drain(&mut second).await;
        (got, second.shards().count())
    });
    tokio::time::sleep(secs(1)).await;
    got.extend(drain(&mut first).await);
    let (others, share) = worker.await.unwrap();
    got.extend(others);
    assert_eq!((first.shards().count(), share), (2, 2));
    let distinct: BTreeSet<_> = got.iter().collect();
    assert_eq!(distinct.len(), 40, "{got:?}");
}

async fn k80_a_worker_that_is_not_heard_of_loses_its_shards_and_its_checkpoint(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..3).await;
    let mut stalled =
        clicks.consumer("g").lease(secs(10)).start(StartingPosition::TrimHorizon).await.unwrap();
    let record = stalled.next().await.unwrap();
    let mut other = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    // Before the lease is over nobody takes it.
    assert!(tokio::time::timeout(secs(9), other.next()).await.is_err());
    let again = tokio::time::timeout(secs(2), other.next()).await.unwrap().unwrap();
    assert_eq!((number(&again), again.number), (0, record.number));
    assert!(matches!(record.checkpoint().await, Err(Error::LeaseLost { shard: ShardId(0) })));
    again.checkpoint().await.unwrap();
    assert!(tokio::time::timeout(secs(1), stalled.next()).await.is_err());
    assert_eq!(stalled.take_lost(), [ShardId(0)]);
    assert_eq!(drain(&mut other).await, [1, 2]);
}

async fn k83_children_are_consumed_after_their_parents(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..10).await;
    clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
    put(&clicks, 10..20).await;
    let mut consumer = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..10 {
        let record = consumer.next().await.unwrap();
        got.push(number(&record));
        if got.len() < 10 {
            record.checkpoint().await.unwrap();
            continue;
        }
        // Until the last of the parent is checkpointed, nothing comes of its children.
        assert!(tokio::time::timeout(secs(100), consumer.next()).await.is_err());
        record.checkpoint().await.unwrap();
    }
    assert_eq!(got, (0..10).collect::<Vec<_>>());
    let rest: BTreeSet<_> = drain(&mut consumer).await.into_iter().collect();
    assert_eq!(rest, (10..20).collect());
    let groups = clicks.consumer_groups().await.unwrap();
    assert!(groups[0].leases[0].ended && !groups[0].leases[1].ended);
    assert!(groups[0].leases.iter().all(|lease| lease.behind == 0));
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

struct Logging(Told, ShardId);

#[async_trait]
impl Processor for Logging {
    async fn initialize(&mut self, shard: ShardId, _: RecordNumber) {
        self.0.0.lock().push(format!("begin {}", shard.0));
    }

    async fn process(&mut self, records: Vec<Record>, checkpointer: &Checkpointer) {
        self.0.0.lock().push(format!("{} of {}", records.len(), self.1.0));
        checkpointer.checkpoint(records.last().unwrap()).await.unwrap();
    }

    async fn lease_lost(&mut self) {
        self.0.0.lock().push(format!("lost {}", self.1.0));
    }

    async fn shard_ended(&mut self, checkpointer: &Checkpointer) {
        self.0.0.lock().push(format!("end {}", self.1.0));
        checkpointer.checkpoint_all().await.unwrap();
    }

    async fn shutdown_requested(&mut self, _: &Checkpointer) {
        self.0.0.lock().push(format!("stop {}", self.1.0));
    }
}

async fn k84_a_processor_is_told_of_the_five_moments(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..5).await;
    let told = Told::default();
    let (log, stop) = (told.clone(), Arc::new(tokio::sync::Notify::new()));
    let (stream, stopping) = (clicks.clone(), stop.clone());
    let worker = tokio::spawn(async move {
        let factory = move |shard| Logging(log.clone(), shard);
        let run = stream.consumer("g").run(StartingPosition::TrimHorizon, factory, stopping.notified());
        run.await
    });
    tokio::time::sleep(secs(1)).await;
    clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    stop.notify_one();
    worker.await.unwrap().unwrap();
    let told = told.0.lock().clone();
    assert_eq!(told[..3], ["begin 0", "5 of 0", "end 0"]);
    assert_eq!(told.iter().filter(|one| one.starts_with("stop")).count(), 2);
}
