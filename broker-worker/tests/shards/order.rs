//! Order and concurrency: by shard, and with a factor by key. L80, L83.

use std::collections::BTreeMap;

use broker_core::{PutRecord, StartingPosition};
use broker_worker::stream::RecordBatch;

use crate::support::{World, ms, secs};

/// A mapping whose invocations take a second.
fn slow(world: &World) -> broker_worker::stream::StreamMapping {
    world.mapping(|_: RecordBatch, _| async {
        tokio::time::sleep(secs(1)).await;
        Ok(())
    })
}

// L80
#[tokio::test(start_paused = true)]
async fn a_shard_has_one_batch_at_a_time_in_order() {
    let world = World::new(1).await;
    world.put("k", "abcdef").await;
    let _running = slow(&world).batch_size(2).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let expected = [(0, "ab"), (1_000, "cd"), (2_000, "ef")];
    assert_eq!(world.timeline(), crate::support::owned(expected));
    assert_eq!(world.most(), 1);
}

// L80: concurrency is shards times factor.
#[tokio::test(start_paused = true)]
async fn as_many_batches_run_at_once_as_shards_times_factor() {
    for (shards, factor, most) in [(4, 1, 4), (4, 3, 12), (100, 2, 200)] {
        let world = World::new(shards).await;
        let records: Vec<_> = (0..20_000).map(|n| PutRecord::new(format!("key-{n}"), "x")).collect();
        for part in records.chunks(500) {
            world.stream.put_batch(part.to_vec()).await.unwrap();
        }
        let running = slow(&world).batch_size(5).parallelization_factor(factor).start().await.unwrap();
        tokio::time::sleep(secs(3)).await;
        assert_eq!(world.most(), most, "{shards} shards with a factor of {factor}");
        running.stop(secs(10)).await;
    }
}

// L80: with a factor, the records of a key keep their order.
#[tokio::test(start_paused = true)]
async fn with_a_factor_records_of_a_key_keep_their_order() {
    let world = World::new(1).await;
    for n in 0..300u32 {
        world.stream.put(PutRecord::new(format!("{}", n % 17), format!("{} {n},", n % 17))).await.unwrap();
    }
    let jitter = |batch: RecordBatch, _: broker_worker::Context| async move {
        let first = crate::support::text(&batch.records()[0]);
        tokio::time::sleep(ms(first.len() as u64 * 37 % 90)).await;
        Ok(())
    };
    let running = world.mapping(jitter).batch_size(7).parallelization_factor(4).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(running.counts().done, 300);
    assert!(world.most() > 1, "the lanes run beside each other");
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for call in world.calls() {
        for record in call.texts.split(',').filter(|record| !record.is_empty()) {
            let (key, n) = record.split_once(' ').unwrap();
            let (key, n) = (key.parse().unwrap(), n.parse().unwrap());
            let before = last.insert(key, n);
            assert!(before < Some(n), "{n} of {key} came after {before:?}");
        }
    }
}

// L83: what fails blocks its shard, or its lane, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_failure_blocks_only_its_shard_or_its_lane() {
    let world = World::new(1).await;
    world.put("poison", "x").await;
    let running = world.poisoned("x").batch_size(1).parallelization_factor(10).start().await.unwrap();
    for n in 0..500 {
        world.put(&format!("key-{n}"), "a").await;
    }
    world.put("poison", "b").await;
    tokio::time::sleep(secs(60)).await;
    // All but those in the lane of the poison.
    let done = running.counts().done;
    assert!((400..500).contains(&done), "{done}");
    assert!(world.texts().iter().all(|texts| texts != "b"), "what is behind the poison waits");
    // The checkpoint is that of the shard: it stands before the poison.
    let group = world.stream.consumer_groups().await.unwrap().remove(0);
    assert_eq!(group.leases[0].behind, 502);
    running.stop(secs(1)).await;
    // Another function is not concerned.
    let other = broker_worker::stream::StreamMapping::new(
        "other",
        world.stream.clone(),
        world.handler(|_, _| async { Ok(()) }),
    );
    let other = other.starting_position(StartingPosition::TrimHorizon).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(other.counts().done, 502);
}

// L83: what is behind the checkpoint has a bound.
#[tokio::test(start_paused = true)]
async fn a_blocked_lane_holds_up_the_others_in_the_end() {
    let world = World::new(1).await;
    world.put("poison", "x").await;
    let poison = |batch: RecordBatch, _| async move {
        if batch.records()[0].partition_key == "poison" {
            Err(broker_worker::Failure::new("no"))
        } else {
            Ok(())
        }
    };
    let mapping = world.mapping(poison).batch_size(10_000).parallelization_factor(2);
    // A key of the other lane.
    let running = mapping.start().await.unwrap();
    let mut other = 0;
    while running.counts().done == 0 {
        other += 1;
        world.put(&format!("key-{other}"), "a").await;
        tokio::time::sleep(ms(1)).await;
    }
    let key = format!("key-{other}");
    for _ in 0..260 {
        world.put(&key, &"a".repeat(500)).await;
    }
    tokio::time::sleep(secs(3_600)).await;
    let done = running.counts().done;
    assert!((90_000..=110_000).contains(&done), "{done}");
}

// L80: while a batch is worked on for longer than an iterator is good for, the place is kept.
#[tokio::test(start_paused = true)]
async fn a_batch_that_takes_longer_than_an_iterator_is_good_for_is_followed_at_once() {
    let world = World::new(1).await;
    world.put("k", "ab").await;
    let mapping = world.mapping(|_: RecordBatch, _| async {
        tokio::time::sleep(secs(400)).await;
        Ok(())
    });
    let _running = mapping.batch_size(1).start().await.unwrap();
    tokio::time::sleep(secs(900)).await;
    assert_eq!(world.timeline(), crate::support::owned([(0, "a"), (400_000, "b")]));
}
