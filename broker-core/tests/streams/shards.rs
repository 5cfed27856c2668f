//! Shards: how they divide the space, what goes where, what is listed. K20, K21, K22, K23, K24, K57.

use broker_core::{
    HashKeyRange, PutRecord, ShardFilter, ShardId, ShardInfo, StartingPosition, StreamSettings, Timestamp,
};

use crate::{
    ground::{DAY, HALF, assert_refused, at_hash, put, put_numbers, reopened, stream, whole},
    support::{World, advance, later, ms, secs, settle_down},
};

everywhere! {
    k20_the_shards_of_a_new_stream_divide_the_space,
    k21_shards_are_numbered_and_no_number_comes_again,
    k22_a_record_goes_to_the_open_shard_of_its_hash,
    k22_an_explicit_hash_key_goes_before_the_partition_keys_own,
    k22_a_partition_key_has_1_to_256_characters,
    k23_open_shards_cover_the_space_whatever_is_split_and_merged,
    k24_a_shard_is_open_then_closed_then_gone,
    k57_each_filter_selects_its_shards,
    k57_a_filter_at_a_time_has_parent_and_children_at_the_moment_of_a_split,
}

pub(crate) fn ids(shards: &[ShardInfo]) -> Vec<u32> {
    shards.iter().map(|shard| shard.id.0).collect()
}

/// Whether the open shards cover the space exactly.
pub(crate) fn assert_cover(shards: &[ShardInfo]) {
    let open = shards.iter().filter(|shard| shard.ending_number.is_none());
    let mut open: Vec<HashKeyRange> = open.map(|shard| shard.range).collect();
    open.sort_by_key(|range| range.start);
    assert_eq!((open[0].start, open.last().unwrap().end), (0, u128::MAX));
    assert!(open.windows(2).all(|pair| pair[0].end + 1 == pair[1].start), "{open:?}");
}

async fn k20_the_shards_of_a_new_stream_divide_the_space(world: World) {
    let (_broker, clicks) = stream(&world, 3).await;
    let shards = clicks.shards(ShardFilter::AtLatest).await.unwrap();
    let starts: Vec<u128> = shards.iter().map(|shard| shard.range.start).collect();
    let third = 113_427_455_640_312_821_154_458_202_477_256_070_485;
    assert_eq!(starts, [0, third, 226_854_911_280_625_642_308_916_404_954_512_140_970]);
    assert_cover(&shards);
    for (hash, shard) in [(0, 0), (third - 1, 0), (third, 1), (u128::MAX, 2)] {
        assert_eq!(clicks.put(at_hash(hash, "x")).await.unwrap().shard, ShardId(shard));
    }
}

async fn k21_shards_are_numbered_and_no_number_comes_again(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    assert_eq!(clicks.split_shard(ShardId(1), HALF + 9).await.unwrap(), [ShardId(2), ShardId(3)]);
    assert_eq!(clicks.merge_shards(ShardId(2), ShardId(3)).await.unwrap(), ShardId(4));
    // All of these expire, but for the open ones.
    advance(DAY + secs(1)).await;
    put(&clicks, "k", "x").await;
    settle_down().await;
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(ids(&clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap()), [0, 4]);
    assert_eq!(clicks.split_shard(ShardId(4), HALF + 9).await.unwrap(), [ShardId(5), ShardId(6)]);
}

async fn k22_a_record_goes_to_the_open_shard_of_its_hash(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    // MD5("a") begins with 0c, MD5("b") with 92.
    for _ in 0..3 {
        assert_eq!(put(&clicks, "a", "x").await.shard, ShardId(0));
        assert_eq!(put(&clicks, "b", "x").await.shard, ShardId(1));
    }
    let [low, high] = clicks.split_shard(ShardId(1), 0x93 << 120).await.unwrap();
    assert_eq!(put(&clicks, "b", "x").await.shard, low);
    assert_eq!(clicks.put(at_hash(0x93 << 120, "x")).await.unwrap().shard, high);
    assert_eq!(put(&clicks, "a", "x").await.shard, ShardId(0));
}

async fn k22_an_explicit_hash_key_goes_before_the_partition_keys_own(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let record = PutRecord::new("a", "x").explicit_hash_key(u128::MAX);
    assert_eq!(clicks.put(record).await.unwrap().shard, ShardId(1));
    let found = crate::ground::read_from(&clicks, ShardId(1), StartingPosition::TrimHorizon).await;
    assert_eq!(found.records[0].partition_key, "a", "the partition key is kept");
    // It is needed all the same.
    assert_refused(clicks.put(PutRecord::new("", "x").explicit_hash_key(0)).await, "partition_key");
}

async fn k22_a_partition_key_has_1_to_256_characters(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    // Characters, not bytes.
    for key in ["k", &"ü".repeat(256), &"🛩".repeat(256), "\0", " "] {
        put(&clicks, key, "x").await;
    }
    for key in ["", &"k".repeat(257), &"🛩".repeat(257), &"x".repeat(3_000_000)] {
        assert_refused(clicks.put(PutRecord::new(key, "x")).await, "partition_key");
    }
    assert_eq!(whole(&clicks, ShardId(0)).await.len(), 5);
}

async fn k23_open_shards_cover_the_space_whatever_is_split_and_merged(world: World) {
    let (broker, clicks) = stream(&world, 3).await;
    let all =
        async |clicks: &broker_core::LocalStream| clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    clicks.split_shard(ShardId(0), 2).await.unwrap();
    assert_cover(&all(&clicks).await);
    clicks.merge_shards(ShardId(1), ShardId(2)).await.unwrap();
    assert_cover(&all(&clicks).await);
    clicks.merge_shards(ShardId(4), ShardId(5)).await.unwrap();
    assert_cover(&all(&clicks).await);
    clicks.update_shard_count(3).await.unwrap();
    let before = all(&clicks).await;
    assert_cover(&before);
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(all(&clicks).await, before);
}

async fn k24_a_shard_is_open_then_closed_then_gone(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..3).await;
    advance(secs(100)).await;
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert_eq!(shards[0].closed_at, Some(world.now()));
    assert!(shards[1].closed_at.is_none() && shards[2].ending_number.is_none());
    assert_eq!(whole(&clicks, ShardId(0)).await, ["0", "1", "2"], "closed, and readable");
    // Its records expire, and then it.
    advance(DAY).await;
    assert_eq!(ids(&clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap()), [0, 1, 2]);
    assert!(whole(&clicks, ShardId(0)).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(ids(&clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap()), [1, 2]);
    // In the background, a minute later at the latest.
    tokio::time::sleep(secs(61)).await;
    assert_refused(clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await, "shard");
    let (_broker, clicks) = reopened(&world, broker).await;
    let left = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    assert_eq!((ids(&left), left[0].parent), (vec![1, 2], Some(ShardId(0))));
}

async fn k57_each_filter_selects_its_shards(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let made = world.now();
    advance(secs(1_000)).await;
    clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    advance(secs(1_000)).await;
    clicks.merge_shards(ShardId(3), ShardId(1)).await.unwrap();
    let listed = async |filter| ids(&clicks.shards(filter).await.unwrap());
    assert_eq!(listed(ShardFilter::default()).await, [0, 1, 2, 3, 4]);
    assert_eq!(listed(ShardFilter::FromTrimHorizon).await, [0, 1, 2, 3, 4]);
    assert_eq!(listed(ShardFilter::AtTrimHorizon).await, [0, 1]);
    assert_eq!(listed(ShardFilter::AtLatest).await, [2, 4]);
    assert_eq!(listed(ShardFilter::AtTimestamp(later(made, 500))).await, [0, 1]);
    assert_eq!(listed(ShardFilter::AtTimestamp(later(made, 1_500))).await, [1, 2, 3]);
    assert_eq!(listed(ShardFilter::FromTimestamp(later(made, 500))).await, [0, 1, 2, 3, 4]);
    assert_eq!(listed(ShardFilter::FromTimestamp(later(made, 1_500))).await, [1, 2, 3, 4]);
    assert_eq!(listed(ShardFilter::FromTimestamp(later(made, 3_000))).await, [2, 4]);
    assert_eq!(listed(ShardFilter::AfterShardId(ShardId(2))).await, [3, 4]);
    assert!(listed(ShardFilter::AfterShardId(ShardId(u32::MAX))).await.is_empty());
    assert!(listed(ShardFilter::AtTimestamp(Timestamp::from_millis(0))).await.is_empty());
    assert_eq!(listed(ShardFilter::AtTimestamp(Timestamp::from_millis(u64::MAX))).await, [2, 4]);
    // The oldest record that there can be is a day old: the first shard is not there any more.
    advance(DAY.saturating_sub(secs(500))).await;
    assert_eq!(listed(ShardFilter::AtTrimHorizon).await, [1, 2, 3]);
    assert_eq!(listed(ShardFilter::FromTrimHorizon).await, [1, 2, 3, 4]);
    // A longer retention does not bring it back.
    let longer = StreamSettings { retention: Some(3 * DAY), ..Default::default() };
    clicks.set_attributes(longer).await.unwrap();
    assert_eq!(listed(ShardFilter::FromTrimHorizon).await, [1, 2, 3, 4]);
}

async fn k57_a_filter_at_a_time_has_parent_and_children_at_the_moment_of_a_split(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    advance(secs(10)).await;
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let at = world.now().as_millis();
    let listed = async |time| {
        ids(&clicks.shards(ShardFilter::AtTimestamp(Timestamp::from_millis(time))).await.unwrap())
    };
    assert_eq!(listed(at - 1).await, [0]);
    assert_eq!(listed(at).await, [0, 1, 2]);
    assert_eq!(listed(at + 1).await, [1, 2]);
}
