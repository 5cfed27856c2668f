//! What is there after a restart, and where records come from that are not in memory. IS1, IS2.

use std::sync::Arc;

use broker_core::{
    Broker, Error, MemoryBounds, ShardFilter, ShardId, StartingPosition,
    storage::faults::{Afterwards, FailingStorage, Fault},
};
use broker_mem::MemStorage;

use crate::{
    ground::{
        HALF, at_hash, body, numbered, put, put_numbers, read_on, reopened, replay, stream, texts, whole,
    },
    support::{World, advance, secs},
};

everywhere! {
    is2_everything_is_there_after_a_restart,
    is1_numbers_go_on_after_restarts_and_splits,
    is2_old_and_new_records_come_without_a_seam,
    is2_a_large_record_is_read_from_storage_and_from_memory,
}

async fn is2_everything_is_there_after_a_restart(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    for n in 0..40 {
        put(&clicks, &format!("k{n}"), &n.to_string()).await;
    }
    clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    advance(secs(7)).await;
    clicks.merge_shards(ShardId(3), ShardId(1)).await.unwrap();
    for n in 40..60 {
        put(&clicks, &format!("k{n}"), &n.to_string()).await;
    }
    let before = (
        clicks.attributes().await.unwrap(),
        clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(),
        replay(&clicks).await,
    );
    let (broker, clicks) = reopened(&world, broker).await;
    let again = async |clicks: &broker_core::LocalStream| {
        let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
        (clicks.attributes().await.unwrap(), shards, replay(clicks).await)
    };
    assert_eq!(again(&clicks).await, before);
    assert_eq!(before.2.len(), 60);
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(again(&clicks).await, before);
}

async fn is1_numbers_go_on_after_restarts_and_splits(world: World) {
    let (mut broker, mut clicks) = stream(&world, 1).await;
    let mut last = None;
    for n in 0..4 {
        for _ in 0..3 {
            let put = clicks.put(at_hash(0, "x")).await.unwrap();
            assert!(Some(put.number) > last, "{last:?} {put:?}");
            last = Some(put.number);
        }
        (broker, clicks) = reopened(&world, broker).await;
        let open = clicks.shards(ShardFilter::AtLatest).await.unwrap();
        let first = open.iter().find(|shard| shard.range.start == 0).unwrap();
        let children = clicks.split_shard(first.id, 1 << (100 - n)).await.unwrap();
        let after = clicks.shards(ShardFilter::AtLatest).await.unwrap();
        let child = after.iter().find(|shard| shard.id == children[0]).unwrap();
        assert!(Some(child.starting_number) > last);
    }
    drop(broker);
}

async fn is2_old_and_new_records_come_without_a_seam(world: World) {
    for bounds in [
        MemoryBounds { staged_bytes: 0, ..MemoryBounds::default() },
        MemoryBounds { staged_bytes: 300, ..MemoryBounds::default() },
        MemoryBounds::default(),
    ] {
        let world = World::threaded().bounds(bounds).limits(world.limits.clone());
        let (broker, clicks) = stream(&world, 1).await;
        put_numbers(&clicks, 0, 0..40).await;
        let (_broker, clicks) = reopened(&world, broker).await;
        for n in 40..60 {
            put_numbers(&clicks, 0, n..n + 1).await;
            assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..n + 1));
        }
        for max in [1, 2, 19, 1_000] {
            let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
            let mut seen = Vec::new();
            while seen.len() < 60 {
                let found = clicks.read(&at, max).await.unwrap();
                assert!((1..=max).contains(&found.records.len()));
                seen.extend(texts(&found));
                at = found.next.unwrap();
            }
            assert_eq!(seen, numbered(0..60));
        }
    }
}

async fn is2_a_large_record_is_read_from_storage_and_from_memory(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    let large = "x".repeat(600_000);
    for text in ["a", &large, "b"] {
        clicks.put(at_hash(0, text)).await.unwrap();
    }
    assert_eq!(whole(&clicks, ShardId(0)).await, ["a", &large, "b"]);
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, ["a", &large, "b"]);
}

/// What memory has is not read from storage, and what it has not is read in pages.
#[tokio::test(start_paused = true)]
async fn is2_a_tail_read_costs_no_read_of_the_store() {
    let store = Arc::new(FailingStorage::new(Arc::new(MemStorage::new())));
    let broker = Broker::builder_on(store.clone()).seed(7).open().await.unwrap();
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    put_numbers(&clicks, 0, 0..1).await;
    crate::support::settle_down().await;
    let mut at = clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap();
    let before = store.reads();
    for n in 0..50 {
        put_numbers(&clicks, 0, n..n + 1).await;
        let found = clicks.read(&at, 10).await.unwrap();
        assert_eq!(texts(&found), [n.to_string()]);
        at = found.next.unwrap();
    }
    assert_eq!(store.reads(), before);
    drop((broker, clicks));
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    let clicks = broker.open_stream("clicks").await.unwrap();
    let number = {
        let (all, _) = read_on(&clicks, ShardId(0), StartingPosition::TrimHorizon).await;
        assert_eq!(all.len(), 51);
        all[0].number
    };
    let at = clicks.iterator(ShardId(0), StartingPosition::At(number)).await.unwrap();
    let before = store.reads();
    assert_eq!(clicks.read(&at, 1_000).await.unwrap().records.len(), 51);
    assert_eq!(store.reads(), before + 1, "one page");
}

/// The memory of many shards is bounded together: of 128 each has half at hand, and a closed one nothing.
#[tokio::test(start_paused = true)]
async fn ig7_of_many_shards_less_is_at_hand() {
    let store = Arc::new(FailingStorage::new(Arc::new(MemStorage::new())));
    let memory = MemoryBounds { staged_bytes: 2_000, ..MemoryBounds::default() };
    let broker = Broker::builder_on(store.clone()).memory(memory).seed(7).open().await.unwrap();
    let reads_for = async |shards: u32, close: bool| {
        let stream = broker.stream(format!("{shards}-{close}")).shards(shards).await.unwrap();
        for _ in 0..3 {
            stream.put(at_hash(0, "x".repeat(450))).await.unwrap();
        }
        crate::support::settle_down().await;
        let at = stream.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        if close {
            stream.split_shard(ShardId(0), 1 << 100).await.unwrap();
        }
        let before = store.reads();
        let mut got = stream.read(&at, 10).await.unwrap();
        while got.records.len() < 3 {
            let more = stream.read(&got.next.unwrap(), 10).await.unwrap();
            got.next = more.next;
            got.records.extend(more.records);
        }
        store.reads() - before
    };
    assert_eq!(reads_for(64, false).await, 0);
    assert_eq!(reads_for(128, false).await, 1);
    assert_eq!(reads_for(2, true).await, 1);
}

/// A read that fails says so and changes nothing; a commit that fails stops the broker, and what was acknowledged is there
/// when it is opened again.
#[tokio::test(start_paused = true)]
async fn is2_a_failed_commit_is_told_and_takes_nothing_with_it() {
    for number in 0..40 {
        let memory = MemStorage::new();
        let failing = FailingStorage::new(Arc::new(memory.clone()));
        let failing = failing.fail_commit(number, Fault::DiskFull).afterwards(Afterwards::Fails);
        let mut acked = Vec::new();
        let ended = script(failing, &mut acked).await;
        let broker = Broker::builder(memory).seed(7).open().await.unwrap();
        let there = match broker.open_stream("clicks").await {
            Ok(clicks) => replay(&clicks).await.iter().map(body).collect(),
            Err(_) => Vec::new(),
        };
        assert!(acked.iter().all(|text| there.contains(text)), "{acked:?} {there:?}");
        match ended {
            Ok(()) => assert_eq!(there.len(), 12),
            Err(error) => assert!(matches!(error, Error::Indeterminate(_)), "{error}"),
        }
    }
}

async fn script(store: FailingStorage, acked: &mut Vec<String>) -> broker_core::Result<()> {
    let broker = Broker::builder(store).seed(7).open().await?;
    let clicks = broker.stream("clicks").shards(1).await?;
    for n in 0..12 {
        if n == 4 {
            clicks.split_shard(ShardId(0), HALF).await?;
        }
        let put = clicks.put(at_hash(0, n.to_string())).await;
        if put.is_err() {
            assert!(matches!(clicks.put(at_hash(0, "no")).await, Err(Error::Poisoned(_))));
            let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await;
            assert!(matches!(at, Err(Error::Poisoned(_))));
        }
        put?;
        acked.push(n.to_string());
    }
    Ok(())
}
