//! Nobody sees what is not committed, and calls that are dropped have happened or not: on a store whose commits wait at a
//! gate. IS2, IS4.

use broker_core::{LocalStream, Records, Result, ShardFilter, ShardId, StartingPosition};
use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::{
    ground::{HALF, at_hash, gated, put_numbers, texts, whole},
    support::{held_at, others_run, secs},
};

/// A read behind the first record, in a task of its own that already waits.
async fn waiter(clicks: &LocalStream) -> JoinHandle<Result<Records>> {
    let clicks = clicks.clone();
    let at = clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap();
    let waiting = tokio::spawn(async move { clicks.read_within(&at, 10, secs(1_000)).await });
    others_run().await;
    waiting
}

/// A put that is on its way to the store.
fn putting(clicks: &LocalStream, text: &'static str) -> JoinHandle<broker_core::PutOutcome> {
    let clicks = clicks.clone();
    tokio::spawn(async move { clicks.put(at_hash(0, text)).await.unwrap() })
}

#[tokio::test(start_paused = true)]
async fn is2_a_record_is_seen_when_it_is_committed_and_not_before() {
    let (gate, clicks) = gated(1).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap();
    let waiting = waiter(&clicks).await;
    gate.hold();
    let put = putting(&clicks, "x");
    held_at(&gate).await;
    assert!(!waiting.is_finished() && !put.is_finished());
    // Not by a read either, from memory or from its beginning, whose answer says that there is nothing.
    let found = clicks.read(&at, 10).await.unwrap();
    assert_eq!((texts(&found), found.millis_behind_latest), (vec![], 0));
    let again = found.next.unwrap();
    gate.open();
    assert_eq!(texts(&waiting.await.unwrap().unwrap()), ["x"]);
    put.await.unwrap();
    assert_eq!(texts(&clicks.read(&again, 10).await.unwrap()), ["x"], "nothing was passed over");
}

#[tokio::test(start_paused = true)]
async fn is2_records_of_several_groups_are_seen_as_each_is_committed() {
    let (gate, clicks) = gated(1).await;
    let waiting = waiter(&clicks).await;
    gate.hold();
    let first = putting(&clicks, "a");
    held_at(&gate).await;
    // These wait for the next group, behind the one at the gate.
    let rest = [putting(&clicks, "b"), putting(&clicks, "c")];
    others_run().await;
    gate.open();
    first.await.unwrap();
    let found = waiting.await.unwrap().unwrap();
    assert_eq!(texts(&found)[0], "a");
    for put in rest {
        put.await.unwrap();
    }
    assert_eq!(whole(&clicks, ShardId(0)).await, ["first", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn is2_a_put_dropped_before_its_commit_reaches_whoever_waits() {
    let (gate, clicks) = gated(1).await;
    let waiting = waiter(&clicks).await;
    gate.hold();
    assert!(Box::pin(clicks.put(at_hash(0, "x"))).now_or_never().is_none());
    drop(clicks.put(at_hash(0, "never polled")));
    others_run().await;
    assert!(!waiting.is_finished());
    gate.open();
    assert_eq!(texts(&waiting.await.unwrap().unwrap()), ["x"]);
    assert_eq!(whole(&clicks, ShardId(0)).await, ["first", "x"]);
}

#[tokio::test(start_paused = true)]
async fn is2_latest_and_shards_wait_for_what_they_have_seen() {
    let (gate, clicks) = gated(1).await;
    gate.hold();
    let put = putting(&clicks, "x");
    others_run().await;
    let latest = tokio::spawn({
        let clicks = clicks.clone();
        async move { clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap() }
    });
    others_run().await;
    gate.open();
    put.await.unwrap();
    // It was asked for before the record was there.
    assert_eq!(texts(&clicks.read(&latest.await.unwrap(), 10).await.unwrap()), ["x"]);
}

/// A reader that was told of children which a crash then takes back would never return to the parent.
#[tokio::test(start_paused = true)]
async fn is2_the_end_of_a_shard_is_seen_when_the_split_is_committed_and_not_before() {
    let (gate, clicks) = gated(1).await;
    let waiting = waiter(&clicks).await;
    gate.hold();
    let splitting = tokio::spawn({
        let clicks = clicks.clone();
        async move { clicks.split_shard(ShardId(0), HALF).await.unwrap() }
    });
    others_run().await;
    assert!(!waiting.is_finished() && !splitting.is_finished());
    let listing = tokio::spawn({
        let clicks = clicks.clone();
        async move { clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap() }
    });
    others_run().await;
    assert!(!waiting.is_finished() && !listing.is_finished());
    gate.open();
    let children = splitting.await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().child_shards, children);
    assert_eq!(listing.await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn is4_a_record_in_a_child_is_not_seen_before_the_split() {
    let (gate, clicks) = gated(1).await;
    gate.hold();
    assert!(Box::pin(clicks.split_shard(ShardId(0), HALF)).now_or_never().is_none());
    let put = putting(&clicks, "x");
    others_run().await;
    gate.open();
    let done = put.await.unwrap();
    assert_eq!(done.shard, ShardId(1));
    assert_eq!(whole(&clicks, done.shard).await, ["x"]);
    assert_eq!(whole(&clicks, ShardId(0)).await, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn is4_a_dropped_split_merge_and_update_have_happened() {
    let (gate, clicks) = gated(1).await;
    drop(clicks.split_shard(ShardId(0), HALF));
    gate.hold();
    assert!(Box::pin(clicks.split_shard(ShardId(0), HALF)).now_or_never().is_none());
    assert!(Box::pin(clicks.merge_shards(ShardId(1), ShardId(2))).now_or_never().is_none());
    assert!(Box::pin(clicks.update_shard_count(2)).now_or_never().is_none());
    gate.open();
    let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert_eq!(crate::shards::ids(&shards), [0, 1, 2, 3, 4, 5]);
    crate::shards::assert_cover(&shards);
    assert_eq!(whole(&clicks, ShardId(0)).await, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn is4_a_dropped_batch_is_whole() {
    let (gate, clicks) = gated(2).await;
    gate.hold();
    let batch = (0..10).map(|n| at_hash(if n % 2 == 0 { 0 } else { HALF }, n.to_string())).collect();
    assert!(Box::pin(clicks.put_batch(batch)).now_or_never().is_none());
    gate.open();
    assert_eq!(whole(&clicks, ShardId(0)).await, ["first", "0", "2", "4", "6", "8"]);
    assert_eq!(whole(&clicks, ShardId(1)).await, ["1", "3", "5", "7", "9"]);
}

/// A read that is dropped has moved nothing: the iterator is good as before.
#[tokio::test(start_paused = true)]
async fn is3_a_dropped_read_can_be_done_again() {
    let (gate, clicks) = gated(1).await;
    put_numbers(&clicks, 0, 0..5).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    gate.hold();
    let at_end = clicks.read(&at, 100).await.unwrap().next.unwrap();
    let mut waiting = Box::pin(clicks.read_within(&at_end, 10, secs(100)));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert!(Box::pin(clicks.put(at_hash(0, "x"))).now_or_never().is_none());
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    gate.open();
    assert_eq!(texts(&clicks.read_within(&at_end, 10, secs(100)).await.unwrap()), ["x"]);
}
