//! Splits, merges, new numbers of shards, and the order of keys across them. K30, K31, K32, K33, K34, IS5.

use broker_core::{Error, Limits, ShardFilter, ShardId, StartingPosition, StreamLimits};

use crate::{
    ground::{
        HALF, assert_refused, at_hash, bodies, body, numbered, put, put_numbers, read_on, reopened, replay,
        stream, whole,
    },
    shards::{assert_cover, ids},
    support::{World, advance, secs},
};

everywhere! {
    k30_a_split_begins_beyond_the_first_hash_keys_and_before_the_last,
    k31_two_shards_are_merged_in_their_order,
    k32_unknown_and_closed_shards_are_refused,
    k32_a_stream_has_so_many_open_shards_at_most,
    k33_parents_end_and_children_begin_behind_them,
    k33_what_was_put_before_a_split_stays_in_the_parent,
    k34_the_number_of_shards_goes_to_double_or_half,
    k34_the_number_of_shards_is_set_ten_times_in_24_hours,
    k34_shards_that_are_not_equal_become_so,
    is5_a_keys_records_keep_their_order_across_splits_and_merges,
}

async fn k30_a_split_begins_beyond_the_first_hash_keys_and_before_the_last(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let before = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    for start in [0, 1, HALF - 1, HALF, u128::MAX] {
        assert_refused(clicks.split_shard(ShardId(0), start).await, "new_starting_hash_key");
    }
    for start in [0, HALF, HALF + 1, u128::MAX] {
        assert_refused(clicks.split_shard(ShardId(1), start).await, "new_starting_hash_key");
    }
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(), before);
    // The smallest and the largest that can be.
    let [low, high] = clicks.split_shard(ShardId(0), 2).await.unwrap();
    clicks.split_shard(ShardId(1), u128::MAX - 1).await.unwrap();
    let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert_cover(&shards);
    assert_eq!((shards[2].id, shards[2].range.start, shards[2].range.end), (low, 0, 1));
    assert_eq!((shards[3].id, shards[3].range.start, shards[3].range.end), (high, 2, HALF - 1));
    assert_eq!((shards[2].parent, shards[2].adjacent_parent), (Some(ShardId(0)), None));
    // A shard of two hash keys cannot be split.
    for start in [0, 1, 2] {
        assert_refused(clicks.split_shard(low, start).await, "new_starting_hash_key");
    }
}

async fn k31_two_shards_are_merged_in_their_order(world: World) {
    let (_broker, clicks) = stream(&world, 3).await;
    let before = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    for (first, second) in [(1, 0), (0, 2), (0, 0), (2, 0), (2, 2)] {
        assert_refused(clicks.merge_shards(ShardId(first), ShardId(second)).await, "shards");
    }
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(), before);
    let merged = clicks.merge_shards(ShardId(1), ShardId(2)).await.unwrap();
    let shards = clicks.shards(ShardFilter::AtLatest).await.unwrap();
    assert_eq!(ids(&shards), [0, 3]);
    assert_eq!((shards[1].parent, shards[1].adjacent_parent), (Some(ShardId(1)), Some(ShardId(2))));
    for parent in [ShardId(1), ShardId(2)] {
        let (_, last) = read_on(&clicks, parent, StartingPosition::TrimHorizon).await;
        assert_eq!((last.next, last.child_shards), (None, vec![merged]));
    }
}

async fn k32_unknown_and_closed_shards_are_refused(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    let before = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    for shard in [0, 4, u32::MAX] {
        assert_refused(clicks.split_shard(ShardId(shard), 1 << 99).await, "shard");
        assert_refused(clicks.merge_shards(ShardId(shard), ShardId(1)).await, "shard");
        assert_refused(clicks.merge_shards(ShardId(3), ShardId(shard)).await, "shard");
    }
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(), before);
}

fn five_shards() -> Limits {
    Limits { streams: StreamLimits { shards_max: 5, ..StreamLimits::aws() }, ..Limits::aws() }
}

async fn k32_a_stream_has_so_many_open_shards_at_most(world: World) {
    let world = world.limits(five_shards());
    let (broker, clicks) = stream(&world, 3).await;
    assert_refused(broker.stream("other").shards(6).await, "shards");
    let full = |error| matches!(error, Error::TooMany { max: 5, .. });
    assert!(full(clicks.update_shard_count(6).await.unwrap_err()));
    clicks.split_shard(ShardId(0), HALF / 4).await.unwrap();
    clicks.split_shard(ShardId(1), HALF).await.unwrap();
    assert!(full(clicks.split_shard(ShardId(2), HALF + HALF / 2).await.unwrap_err()));
    assert_eq!(clicks.attributes().await.unwrap().open_shards, 5);
    // A merge is always possible, and makes room.
    clicks.merge_shards(ShardId(3), ShardId(4)).await.unwrap();
    clicks.split_shard(ShardId(2), HALF + HALF / 2).await.unwrap();
}

async fn k33_parents_end_and_children_begin_behind_them(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let last = put_numbers(&clicks, 0, 0..9).await[8].number;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let merged = clicks.merge_shards(children[0], children[1]).await.unwrap();
    let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert_eq!(shards[0].ending_number, Some(last));
    for child in &shards[1..3] {
        assert!(child.starting_number > last);
        assert!(shards[3].starting_number > child.ending_number.unwrap());
    }
    assert_eq!((shards[3].id, shards[3].ending_number), (merged, None));
    let first = put(&clicks, "k", "x").await;
    assert!(first.number >= shards[3].starting_number && first.number > last);
}

async fn k33_what_was_put_before_a_split_stays_in_the_parent(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, HALF, 0..4).await;
    let [low, high] = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    put_numbers(&clicks, HALF, 4..8).await;
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..4));
    assert_eq!(whole(&clicks, high).await, numbered(4..8));
    assert!(whole(&clicks, low).await.is_empty());
}

async fn k34_the_number_of_shards_goes_to_double_or_half(world: World) {
    let (_broker, clicks) = stream(&world, 3).await;
    for count in [0, 1, 7, u32::MAX] {
        assert_refused(clicks.update_shard_count(count).await, "shard_count");
    }
    for count in [6, 3, 2, 4, 5, 10] {
        clicks.update_shard_count(count).await.unwrap();
        let open = clicks.shards(ShardFilter::AtLatest).await.unwrap();
        assert_cover(&open);
        assert_eq!(open.len(), count as usize);
        let size = u128::MAX / u128::from(count);
        assert!(
            open.iter().all(|shard| (shard.range.end - shard.range.start).abs_diff(size) <= 16),
            "{open:?}"
        );
    }
}

async fn k34_the_number_of_shards_is_set_ten_times_in_24_hours(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    for n in 0..10 {
        clicks.update_shard_count(2 + n % 2).await.unwrap();
        advance(secs(60)).await;
    }
    let (broker, clicks) = reopened(&world, broker).await;
    let before = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert!(matches!(clicks.update_shard_count(2).await, Err(Error::TooMany { max: 10, .. })));
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(), before);
    // The first of them is a day old, and so there is one more.
    advance(secs(24 * 3_600 - 600)).await;
    clicks.update_shard_count(2).await.unwrap();
    assert!(matches!(clicks.update_shard_count(2).await, Err(Error::TooMany { .. })));
    drop(broker);
}

async fn k34_shards_that_are_not_equal_become_so(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    clicks.split_shard(ShardId(0), 1_000).await.unwrap();
    put_numbers(&clicks, 5, 0..3).await;
    put_numbers(&clicks, HALF, 3..6).await;
    clicks.update_shard_count(3).await.unwrap();
    let mut open = clicks.shards(ShardFilter::AtLatest).await.unwrap();
    assert_cover(&open);
    open.sort_by_key(|shard| shard.range.start);
    let third = u128::MAX / 3;
    assert_eq!(open.iter().map(|shard| shard.range.start).collect::<Vec<_>>(), [0, third, 2 * third]);
    put_numbers(&clicks, HALF, 6..9).await;
    let all: Vec<_> = replay(&clicks).await.iter().map(body).collect();
    assert_eq!(all, numbered(0..9));
}

async fn is5_a_keys_records_keep_their_order_across_splits_and_merges(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    let hashes = [0, HALF / 3, HALF, u128::MAX];
    let round = async |clicks: &broker_core::LocalStream, n: usize| {
        let record = |(at, hash): (usize, &u128)| {
            broker_core::PutRecord::new(format!("k{at}"), n.to_string()).explicit_hash_key(*hash)
        };
        let records = hashes.iter().enumerate().map(record).collect();
        clicks.put_batch(records).await.unwrap().into_iter().for_each(|one| assert!(one.is_ok()));
    };
    round(&clicks, 0).await;
    let [a, b] = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    round(&clicks, 1).await;
    let [_, d] = clicks.split_shard(a, HALF / 3).await.unwrap();
    round(&clicks, 2).await;
    let (broker, clicks) = reopened(&world, broker).await;
    clicks.merge_shards(d, b).await.unwrap();
    round(&clicks, 3).await;
    clicks.update_shard_count(4).await.unwrap();
    round(&clicks, 4).await;
    // From the oldest shards on, each child after all its parents.
    let mut read: Vec<ShardId> = Vec::new();
    let mut left = vec![ShardId(0)];
    let mut seen = vec![Vec::new(); hashes.len()];
    let parents = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    while let Some(shard) = left.pop() {
        let info = parents.iter().find(|info| info.id == shard).unwrap();
        let before = [info.parent, info.adjacent_parent];
        if read.contains(&shard) || before.iter().flatten().any(|parent| !read.contains(parent)) {
            continue;
        }
        let (records, last) = read_on(&clicks, shard, StartingPosition::TrimHorizon).await;
        for record in &records {
            seen[record.partition_key[1..].parse::<usize>().unwrap()].push(body(record));
        }
        left.extend(last.child_shards);
        read.push(shard);
    }
    assert_eq!(read.len(), parents.len(), "the lineage leads to every shard");
    assert_eq!(seen, vec![numbered(0..5); hashes.len()]);
    drop(broker);
}

/// Thousands of shards are no matter of minutes.
#[tokio::test(start_paused = true)]
async fn k34_thousands_of_shards_are_made_at_once() {
    let world = World::in_memory();
    let (broker, clicks) = stream(&world, 2_000).await;
    clicks.update_shard_count(4_000).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    let open = clicks.shards(ShardFilter::AtLatest).await.unwrap();
    assert_eq!(open.len(), 4_000);
    assert_cover(&open);
    let last = clicks.put(at_hash(u128::MAX, "x")).await.unwrap().shard;
    assert_eq!(bodies(&clicks, last, StartingPosition::TrimHorizon).await, ["x"]);
}
