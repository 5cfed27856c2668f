//! Listing and resharding.

use aws_sdk_kinesis::{
    primitives::DateTime,
    types::{ScalingType, Shard, ShardFilter, ShardFilterType as Filter},
};

use crate::support::{ACCOUNT, INVALID, MISSING, World, advance, refusal, stream_arn, world};

const HALF: u128 = 1 << 127;

async fn split(world: &World, shard: &str, at: u128) {
    let split = world.kinesis.split_shard().stream_name("clicks").shard_to_split(shard);
    split.new_starting_hash_key(at.to_string()).send().await.unwrap();
}

fn ids(shards: &[Shard]) -> Vec<u32> {
    shards.iter().map(|shard| shard.shard_id.strip_prefix("shardId-").unwrap().parse().unwrap()).collect()
}

/// K57: pages, and tokens that are good for five minutes.
#[tokio::test(start_paused = true)]
async fn k57_shards_are_listed_in_pages() {
    let world = world("clicks", 5).await;
    let list = || world.kinesis.list_shards();
    let first = list().stream_name("clicks").max_results(2).send().await.unwrap();
    assert_eq!(ids(first.shards()), [0, 1]);
    let token = first.next_token.unwrap();
    let second = list().next_token(&token).max_results(2).send().await.unwrap();
    assert_eq!(ids(second.shards()), [2, 3]);
    let third = list().next_token(second.next_token.unwrap()).send().await.unwrap();
    assert_eq!((ids(third.shards()), third.next_token), (vec![4], None));
    let behind = list().stream_arn(stream_arn("clicks")).exclusive_start_shard_id("2").send().await.unwrap();
    assert_eq!(ids(behind.shards()), [3, 4]);
    let both = list().stream_name("clicks").next_token(&token).send().await;
    refusal(both).says(INVALID, "NextToken and StreamName cannot be provided together");
    advance(301).await;
    let late = list().next_token(token).send().await;
    assert!(late.unwrap_err().as_service_error().unwrap().is_expired_next_token_exception());
    refusal(list().next_token("x").send().await).says(INVALID, "NextToken");
    refusal(list().stream_name("orders").send().await).says(MISSING, "orders");
    let other = list().stream_name("clicks").stream_creation_timestamp(DateTime::from_secs(1)).send().await;
    refusal(other).says(MISSING, "clicks");
}

/// K57: each filter selects its shards.
#[tokio::test(start_paused = true)]
async fn k57_filters_select_shards() {
    let world = world("clicks", 1).await;
    let begin = i64::try_from(world.aws.broker().now().as_millis()).unwrap();
    advance(10).await;
    split(&world, "shardId-000000000000", HALF).await;
    advance(10).await;
    let list =
        |filter: ShardFilter| world.kinesis.list_shards().stream_name("clicks").shard_filter(filter).send();
    let filter = |kind| ShardFilter::builder().r#type(kind);
    let time = DateTime::from_millis(begin + 15_000);
    let early = DateTime::from_millis(begin + 5_000);
    for (asked, expected) in [
        (filter(Filter::FromTrimHorizon), vec![0, 1, 2]),
        (filter(Filter::AtLatest), vec![1, 2]),
        (filter(Filter::AtTrimHorizon), vec![0]),
        (filter(Filter::AtTimestamp).timestamp(early), vec![0]),
        (filter(Filter::AtTimestamp).timestamp(time), vec![1, 2]),
        (filter(Filter::FromTimestamp).timestamp(early), vec![0, 1, 2]),
        (filter(Filter::FromTimestamp).timestamp(time), vec![1, 2]),
        (filter(Filter::AfterShardId).shard_id("1"), vec![2]),
    ] {
        let asked = asked.build().unwrap();
        assert_eq!(ids(list(asked.clone()).await.unwrap().shards()), expected, "{asked:?}");
    }
    refusal(list(filter(Filter::AtTimestamp).build().unwrap()).await).says(INVALID, "Timestamp");
    refusal(list(filter(Filter::AfterShardId).build().unwrap()).await).says(INVALID, "ShardId");
}

/// K30, K33: a split makes two children of an open shard.
#[tokio::test(start_paused = true)]
async fn k30_k33_a_shard_is_split() {
    let world = world("clicks", 1).await;
    world.put("clicks", "k", "x").await;
    split(&world, "0", HALF).await;
    let shards = world.kinesis.list_shards().stream_name("clicks").send().await.unwrap().shards.unwrap();
    assert_eq!(ids(&shards), [0, 1, 2]);
    let numbers = |at: usize| shards[at].sequence_number_range.clone().unwrap();
    let end = numbers(0).ending_sequence_number.unwrap();
    assert!(numbers(1).starting_sequence_number > end);
    assert_eq!(shards[2].parent_shard_id.as_deref(), Some("shardId-000000000000"));
    let range = |at: usize| shards[at].hash_key_range.clone().unwrap();
    assert_eq!(range(1).ending_hash_key, (HALF - 1).to_string());
    assert_eq!(range(2).starting_hash_key, HALF.to_string());
    let split = |shard: &str, at: &str| {
        world
            .kinesis
            .split_shard()
            .stream_name("clicks")
            .shard_to_split(shard)
            .new_starting_hash_key(at)
            .send()
    };
    for at in ["0", "1", &(HALF - 1).to_string(), &"9".repeat(39), "x"] {
        refusal(split("shardId-000000000001", at).await).is(
            400,
            INVALID,
            &format!(
                "NewStartingHashKey {at} used in SplitShard() on shard shardId-000000000001 in stream clicks under account \
                 {ACCOUNT} is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's \
                 EndingHashKey {}.",
                HALF - 1
            ),
        );
    }
}

/// K32: unknown and closed shards.
#[tokio::test(start_paused = true)]
async fn k32_unknown_and_closed_shards_are_refused() {
    let world = world("clicks", 1).await;
    let asked = |shard: &str| {
        world
            .kinesis
            .split_shard()
            .stream_name("clicks")
            .shard_to_split(shard)
            .new_starting_hash_key("1000")
            .send()
    };
    let unknown = asked("shardId-000000000009").await;
    assert!(unknown.as_ref().unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    refusal(unknown).is(
        400,
        MISSING,
        &format!("Could not find shard shardId-000000000009 in stream clicks under account {ACCOUNT}."),
    );
    refusal(asked("first").await).says(MISSING, "Could not find shard first");
    split(&world, "0", HALF).await;
    refusal(asked("0").await).says(INVALID, "already been merged or split");
}

/// K31: two shards are merged in their order.
#[tokio::test(start_paused = true)]
async fn k31_two_shards_are_merged() {
    let world = world("clicks", 3).await;
    let merge = |first: &str, second: &str| {
        world
            .kinesis
            .merge_shards()
            .stream_name("clicks")
            .shard_to_merge(first)
            .adjacent_shard_to_merge(second)
            .send()
    };
    for (first, second) in [("1", "0"), ("0", "2"), ("0", "0")] {
        let refused = merge(first, second).await;
        assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
        refusal(refused).is(
            400,
            INVALID,
            &format!(
                "Shards shardId-00000000000{first} and shardId-00000000000{second} in stream clicks under account {ACCOUNT} are \
                 not an adjacent pair of shards eligible for merging"
            ),
        );
    }
    merge("0", "1").await.unwrap();
    let shards = world.kinesis.list_shards().stream_name("clicks").send().await.unwrap().shards.unwrap();
    let merged = shards.last().unwrap();
    assert_eq!(merged.shard_id, "shardId-000000000003");
    assert_eq!(merged.parent_shard_id.as_deref(), Some("shardId-000000000000"));
    assert_eq!(merged.adjacent_parent_shard_id.as_deref(), Some("shardId-000000000001"));
}

/// K34: another number of shards.
#[tokio::test(start_paused = true)]
async fn k34_the_number_of_shards_is_updated() {
    let world = world("clicks", 2).await;
    let update = |count| {
        let update = world.kinesis.update_shard_count().stream_name("clicks").target_shard_count(count);
        update.scaling_type(ScalingType::UniformScaling).send()
    };
    let updated = update(4).await.unwrap();
    assert_eq!((updated.current_shard_count, updated.target_shard_count), (Some(2), Some(4)));
    assert_eq!(
        (updated.stream_name.as_deref(), updated.stream_arn),
        (Some("clicks"), Some(stream_arn("clicks")))
    );
    let open = async || {
        let summary = world.kinesis.describe_stream_summary().stream_name("clicks").send().await.unwrap();
        summary.stream_description_summary.unwrap().open_shard_count
    };
    assert_eq!(open().await, 4);
    let far = update(9).await;
    assert!(far.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
    refusal(update(1).await).says(INVALID, "");
    for count in [8, 4, 8, 4, 8, 4, 8, 4, 8] {
        update(count).await.unwrap();
    }
    let eleventh = update(4).await;
    assert!(eleventh.unwrap_err().as_service_error().unwrap().is_limit_exceeded_exception());
}
