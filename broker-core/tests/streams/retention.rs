//! Records expire, and their space comes back. K24, K56, IS6.

use std::time::Duration;

use broker_core::{
    Broker, LocalStream, ShardFilter, ShardId, StartingPosition, StreamSettings, TokioClock,
    storage::{Page, Storage},
};
use broker_mem::MemStorage;

use crate::{
    ground::{
        DAY, HALF, assert_refused, body, numbered, put, put_numbers, read_from, read_on, reopened, stream,
        texts, whole,
    },
    support::{World, advance, ms, secs, settle_down},
};

everywhere! {
    k56_a_record_is_readable_for_its_retention_and_no_longer,
    k56_retention_is_one_day_to_a_year,
    k56_a_longer_retention_keeps_what_has_not_expired,
    k56_a_longer_retention_brings_nothing_back,
    k56_a_shorter_retention_expires_records_at_once,
    is6_a_reader_below_the_horizon_learns_what_it_missed,
    is6_a_reader_learns_what_it_missed_if_nothing_is_left,
    is6_a_reader_of_the_oldest_record_has_missed_nothing,
    is6_a_shard_reader_counts_what_it_missed,
    is6_what_a_closed_shard_lost_is_told_at_its_end,
}

fn retention(time: Duration) -> StreamSettings {
    StreamSettings { retention: Some(time), ..Default::default() }
}

/// One record an hour.
async fn hourly(clicks: &LocalStream, range: std::ops::Range<usize>) {
    for n in range {
        put_numbers(clicks, 0, n..n + 1).await;
        advance(secs(3_600)).await;
    }
}

async fn k56_a_record_is_readable_for_its_retention_and_no_longer(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    hourly(&clicks, 0..5).await;
    // The first was put a day ago.
    advance(secs(19 * 3_600)).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..5));
    advance(ms(1)).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(1..5));
    // The same when it is looked for, and after a restart.
    put_numbers(&clicks, 0, 5..6).await;
    settle_down().await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(1..6));
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(1..6));
    advance(secs(3 * 3_600)).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(4..6));
    advance(DAY).await;
    assert!(whole(&clicks, ShardId(0)).await.is_empty());
}

async fn k56_retention_is_one_day_to_a_year(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    for time in [Duration::ZERO, DAY.saturating_sub(ms(1)), 365 * DAY + ms(1), Duration::MAX] {
        assert_refused(clicks.set_attributes(retention(time)).await, "retention");
        assert_refused(broker.stream("other").retention(time).await, "retention");
    }
    assert_eq!(clicks.attributes().await.unwrap().retention, DAY);
    for time in [365 * DAY, DAY] {
        clicks.set_attributes(retention(time)).await.unwrap();
        assert_eq!(clicks.attributes().await.unwrap().retention, time);
    }
}

async fn k56_a_longer_retention_keeps_what_has_not_expired(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    hourly(&clicks, 0..3).await;
    advance(DAY.saturating_sub(secs(2 * 3_600))).await;
    clicks.set_attributes(retention(2 * DAY)).await.unwrap();
    advance(secs(2 * 3_600)).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(1..3));
}

async fn k56_a_longer_retention_brings_nothing_back(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    hourly(&clicks, 0..5).await;
    advance(DAY.saturating_sub(secs(3 * 3_600))).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(2..5));
    clicks.set_attributes(retention(30 * DAY)).await.unwrap();
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(2..5));
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(2..5));
    clicks.set_attributes(retention(DAY + secs(3_600))).await.unwrap();
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(2..5));
}

async fn k56_a_shorter_retention_expires_records_at_once(world: World) {
    let world = world.with_little_memory();
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).retention(3 * DAY).await.unwrap();
    put_numbers(&clicks, 0, 0..3).await;
    advance(2 * DAY).await;
    put_numbers(&clicks, 0, 3..5).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..5));
    clicks.set_attributes(retention(DAY)).await.unwrap();
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(3..5));
    settle_down().await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(3..5));
}

async fn is6_a_reader_below_the_horizon_learns_what_it_missed(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let numbers = put_numbers(&clicks, 0, 0..6).await;
    advance(secs(3_600)).await;
    put_numbers(&clicks, 0, 6..9).await;
    advance(DAY.saturating_sub(secs(3_660))).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let second = clicks.read(&at, 2).await.unwrap();
    assert_eq!((texts(&second), second.missed), (numbered(0..2), 0));
    advance(secs(120)).await;
    let at = second.next.unwrap();
    for trimmed in [false, true] {
        if trimmed {
            put(&clicks, "k", "x").await;
            settle_down().await;
        }
        let found = clicks.read(&at, 3).await.unwrap();
        assert_eq!((texts(&found)[0].as_str(), found.missed), ("6", 4));
        let next = clicks.read(&found.next.unwrap(), 10).await.unwrap();
        assert_eq!(next.missed, 0, "told once");
        let found = read_from(&clicks, ShardId(0), StartingPosition::At(numbers[1].number)).await;
        assert_eq!(found.missed, 5, "from the record that was asked for");
    }
}

async fn is6_a_reader_learns_what_it_missed_if_nothing_is_left(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let numbers = put_numbers(&clicks, 0, 0..6).await;
    advance(DAY + secs(1)).await;
    for trimmed in [false, true] {
        let at = clicks.iterator(ShardId(0), StartingPosition::At(numbers[2].number)).await.unwrap();
        let found = clicks.read(&at, 3).await.unwrap();
        assert_eq!((found.records.len(), found.missed), (0, 4));
        let next = clicks.read(&found.next.unwrap(), 3).await.unwrap();
        assert_eq!((next.records.len(), next.missed), (0, 0));
        if !trimmed {
            // A shorter retention than now is not there; the same one looks for what has expired all the same.
            clicks.set_attributes(retention(DAY)).await.unwrap();
            settle_down().await;
        }
    }
}

async fn is6_a_reader_of_the_oldest_record_has_missed_nothing(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    hourly(&clicks, 0..5).await;
    advance(DAY.saturating_sub(secs(3 * 3_600))).await;
    let found = read_from(&clicks, ShardId(0), StartingPosition::TrimHorizon).await;
    assert_eq!((texts(&found), found.missed), (numbered(2..5), 0));
}

async fn is6_a_shard_reader_counts_what_it_missed(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let first = put_numbers(&clicks, 0, 0..4).await[0].number;
    let mut reader = clicks.reader(ShardId(0), StartingPosition::At(first)).await.unwrap();
    advance(secs(3_600)).await;
    put_numbers(&clicks, 0, 4..6).await;
    advance(DAY.saturating_sub(secs(60))).await;
    assert_eq!(body(&reader.next().await.unwrap().unwrap()), "4");
    assert_eq!(reader.missed(), 4);
    assert_eq!(body(&reader.next().await.unwrap().unwrap()), "5");
    assert_eq!(reader.missed(), 4);
}

async fn is6_what_a_closed_shard_lost_is_told_at_its_end(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let first = put_numbers(&clicks, 0, 0..4).await[0].number;
    advance(secs(60)).await;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    advance(DAY.saturating_sub(secs(30))).await;
    let (records, last) = read_on(&clicks, ShardId(0), StartingPosition::At(first)).await;
    assert_eq!((records.len(), last.missed, last.child_shards), (0, 4, children.to_vec()));
}

const ALL: Page = Page { entries: 100_000, bytes: usize::MAX };

fn rows(store: &MemStorage) -> usize {
    (0..40).map(|partition| store.rows(partition, 0..u64::MAX, ALL).unwrap().len()).sum()
}

/// What is kept of shards: definitions and records.
fn shard_keys(store: &MemStorage) -> (usize, usize) {
    let keys = |tag: u8| store.meta_range(&[tag], &[tag + 1], ALL).unwrap().len();
    (keys(b'h'), keys(b'r'))
}

#[tokio::test(start_paused = true)]
async fn k24_the_space_of_expired_records_and_shards_comes_back() {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).seed(7).clock(TokioClock::new()).open().await.unwrap();
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    for n in 0..6 {
        put_numbers(&clicks, 0, n * 500..n * 500 + 500).await;
    }
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    assert_eq!((rows(&store), shard_keys(&store)), (3_000, (3, 3)));
    advance(secs(3_600)).await;
    put_numbers(&clicks, 0, 0..7).await;
    settle_down().await;
    assert_eq!(rows(&store), 3_007, "nothing has expired");
    advance(DAY.saturating_sub(secs(3_600)) + ms(1)).await;
    put_numbers(&clicks, 0, 7..8).await;
    settle_down().await;
    assert_eq!((rows(&store), shard_keys(&store)), (8, (2, 2)));
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap().len(), 2);
}

/// What it costs to look for expired records does not grow with their number.
#[tokio::test(start_paused = true)]
async fn k56_expired_records_are_given_up_in_ranges() {
    use std::sync::Arc;

    use broker_core::storage::faults::SlowStorage;

    let (store, slow) = (MemStorage::new(), |store: &MemStorage| SlowStorage::new(Arc::new(store.clone())));
    let slow = Arc::new(slow(&store));
    let broker = Broker::builder_on(slow.clone()).seed(7).open().await.unwrap();
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    for n in 0..20 {
        put_numbers(&clicks, 0, n * 500..n * 500 + 500).await;
    }
    advance(DAY + ms(1)).await;
    put_numbers(&clicks, 0, 0..1).await;
    let (commits, writes) = (slow.commits(), slow.sizes().iter().sum::<usize>());
    // A look that had begun before they expired is followed by the next a minute later.
    tokio::time::sleep(secs(62)).await;
    assert_eq!(rows(&store), 1);
    let (commits, writes) = (slow.commits() - commits, slow.sizes().iter().sum::<usize>() - writes);
    assert!(commits <= 12 && writes <= 40, "{commits} commits, {writes} writes");
}

/// Nobody has to put or read anything for that, before a restart or after, and nobody looks before there is something.
#[tokio::test(start_paused = true)]
async fn k56_the_space_of_an_idle_stream_comes_back() {
    use std::sync::Arc;

    use broker_core::storage::faults::FailingStorage;

    let store = MemStorage::new();
    let counting = || Arc::new(FailingStorage::new(Arc::new(store.clone())));
    let clock = TokioClock::new();
    let broker = Broker::builder_on(counting()).seed(7).clock(clock.clone()).open().await.unwrap();
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    put_numbers(&clicks, 0, 0..3).await;
    advance(secs(3_600)).await;
    put_numbers(&clicks, HALF, 3..5).await;
    clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    settle_down().await;
    tokio::time::sleep(DAY.saturating_sub(secs(3_600))).await;
    tokio::time::sleep(secs(61)).await;
    assert_eq!((rows(&store), shard_keys(&store)), (2, (4, 4)), "three have expired");
    broker.close().await.unwrap();
    drop((broker, clicks));
    let reads = counting();
    let _broker = Broker::builder_on(reads.clone()).seed(7).clock(clock).open().await.unwrap();
    settle_down().await;
    let before = reads.reads();
    tokio::time::sleep(secs(3_000)).await;
    assert_eq!(reads.reads(), before, "nothing is due");
    tokio::time::sleep(secs(700)).await;
    assert_eq!((rows(&store), shard_keys(&store)), (0, (3, 3)), "and so has the shard that was split");
    let before = reads.reads();
    tokio::time::sleep(30 * DAY).await;
    assert_eq!(reads.reads(), before, "there is nothing left to expire");
}
