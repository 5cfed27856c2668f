//! Shards that split and merge, and several workers. L80, L83, L90.

use std::collections::BTreeMap;

use broker_core::{PutRecord, ShardId};
use broker_worker::{Failure, stream::RecordBatch, telemetry::WorkerEvent};
use futures_util::StreamExt;

use crate::support::{World, ms, secs};

const HALF: u128 = 1 << 127;

// L80: parents before children, and every key in its order.
#[tokio::test(start_paused = true)]
async fn children_are_consumed_after_their_parents() {
    let world = World::new(1).await;
    let put = async |range: std::ops::Range<u32>| {
        for n in range {
            let record = PutRecord::new(format!("{}", n % 13), format!("{} {n},", n % 13));
            world.stream.put(record).await.unwrap();
        }
    };
    put(0..100).await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(ms(70)).await;
        Ok(())
    };
    let running = world.mapping(slow).batch_size(9).parallelization_factor(2).start().await.unwrap();
    let children = world.stream.split_shard(ShardId(0), HALF).await.unwrap();
    put(100..200).await;
    let merged = world.stream.merge_shards(children[0], children[1]).await.unwrap();
    put(200..300).await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(running.counts().done, 300);
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for call in world.calls() {
        for record in call.texts.split(',').filter(|record| !record.is_empty()) {
            let (key, n) = record.split_once(' ').unwrap();
            let (key, n) = (key.parse().unwrap(), n.parse().unwrap());
            assert!(last.insert(key, n) < Some(n));
        }
    }
    let shards: Vec<ShardId> = world.calls().iter().map(|call| call.shard).collect();
    let first_of = |shard| shards.iter().position(|other| *other == shard).unwrap();
    let last_of = |shard| shards.iter().rposition(|other| *other == shard).unwrap();
    assert!(children.iter().all(|child| last_of(ShardId(0)) < first_of(*child)));
    assert!(children.iter().all(|child| last_of(*child) < first_of(merged)));
}

// L83: a child waits while its parent is blocked.
#[tokio::test(start_paused = true)]
async fn a_blocked_parent_blocks_its_children_until_it_is_given_up() {
    let world = World::new(1).await;
    world.put("k", "X").await;
    let running = world.poisoned("X").maximum_retry_attempts(4).start().await.unwrap();
    world.stream.split_shard(ShardId(0), HALF).await.unwrap();
    world.put("k", "a").await;
    tokio::time::sleep(secs(60)).await;
    let expected = [(0, "X"), (500, "X"), (1_500, "X"), (3_500, "X"), (7_500, "X"), (7_500, "a")];
    assert_eq!(world.timeline(), crate::support::owned(expected));
    assert_eq!(running.counts().given_up, 1);
}

// L80: mappings of the same function share the shards, and hand them over between two batches.
#[tokio::test(start_paused = true)]
async fn mappings_of_one_function_share_the_shards() {
    let world = World::new(4).await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(ms(300)).await;
        Ok(())
    };
    let mut workers = vec![world.mapping(slow).batch_size(1).start().await.unwrap()];
    let mut put = 0;
    for step in 0..40 {
        for n in 0..8 {
            world.put(&format!("key-{n}"), "a").await;
            put += 1;
        }
        tokio::time::sleep(ms(200)).await;
        match step {
            10 | 20 => workers.push(world.mapping(slow).batch_size(1).start().await.unwrap()),
            30 => drop(workers.remove(0).stop(secs(10)).await),
            _ => {}
        }
    }
    tokio::time::sleep(secs(60)).await;
    // Nobody was torn out of a batch: each record came once.
    assert_eq!(world.calls().len(), put);
    assert!(workers.iter().all(|worker| worker.counts().done > 0));
    assert!(world.most() <= 4);
}

// L80: a worker that is dropped in the middle of a batch leaves it to the others.
#[tokio::test(start_paused = true)]
async fn a_worker_that_vanishes_leaves_its_batch_to_others() {
    let world = World::new(1).await;
    world.put("k", "abc").await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(10)).await;
        Ok(())
    };
    let first = world.mapping(slow).batch_size(1).start().await.unwrap();
    let second = world.mapping(slow).batch_size(1).start().await.unwrap();
    tokio::time::sleep(secs(15)).await;
    drop(first);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.texts(), ["a", "b", "b", "c"]);
    assert_eq!(second.counts().done, 2);
}

// L80: a shard without records is consumed as soon as it is closed, and its children follow.
#[tokio::test(start_paused = true)]
async fn the_children_of_an_empty_shard_are_consumed_at_once() {
    let world = World::new(1).await;
    let running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.stream.split_shard(ShardId(0), HALF).await.unwrap();
    world.put("k", "a").await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.timeline(), crate::support::owned([(1_000, "a")]));
    assert_eq!(running.counts().done, 1);
}

// L31: at the end of a shard nothing more can come, so that what waits for the end of its window goes at once.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_ends_the_window_of_its_batch() {
    let world = World::new(1).await;
    let running = world.working().window(secs(60)).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.put("k", "a").await;
    tokio::time::sleep(secs(1)).await;
    world.stream.split_shard(ShardId(0), HALF).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.timeline(), crate::support::owned([(2_000, "a")]));
    assert_eq!(running.counts().done, 1);
}

// L80: a shard that another worker is to have is handed over as soon as nothing of it is worked on.
#[tokio::test(start_paused = true)]
async fn a_shard_is_handed_over_between_two_batches() {
    let world = World::new(2).await;
    let _first = world.working().start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let second = world.working().start().await.unwrap();
    let mut events = second.events();
    let begun = tokio::time::timeout(secs(20), events.next()).await.expect("it gets a shard in time");
    assert_eq!(begun, Some(WorkerEvent::Workers { running: 1 }));
}

// L83, L89: whoever has lost a shard gives nothing up: the next one tries, and tells.
#[tokio::test(start_paused = true)]
async fn a_batch_whose_shard_was_lost_is_not_told_to_a_destination() {
    let world = World::new(2).await;
    let failed = world.queue("failed").await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(100)).await;
        Err::<(), _>(Failure::new("no"))
    };
    let mapping = |world: &World| {
        world.mapping(slow).maximum_retry_attempts(0).on_failure(crate::support::queue(&failed))
    };
    // A record in each shard.
    world.stream.put(PutRecord::new("k", "a").explicit_hash_key(0)).await.unwrap();
    world.stream.put(PutRecord::new("k", "b").explicit_hash_key(u128::MAX)).await.unwrap();
    let first = mapping(&world).start().await.unwrap();
    let mut events = first.events();
    tokio::time::sleep(secs(1)).await;
    let second = mapping(&world).start().await.unwrap();
    // One shard is to go over, and is lost after 30 seconds, while the function works on it.
    tokio::time::sleep(secs(300)).await;
    assert_eq!(world.calls().len(), 3);
    assert_eq!(world.told(&failed).await.len(), 2);
    assert_eq!((first.counts().given_up, second.counts().given_up), (1, 1));
    let mut lost = 0;
    while let Ok(Some(event)) = tokio::time::timeout(ms(1), events.next()).await {
        lost += u32::from(matches!(event, WorkerEvent::ShardLost { .. }));
    }
    assert_eq!(lost, 1);
}
