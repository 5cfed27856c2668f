//! Limits with extreme values: refused or taken, and never a panic. IG10, IG11.

use std::time::Duration;

use broker_core::{
    Limits, PutRecord, ShardFilter, ShardId, StartingPosition, StreamLimits, StreamSettings, Timestamp,
};

use crate::{
    ground::{HALF, at_hash, put_numbers, reopened, stream, texts, whole},
    support::{World, advance, secs},
};

everywhere! {
    k34_without_limits_there_may_be_many_updates_a_day,
    k12_everything_at_its_largest_works,
    k12_everything_at_its_smallest_is_refused_and_nothing_breaks,
    k53_a_page_is_bounded_in_bytes_but_for_its_first_record,
}

fn with(streams: StreamLimits) -> Limits {
    Limits { streams, ..Limits::unlimited() }
}

async fn k34_without_limits_there_may_be_many_updates_a_day(world: World) {
    let world = world.limits(with(StreamLimits::unlimited()));
    let (broker, clicks) = stream(&world, 1).await;
    for n in 0..60 {
        clicks.update_shard_count(1 + n % 2).await.unwrap();
    }
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(clicks.shards(ShardFilter::AtLatest).await.unwrap().len(), 2);
}

async fn k12_everything_at_its_largest_works(world: World) {
    let world = world.limits(with(StreamLimits {
        name_chars_max: usize::MAX,
        shards_max: usize::MAX,
        partition_key_chars_max: usize::MAX,
        record_bytes_min: usize::MAX,
        record_bytes_max: usize::MAX,
        batch_records_max: usize::MAX,
        batch_bytes_max: usize::MAX,
        read_records_max: usize::MAX,
        read_bytes_max: usize::MAX,
        retention_min: Duration::MAX,
        retention_max: Duration::MAX,
        iterator_valid: Duration::MAX,
        updates_a_day_max: usize::MAX,
        write_bytes_per_second: u64::MAX,
        write_records_per_second: u64::MAX,
        read_bytes_per_second: u64::MAX,
        reads_per_second: u64::MAX,
    }));
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(2).throttled().await.unwrap();
    let retention = StreamSettings { retention: Some(Duration::MAX), ..Default::default() };
    clicks.set_attributes(retention).await.unwrap();
    put_numbers(&clicks, 0, 0..20).await;
    clicks.put(PutRecord::new("k".repeat(10_000), "x").explicit_hash_key(HALF)).await.unwrap();
    clicks.split_shard(ShardId(1), u128::MAX - 1).await.unwrap();
    clicks.update_shard_count(4).await.unwrap();
    advance(secs(86_400 * 10_000)).await;
    assert_eq!(whole(&clicks, ShardId(0)).await.len(), 20);
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    assert_eq!(clicks.read_within(&at, usize::MAX, Duration::MAX).await.unwrap().records.len(), 20);
    let from = StartingPosition::AtTimestamp(Timestamp::from_millis(0));
    let at = clicks.iterator(ShardId(0), from).await.unwrap();
    assert_eq!(clicks.read(&at, 1).await.unwrap().records.len(), 1);
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(whole(&clicks, ShardId(0)).await.len(), 20);
}

async fn k12_everything_at_its_smallest_is_refused_and_nothing_breaks(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    clicks.put(at_hash(0, "x")).await.unwrap();
    clicks.set_attributes(StreamSettings { throttled: Some(true), ..Default::default() }).await.unwrap();
    broker.close().await.unwrap();
    drop((broker, clicks));
    let world = world.limits(with(StreamLimits {
        name_chars_max: 0,
        shards_max: 0,
        partition_key_chars_max: 0,
        record_bytes_min: 0,
        record_bytes_max: 0,
        batch_records_max: 0,
        batch_bytes_max: 0,
        read_records_max: 0,
        read_bytes_max: 0,
        retention_min: Duration::ZERO,
        retention_max: Duration::ZERO,
        iterator_valid: Duration::ZERO,
        updates_a_day_max: 0,
        write_bytes_per_second: 0,
        write_records_per_second: 0,
        read_bytes_per_second: 0,
        reads_per_second: 0,
    }));
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    assert!(broker.stream("more").await.is_err());
    assert!(clicks.put(at_hash(0, "x")).await.is_err());
    assert!(clicks.put_batch(vec![at_hash(0, "x")]).await.is_err());
    assert!(clicks.split_shard(ShardId(0), HALF).await.is_err());
    assert!(clicks.update_shard_count(1).await.is_err());
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    assert!(clicks.read(&at, 0).await.is_err() && clicks.read(&at, 1).await.is_err());
    let mut reader = clicks.reader(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    assert!(reader.next().await.is_err());
    assert_eq!(clicks.attributes().await.unwrap().open_shards, 1);
}

async fn k53_a_page_is_bounded_in_bytes_but_for_its_first_record(world: World) {
    let world = world.limits(with(StreamLimits { read_bytes_max: 100, ..StreamLimits::unlimited() }));
    for little in [false, true] {
        let world = if little { World::threaded().with_little_memory() } else { World::threaded() };
        let world = world.limits(with(StreamLimits { read_bytes_max: 100, ..StreamLimits::unlimited() }));
        let (_broker, clicks) = stream(&world, 1).await;
        let sizes = [50, 50, 1, 99, 200, 30, 30, 30];
        for size in sizes {
            clicks.put(PutRecord::new("k", vec![b'x'; size])).await.unwrap();
        }
        let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < sizes.len() {
            let found = clicks.read(&at, 1_000).await.unwrap();
            let bytes: usize = found.records.iter().map(|record| record.data.len()).sum();
            assert!(!found.records.is_empty() && (bytes <= 100 || found.records.len() == 1), "{bytes}");
            seen.extend(texts(&found).iter().map(String::len));
            at = found.next.unwrap();
        }
        assert_eq!(seen, sizes);
    }
    drop(world);
}
