//! Iterators: how long they are good, and for what. K52, IS6.

use std::time::Duration;

use broker_core::{Error, Limits, ShardId, ShardIterator, StartingPosition, StreamLimits};

use crate::{
    ground::{assert_refused, numbered, put, put_numbers, reopened, stream, texts},
    support::{World, advance, ms, secs},
};

everywhere! {
    k52_an_iterator_is_good_for_five_minutes,
    k52_every_read_gives_a_new_iterator,
    k52_an_iterator_is_good_across_a_restart,
    k52_an_iterator_is_good_for_its_own_shard_and_stream,
    k52_a_changed_iterator_is_refused,
    k52_a_reader_outlives_its_iterators,
    k52_an_iterator_says_where_it_stands,
    k52_how_long_an_iterator_is_good_is_a_limit,
}

async fn k52_an_iterator_is_good_for_five_minutes(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put(&clicks, "k", "x").await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let issued = world.now();
    assert_eq!(at.issued_at(), issued);
    advance(secs(300)).await;
    assert_eq!(texts(&clicks.read(&at, 1).await.unwrap()), ["x"]);
    advance(ms(1)).await;
    let error = clicks.read(&at, 1).await.unwrap_err();
    let Error::ExpiredIterator { issued_at, now } = error else { panic!("{error}") };
    assert_eq!((issued_at, now), (issued, world.now()));
    assert!(matches!(clicks.read_within(&at, 1, secs(5)).await, Err(Error::ExpiredIterator { .. })));
}

async fn k52_an_iterator_says_where_it_stands(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let at = clicks.iterator(ShardId(1), StartingPosition::Latest).await.unwrap();
    let number = clicks.number_at(&at);
    assert_eq!((at.shard(), number.shard()), (ShardId(1), ShardId(1)));
    // There is no such record yet, and one can begin there all the same.
    let record = broker_core::PutRecord::new("k", "first").explicit_hash_key(u128::MAX);
    assert_eq!(clicks.put(record).await.unwrap().number, number);
    advance(secs(600)).await;
    let at = clicks.iterator(ShardId(1), StartingPosition::At(number)).await.unwrap();
    assert_eq!(texts(&clicks.read(&at, 1).await.unwrap()), ["first"]);
}

async fn k52_every_read_gives_a_new_iterator(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    for _ in 0..5 {
        advance(secs(299)).await;
        at = clicks.read(&at, 1).await.unwrap().next.unwrap();
        assert_eq!(at.issued_at(), world.now());
    }
    // Also after a wait that is longer than an iterator is good.
    at = clicks.read_within(&at, 1, secs(1_000)).await.unwrap().next.unwrap();
    assert_eq!(at.issued_at(), world.now());
    put(&clicks, "k", "x").await;
    assert_eq!(texts(&clicks.read(&at, 1).await.unwrap()), ["x"]);
}

async fn k52_an_iterator_is_good_across_a_restart(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..6).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let at = clicks.read(&at, 2).await.unwrap().next.unwrap();
    let at: ShardIterator = at.to_string().parse().unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(texts(&clicks.read(&at, 10).await.unwrap()), numbered(2..6));
}

async fn k52_an_iterator_is_good_for_its_own_shard_and_stream(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    let other = broker.stream("other").shards(2).await.unwrap();
    put_numbers(&clicks, 0, 0..3).await;
    put_numbers(&other, 0, 5..9).await;
    let first = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let second = clicks.iterator(ShardId(1), StartingPosition::TrimHorizon).await.unwrap();
    assert_eq!(texts(&clicks.read(&first, 10).await.unwrap()), numbered(0..3));
    assert!(clicks.read(&second, 10).await.unwrap().records.is_empty());
    assert_refused(other.read(&first, 10).await, "iterator");
    assert_refused(other.read_within(&first, 10, secs(1)).await, "iterator");
}

async fn k52_a_changed_iterator_is_refused(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..3).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap().to_string();
    for digit in 0..at.len() {
        let mut changed = at.clone().into_bytes();
        changed[digit] = if changed[digit] == b'1' { b'2' } else { b'1' };
        let changed: ShardIterator = String::from_utf8(changed).unwrap().parse().unwrap();
        assert_refused(clicks.read(&changed, 1).await, "iterator");
    }
    for text in ["", &at[1..], &format!("{at}0"), &"x".repeat(64), &"ü".repeat(32), &"f".repeat(100_000)] {
        assert!(text.parse::<ShardIterator>().is_err());
    }
    assert_refused(clicks.read(&"f".repeat(64).parse().unwrap(), 1).await, "iterator");
}

async fn k52_a_reader_outlives_its_iterators(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put(&clicks, "k", "a").await;
    let mut reader = clicks.reader(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    advance(secs(3_600)).await;
    assert_eq!(reader.next().await.unwrap().unwrap().data, "a");
    advance(secs(3_600)).await;
    let reading = tokio::spawn(async move { reader.next().await.unwrap().unwrap().data });
    tokio::time::sleep(secs(3_600)).await;
    put(&clicks, "k", "b").await;
    assert_eq!(reading.await.unwrap(), "b");
}

async fn k52_how_long_an_iterator_is_good_is_a_limit(world: World) {
    for (valid, wait) in [(Duration::ZERO, secs(2)), (Duration::MAX, Duration::MAX)] {
        let streams = StreamLimits { iterator_valid: valid, ..StreamLimits::aws() };
        let world = World::in_memory().limits(Limits { streams, ..world.limits.clone() });
        let (_broker, clicks) = stream(&world, 1).await;
        let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        put(&clicks, "k", "x").await;
        let found = clicks.read_within(&at, 1, wait).await.unwrap();
        assert_eq!(texts(&found), ["x"]);
        let mut reader = clicks.reader(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        assert_eq!(reader.next().await.unwrap().unwrap().data, "x");
    }
}
