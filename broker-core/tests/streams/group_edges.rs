//! Consumer groups at their edges: what is refused, what is taken back, what outlives whom.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use broker_core::{
    Certainty, Checkpointer, Error, LocalStream, Processor, PutRecord, Record, ShardId, StartingPosition,
};
use parking_lot::Mutex;

use crate::support::{World, secs, settle_down};

everywhere! {
    k82_a_checkpoint_does_not_go_back_nor_beyond_what_was_delivered,
    k82_a_new_group_begins_where_it_is_told_in_every_shard,
    k81_a_processor_that_does_not_give_back_loses_its_lease,
    k81_a_lease_that_was_asked_for_goes_to_the_worker_that_asked,
    k83_the_end_of_a_shard_is_told_again_until_it_is_checkpointed,
    ic7_a_processor_that_panics_gives_its_shard_back,
    is8_a_group_is_deleted_when_it_has_no_workers,
    is6_a_worker_learns_what_it_missed,
    k80_a_worker_with_records_at_hand_notices_that_it_lost_its_shards,
}

async fn put(stream: &LocalStream, range: std::ops::Range<usize>) {
    for n in range {
        stream.put(PutRecord::new("k", n.to_string())).await.unwrap();
    }
}

fn number(record: &Record) -> usize {
    std::str::from_utf8(&record.data).unwrap().parse().unwrap()
}

async fn k82_a_checkpoint_does_not_go_back_nor_beyond_what_was_delivered(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..3).await;
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    let (first, second) = (worker.next().await.unwrap(), worker.next().await.unwrap());
    second.checkpoint().await.unwrap();
    second.checkpoint().await.unwrap();
    let error = first.checkpoint().await.unwrap_err();
    assert!(matches!(&error, Error::InvalidParameter { field: "checkpoint", .. }), "{error}");
    assert_eq!(error.certainty(), Certainty::Rejected);
    assert_eq!(number(&worker.next().await.unwrap()), 2, "and the worker goes on");
}

async fn k82_a_new_group_begins_where_it_is_told_in_every_shard(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..3).await;
    let [low, high] = clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
    tokio::time::sleep(secs(10)).await;
    let time = world.now();
    put(&clicks, 3..6).await;
    let begin = async |name: &str, from| {
        let mut worker = clicks.consumer(name).start(from).await.unwrap();
        let mut got = Vec::new();
        while let Ok(record) = tokio::time::timeout(secs(1), worker.next()).await {
            let record = record.unwrap();
            got.push(number(&record));
            record.checkpoint().await.unwrap();
        }
        got
    };
    assert_eq!(begin("all", StartingPosition::TrimHorizon).await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(begin("since", StartingPosition::AtTimestamp(time)).await, [3, 4, 5]);
    assert_eq!(begin("late", StartingPosition::Latest).await, [] as [usize; 0]);
    // Shards that came later are consumed from their beginning.
    clicks.merge_shards(low, high).await.unwrap();
    put(&clicks, 6..8).await;
    assert_eq!(begin("late", StartingPosition::TrimHorizon).await, [6, 7]);
    let put = clicks.put(PutRecord::new("k", "8")).await.unwrap();
    let refused = clicks.consumer("one").start(StartingPosition::At(put.number)).await;
    assert!(matches!(refused.err(), Some(Error::InvalidParameter { field: "start", .. })));
}

/// What a processor of a test does with its records.
struct Acting<F>(F);

#[async_trait]
impl<F: FnMut(&[Record]) -> Act + Send + 'static> Processor for Acting<F> {
    async fn process(&mut self, records: Vec<Record>, checkpointer: &Checkpointer) {
        match (self.0)(&records) {
            Act::Checkpoint => checkpointer.checkpoint_all().await.unwrap(),
            Act::Panic => panic!("as it was told"),
            Act::Hang => std::future::pending().await,
        }
    }
}

enum Act {
    Checkpoint,
    Panic,
    Hang,
}

async fn k81_a_processor_that_does_not_give_back_loses_its_lease(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    for key in 0..20 {
        clicks.put(PutRecord::new(key.to_string(), "0")).await.unwrap();
    }
    let stream = clicks.clone();
    let hanging = tokio::spawn(async move {
        let factory = |_| Acting(|_: &[Record]| Act::Hang);
        let never = std::future::pending();
        stream.consumer("g").run(StartingPosition::TrimHorizon, factory, never).await
    });
    tokio::time::sleep(secs(1)).await;
    let mut other = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    // It is asked for one of its two shards, and has half a minute for that.
    assert!(tokio::time::timeout(secs(29), other.next()).await.is_err());
    assert!(tokio::time::timeout(secs(2), other.next()).await.unwrap().is_ok());
    assert_eq!(other.shards().count(), 1);
    hanging.abort();
}

/// Whoever had given it back took it again, and was asked again, without any time passing.
async fn k81_a_lease_that_was_asked_for_goes_to_the_worker_that_asked(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(4).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap());
    }
    let [a, b, c] = &mut workers[..] else { unreachable!("three were started") };
    // Two have two shards each; then the third comes.
    let wait = secs(5);
    let (first, second) =
        tokio::join!(tokio::time::timeout(wait, a.next()), tokio::time::timeout(wait, b.next()));
    assert!(first.is_err() && second.is_err());
    let all = tokio::join!(
        tokio::time::timeout(wait, a.next()),
        tokio::time::timeout(wait, b.next()),
        tokio::time::timeout(wait, c.next()),
    );
    assert!(all.0.is_err() && all.1.is_err() && all.2.is_err());
    let mut shares: Vec<_> = workers.iter().map(|worker| worker.shards().count()).collect();
    shares.sort_unstable();
    assert_eq!(shares, [1, 1, 2]);
}

struct Forgetful(Arc<AtomicUsize>);

#[async_trait]
impl Processor for Forgetful {
    async fn process(&mut self, _: Vec<Record>, _: &Checkpointer) {}

    async fn shard_ended(&mut self, checkpointer: &Checkpointer) {
        if self.0.fetch_add(1, Ordering::SeqCst) == 2 {
            checkpointer.checkpoint_all().await.unwrap();
        }
    }
}

async fn k83_the_end_of_a_shard_is_told_again_until_it_is_checkpointed(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..3).await;
    clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let (count, stream) = (told.clone(), clicks.clone());
    let worker = tokio::spawn(async move {
        let factory = move |_| Forgetful(count.clone());
        stream.consumer("g").run(StartingPosition::TrimHorizon, factory, std::future::pending()).await
    });
    tokio::time::sleep(secs(19)).await;
    assert_eq!(told.load(Ordering::SeqCst), 2);
    let groups = clicks.consumer_groups().await.unwrap();
    assert!(groups[0].leases[1..].iter().all(|lease| !lease.held), "nobody consumes the children yet");
    tokio::time::sleep(secs(2)).await;
    assert_eq!(told.load(Ordering::SeqCst), 3);
    let groups = clicks.consumer_groups().await.unwrap();
    assert!(groups[0].leases[0].ended && groups[0].leases[1..].iter().all(|lease| lease.held));
    worker.abort();
}

async fn ic7_a_processor_that_panics_gives_its_shard_back(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..5).await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, stream) = (log.clone(), clicks.clone());
    let worker = tokio::spawn(async move {
        let factory = move |_| {
            let seen = seen.clone();
            Acting(move |records: &[Record]| {
                let mut seen = seen.lock();
                seen.push(records.iter().map(number).collect::<Vec<_>>());
                if seen.len() == 1 { Act::Panic } else { Act::Checkpoint }
            })
        };
        stream.consumer("g").run(StartingPosition::TrimHorizon, factory, std::future::pending()).await
    });
    tokio::time::sleep(secs(1)).await;
    assert_eq!(*log.lock(), [vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3, 4]]);
    assert_eq!(clicks.consumer_groups().await.unwrap()[0].leases[0].behind, 0);
    worker.abort();
}

async fn is8_a_group_is_deleted_when_it_has_no_workers(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..2).await;
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    worker.next().await.unwrap().checkpoint().await.unwrap();
    let refused = clicks.delete_consumer_group("g").await;
    assert!(matches!(refused, Err(Error::InvalidState { .. })));
    drop(worker);
    clicks.delete_consumer_group("g").await.unwrap();
    clicks.delete_consumer_group("g").await.unwrap();
    assert!(clicks.consumer_groups().await.unwrap().is_empty());
    let mut anew = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    assert_eq!(number(&anew.next().await.unwrap()), 0, "it begins anew");
}

/// Two records that expire before anybody has consumed them.
async fn is6_a_worker_learns_what_it_missed(world: World) {
    let world = world.with_little_memory();
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..5).await;
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    worker.next().await.unwrap().checkpoint().await.unwrap();
    assert_eq!(worker.missed(), 0);
    drop(worker);
    tokio::time::sleep(secs(25 * 3_600)).await;
    put(&clicks, 5..7).await;
    settle_down().await;
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    assert_eq!(number(&worker.next().await.unwrap()), 5);
    assert_eq!(worker.missed(), 4);
    drop(worker);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let factory = move |_| Missing(counter.clone());
    let begin = StartingPosition::TrimHorizon;
    let run = clicks.consumer("g").run(begin, factory, tokio::time::sleep(secs(1)));
    run.await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 4);
}

/// A processor that notes what it has missed.
struct Missing(Arc<AtomicUsize>);

#[async_trait]
impl Processor for Missing {
    async fn process(&mut self, _: Vec<Record>, checkpointer: &Checkpointer) {
        self.0.store(usize::try_from(checkpointer.missed()).unwrap(), Ordering::SeqCst);
    }
}

async fn k80_a_worker_with_records_at_hand_notices_that_it_lost_its_shards(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put(&clicks, 0..10).await;
    let consumer = || clicks.consumer("g").lease(secs(30));
    let mut stalled = consumer().start(StartingPosition::TrimHorizon).await.unwrap();
    let first = stalled.next().await.unwrap();
    let mut other = consumer().start(StartingPosition::TrimHorizon).await.unwrap();
    let taken = tokio::time::timeout(secs(31), other.next()).await.unwrap().unwrap();
    assert_eq!(number(&taken), 0);
    assert!(matches!(first.checkpoint().await, Err(Error::LeaseLost { .. })));
    assert!(
        tokio::time::timeout(secs(1), stalled.next()).await.is_err(),
        "what it has at hand is not its own"
    );
    assert_eq!(stalled.take_lost(), [ShardId(0)]);
    taken.checkpoint().await.unwrap();
    broker.delete_stream("clicks").await.unwrap();
    let error = other.next().await.unwrap_err();
    assert!(matches!(error, Error::StreamDoesNotExist { .. }), "{error}");
}
