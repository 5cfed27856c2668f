//! Shards that split and merge, and several workers. L80, L83, L90.

use std::collections::BTreeMap;

use broker_core::{PutRecord, ShardId};
use broker_worker::stream::RecordBatch;

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
