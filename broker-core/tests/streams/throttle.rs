//! The limits of a throttled stream, to the record and to the byte, and the traffic of shards. K41, K42, and the tables of
//! sections D4 and D5.

use std::time::Duration;

use broker_core::{
    Broker, Error, LocalStream, PutRecord, Result, ShardFilter, ShardId, ShardIterator, ShardTraffic,
    StartingPosition, StreamSettings,
};

use crate::{
    ground::{HALF, at_hash, put_numbers, whole},
    support::{World, advance, ms, secs},
};

everywhere! {
    k42_a_shard_takes_a_thousand_records_in_a_second,
    k42_a_shard_takes_one_mib_in_a_second,
    k42_a_large_record_passes_and_is_owed_for,
    k42_each_shard_has_its_own_allowance,
    k41_throttled_records_of_a_batch_fail_alone,
    k42_a_stream_is_not_throttled_unless_it_says_so,
    k42_a_shard_is_read_five_times_in_a_second,
    k42_a_large_read_is_followed_by_seconds_of_none,
    k42_the_hottest_shard_is_seen,
    k42_traffic_is_that_of_the_last_minute,
}

const MIB: usize = 1024 * 1024;

/// A throttled stream at the beginning of a second.
async fn throttled(world: &World, shards: u32) -> (Broker, LocalStream) {
    let broker = world.broker().await;
    let size = StreamSettings { max_record_size: Some(10 * MIB), ..Default::default() };
    let clicks = broker.stream("clicks").settings(size).shards(shards).throttled().await.unwrap();
    next_second(world).await;
    (broker, clicks)
}

async fn next_second(world: &World) {
    advance(ms(1_000 - world.now().as_millis() % 1_000)).await;
}

fn of_bytes(bytes: usize) -> PutRecord {
    PutRecord::new("k", vec![0; bytes - 1]).explicit_hash_key(0)
}

#[track_caller]
fn assert_throttled<T: std::fmt::Debug>(outcome: Result<T>, of: u32) {
    match outcome {
        Err(Error::ProvisionedThroughputExceeded { stream, shard }) => {
            assert_eq!((stream.as_str(), shard), ("clicks", ShardId(of)));
        }
        other => panic!("should be throttled: {other:?}"),
    }
}

async fn k42_a_shard_takes_a_thousand_records_in_a_second(world: World) {
    let (_broker, clicks) = throttled(&world, 1).await;
    for second in 0..3 {
        for half in 0..2 {
            put_numbers(&clicks, 0, half * 500..half * 500 + 500).await;
            advance(ms(499)).await;
        }
        assert_throttled(clicks.put(of_bytes(1)).await, 0);
        assert_eq!(whole_len(&clicks).await, (second + 1) * 1_000);
        next_second(&world).await;
    }
    clicks.put(of_bytes(1)).await.unwrap();
}

/// How many records the first shard has got; seen without a read.
async fn whole_len(clicks: &LocalStream) -> u64 {
    clicks.traffic().await.unwrap()[0].records
}

async fn k42_a_shard_takes_one_mib_in_a_second(world: World) {
    let (_broker, clicks) = throttled(&world, 1).await;
    for _ in 0..2 {
        clicks.put(of_bytes(MIB - 1_000)).await.unwrap();
        assert_throttled(clicks.put(of_bytes(1_001)).await, 0);
        clicks.put(of_bytes(1_000)).await.unwrap();
        assert_throttled(clicks.put(of_bytes(1)).await, 0);
        advance(ms(999)).await;
        assert_throttled(clicks.put(of_bytes(1)).await, 0);
        advance(ms(1)).await;
    }
}

async fn k42_a_large_record_passes_and_is_owed_for(world: World) {
    let (_broker, clicks) = throttled(&world, 1).await;
    clicks.put(of_bytes(3 * MIB)).await.unwrap();
    for _ in 0..2 {
        assert_throttled(clicks.put(of_bytes(1)).await, 0);
        next_second(&world).await;
    }
    assert_throttled(clicks.put(of_bytes(1)).await, 0);
    next_second(&world).await;
    clicks.put(of_bytes(MIB)).await.unwrap();
    assert_throttled(clicks.put(of_bytes(1)).await, 0);
}

async fn k42_each_shard_has_its_own_allowance(world: World) {
    let (_broker, clicks) = throttled(&world, 2).await;
    clicks.put(of_bytes(MIB)).await.unwrap();
    assert_throttled(clicks.put(of_bytes(1)).await, 0);
    clicks.put(at_hash(HALF, "x")).await.unwrap();
    // The children of a hot shard are cool.
    let children = clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    assert_eq!(clicks.put(of_bytes(MIB)).await.unwrap().shard, children[0]);
}

async fn k41_throttled_records_of_a_batch_fail_alone(world: World) {
    let (_broker, clicks) = throttled(&world, 2).await;
    put_numbers(&clicks, 0, 0..498).await;
    put_numbers(&clicks, 0, 0..500).await;
    let hashes = [0, 0, 0, HALF, 0, HALF];
    let batch = |n: usize| hashes.iter().map(|hash| at_hash(*hash, format!("batch {n}"))).collect();
    let done = clicks.put_batch(batch(1)).await.unwrap();
    let taken: Vec<bool> = done.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, false, true, false, true]);
    for one in done.into_iter().filter(Result::is_err) {
        assert_throttled(one, 0);
    }
    next_second(&world).await;
    assert!(clicks.put_batch(batch(2)).await.unwrap().iter().all(Result::is_ok));
    advance(secs(10)).await;
    assert_eq!(whole_of_second(&clicks).await, 4);
}

async fn whole_of_second(clicks: &LocalStream) -> usize {
    let unthrottled = StreamSettings { throttled: Some(false), ..Default::default() };
    clicks.set_attributes(unthrottled).await.unwrap();
    assert_eq!(whole(clicks, ShardId(0)).await.len(), 1_004);
    whole(clicks, ShardId(1)).await.len()
}

async fn k42_a_stream_is_not_throttled_unless_it_says_so(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    for _ in 0..3 {
        put_numbers(&clicks, 0, 0..500).await;
        clicks.put(of_bytes(MIB)).await.unwrap();
    }
    for _ in 0..20 {
        clicks.read(&at, 10_000).await.unwrap();
    }
    let setting = |throttled| StreamSettings { throttled: Some(throttled), ..Default::default() };
    next_second(&world).await;
    clicks.set_attributes(setting(true)).await.unwrap();
    clicks.put(of_bytes(MIB)).await.unwrap();
    assert_throttled(clicks.put(of_bytes(1)).await, 0);
    clicks.set_attributes(setting(false)).await.unwrap();
    clicks.put(of_bytes(MIB)).await.unwrap();
}

async fn k42_a_shard_is_read_five_times_in_a_second(world: World) {
    let (_broker, clicks) = throttled(&world, 2).await;
    let at = async |shard| clicks.iterator(ShardId(shard), StartingPosition::TrimHorizon).await.unwrap();
    let (first, second) = (at(0).await, at(1).await);
    for _ in 0..2 {
        for _ in 0..5 {
            clicks.read(&first, 10).await.unwrap();
        }
        assert_throttled(clicks.read(&first, 10).await, 0);
        assert_throttled(clicks.read_within(&first, 10, secs(10)).await, 0);
        clicks.read(&second, 10).await.unwrap();
        next_second(&world).await;
    }
    // A wait is one read, however often it is woken.
    let waiting = tokio::spawn({
        let clicks = clicks.clone();
        async move { clicks.read_within(&first, 10, secs(100)).await.unwrap() }
    });
    for _ in 0..8 {
        advance(ms(10)).await;
        clicks.put(at_hash(HALF, "elsewhere")).await.unwrap();
    }
    clicks.put(at_hash(0, "x")).await.unwrap();
    assert_eq!(waiting.await.unwrap().records.len(), 1);
}

/// Eleven records of nearly a MiB, of which memory keeps the last one only.
async fn eleven_mib(clicks: &LocalStream) -> ShardIterator {
    for _ in 0..11 {
        clicks.put(PutRecord::new("k", vec![0; MIB - 100])).await.unwrap();
        advance(secs(1)).await;
    }
    clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap()
}

async fn k42_a_large_read_is_followed_by_seconds_of_none(world: World) {
    let (_broker, clicks) = throttled(&world, 1).await;
    let at = eleven_mib(&clicks).await;
    next_second(&world).await;
    let found = clicks.read(&at, 10_000).await.unwrap();
    assert_eq!(found.records.len(), 10);
    // Two MiB are paid off with each second.
    for _ in 0..3 {
        assert_throttled(clicks.read(&at, 1).await, 0);
        next_second(&world).await;
    }
    assert_throttled(clicks.read(&at, 1).await, 0);
    next_second(&world).await;
    assert_eq!(clicks.read(&at, 1).await.unwrap().records.len(), 1, "no data are lost by it");
    assert_throttled(clicks.read(&at, 1).await, 0);
}

fn of(shard: u32, records: u64, bytes: u64) -> ShardTraffic {
    ShardTraffic { shard: ShardId(shard), records, bytes }
}

async fn k42_the_hottest_shard_is_seen(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(3).await.unwrap();
    assert_eq!(clicks.traffic().await.unwrap(), [of(0, 0, 0), of(1, 0, 0), of(2, 0, 0)]);
    for _ in 0..3 {
        clicks.put(at_hash(u128::MAX, "12345")).await.unwrap();
    }
    clicks.put(at_hash(HALF, "1234")).await.unwrap();
    assert_eq!(clicks.traffic().await.unwrap(), [of(2, 3, 18), of(1, 1, 5), of(0, 0, 0)]);
    clicks.split_shard(ShardId(2), u128::MAX - 5).await.unwrap();
    assert_eq!(clicks.traffic().await.unwrap(), [of(1, 1, 5), of(0, 0, 0), of(3, 0, 0), of(4, 0, 0)]);
    assert_eq!(clicks.shards(ShardFilter::AtLatest).await.unwrap().len(), 4);
}

async fn k42_traffic_is_that_of_the_last_minute(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    next_second(&world).await;
    for _ in 0..4 {
        clicks.put(of_bytes(10)).await.unwrap();
        advance(secs(20)).await;
    }
    // At 0, 20, 40 and 60 seconds; now it is 80.
    for (wait, records) in [(0, 2), (19, 2), (1, 1), (19, 1), (1, 0), (10_000, 0)] {
        advance(Duration::from_secs(wait)).await;
        assert_eq!(clicks.traffic().await.unwrap(), [of(0, records, records * 10)], "after {wait} more");
    }
}
