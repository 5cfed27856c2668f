//! Reads that wait: what ends them, and how many can wait at once. K53, K54.

use std::time::Duration;

use broker_core::{Error, LocalStream, Records, Result, ShardId, StartingPosition};
use futures_util::StreamExt;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    ground::{HALF, at_hash, numbered, put, put_numbers, stream, texts},
    support::{World, ms, secs, settle_down},
};

everywhere! {
    k53_a_wait_ends_with_a_record,
    k53_a_wait_for_nothing_takes_its_time_exactly,
    k53_a_wait_ends_for_every_reader_of_the_shard_and_for_no_other,
    k53_a_wait_goes_on_through_what_does_not_matter,
    k54_a_wait_ends_with_the_shard,
    k54_a_wait_in_each_parent_ends_with_a_merge,
    k11_a_wait_ends_with_the_stream,
    k53_a_wait_ends_with_the_broker,
    k53_a_wait_may_be_for_ever,
    k53_a_reader_is_a_stream_of_records,
    k53_a_dropped_wait_takes_nothing_with_it,
}

type Waited = (Result<Records>, Duration);

/// A read in a task of its own, already waiting.
async fn waiter(clicks: &LocalStream, shard: u32, wait: Duration) -> JoinHandle<Waited> {
    let clicks = clicks.clone();
    let at = clicks.iterator(ShardId(shard), StartingPosition::Latest).await.unwrap();
    let waiting = tokio::spawn(async move {
        let begin = Instant::now();
        let found = clicks.read_within(&at, 10, wait).await;
        (found, begin.elapsed())
    });
    settle_down().await;
    waiting
}

async fn ended(waiting: JoinHandle<Waited>) -> Waited {
    waiting.await.unwrap()
}

async fn k53_a_wait_ends_with_a_record(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put(&clicks, "k", "old").await;
    let waiting = waiter(&clicks, 0, secs(20)).await;
    tokio::time::sleep(secs(5)).await;
    put(&clicks, "k", "new").await;
    let (found, took) = ended(waiting).await;
    assert_eq!(texts(&found.unwrap()), ["new"]);
    assert!(took >= secs(5) && took < secs(6), "{took:?}");
}

async fn k53_a_wait_for_nothing_takes_its_time_exactly(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    for wait in [Duration::ZERO, ms(1), secs(20), secs(86_400)] {
        let (found, took) = ended(waiter(&clicks, 0, wait).await).await;
        let found = found.unwrap();
        assert!(found.records.is_empty() && found.next.is_some());
        assert_eq!(took, wait);
    }
}

async fn k53_a_wait_ends_for_every_reader_of_the_shard_and_for_no_other(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let mut here = Vec::new();
    for _ in 0..50 {
        here.push(waiter(&clicks, 0, secs(1_000)).await);
    }
    let elsewhere = waiter(&clicks, 1, secs(1_000)).await;
    clicks.put(at_hash(0, "x")).await.unwrap();
    for waiting in here {
        let (found, took) = ended(waiting).await;
        assert_eq!(texts(&found.unwrap()), ["x"]);
        assert!(took < secs(1));
    }
    let (found, took) = ended(elsewhere).await;
    assert!(found.unwrap().records.is_empty());
    assert_eq!(took, secs(1_000));
}

async fn k53_a_wait_goes_on_through_what_does_not_matter(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    let waiting = waiter(&clicks, 0, secs(20)).await;
    clicks.put(at_hash(HALF, "elsewhere")).await.unwrap();
    clicks.split_shard(ShardId(1), HALF + HALF / 2).await.unwrap();
    clicks.tag([("a", "b")]).await.unwrap();
    broker.stream("other").shards(1).await.unwrap();
    broker.delete_stream("other").await.unwrap();
    clicks.split_shard(ShardId(0), 0).await.unwrap_err();
    let (found, took) = ended(waiting).await;
    assert!(found.unwrap().records.is_empty());
    assert_eq!(took, secs(20));
}

async fn k54_a_wait_ends_with_the_shard(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put(&clicks, "k", "x").await;
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(waiter(&clicks, 0, secs(1_000)).await);
    }
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    for waiting in all {
        let (found, took) = ended(waiting).await;
        let found = found.unwrap();
        assert_eq!((found.next, found.child_shards), (None, children.to_vec()));
        assert!(took < secs(1));
    }
}

async fn k54_a_wait_in_each_parent_ends_with_a_merge(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let waiting = [waiter(&clicks, 0, secs(1_000)).await, waiter(&clicks, 1, secs(1_000)).await];
    let merged = clicks.merge_shards(ShardId(0), ShardId(1)).await.unwrap();
    for waiting in waiting {
        assert_eq!(ended(waiting).await.0.unwrap().child_shards, [merged]);
    }
}

async fn k11_a_wait_ends_with_the_stream(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    let waiting = [waiter(&clicks, 0, secs(1_000)).await, waiter(&clicks, 0, secs(1_000)).await];
    broker.delete_stream("clicks").await.unwrap();
    for waiting in waiting {
        let (found, took) = ended(waiting).await;
        assert!(matches!(found, Err(Error::StreamDoesNotExist { .. })));
        assert!(took < secs(1));
    }
}

async fn k53_a_wait_ends_with_the_broker(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    let waiting = [waiter(&clicks, 0, secs(1_000)).await, waiter(&clicks, 0, secs(1_000)).await];
    broker.close().await.unwrap();
    for waiting in waiting {
        let (found, took) = ended(waiting).await;
        assert!(matches!(found, Err(Error::Closed)));
        assert!(took < secs(1));
    }
}

async fn k53_a_wait_may_be_for_ever(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let waiting = waiter(&clicks, 0, Duration::MAX).await;
    tokio::time::sleep(secs(86_400 * 365)).await;
    put(&clicks, "k", "x").await;
    assert_eq!(texts(&ended(waiting).await.0.unwrap()), ["x"]);
}

async fn k53_a_reader_is_a_stream_of_records(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..5).await;
    let reader = clicks.reader(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let reading =
        tokio::spawn(reader.into_stream().map(|one| crate::ground::body(&one.unwrap())).collect::<Vec<_>>());
    tokio::time::sleep(secs(1_000)).await;
    put_numbers(&clicks, 0, 5..9).await;
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    assert_eq!(reading.await.unwrap(), numbered(0..9));
    // After an error it ends.
    let reader = clicks.reader(ShardId(1), StartingPosition::Latest).await.unwrap();
    let reading = tokio::spawn(reader.into_stream().collect::<Vec<_>>());
    settle_down().await;
    broker.delete_stream("clicks").await.unwrap();
    let got = reading.await.unwrap();
    assert!(matches!(got[..], [Err(Error::StreamDoesNotExist { .. })]), "{got:?}");
}

async fn k53_a_dropped_wait_takes_nothing_with_it(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let mut reader = clicks.reader(ShardId(0), StartingPosition::Latest).await.unwrap();
    for n in 0..5 {
        assert!(tokio::time::timeout(secs(1), reader.next()).await.is_err());
        put_numbers(&clicks, 0, n * 2..n * 2 + 2).await;
        // The second one stays in the reader, whose next call is dropped again and again.
        assert_eq!(reader.next().await.unwrap().unwrap().data, (n * 2).to_string());
        assert_eq!(reader.next().await.unwrap().unwrap().data, (n * 2 + 1).to_string());
    }
}
