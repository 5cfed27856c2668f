//! Creating, describing, listing and deleting streams.

use std::collections::HashMap;

use aws_sdk_kinesis::{
    Client,
    types::{EncryptionType, StreamMode, StreamModeDetails, StreamStatus},
};
use broker_aws::{Realm, TestAws};

use crate::support::{ACCOUNT, IN_USE, INVALID, MISSING, NOT_VALID, refusal, stream_arn, world};

fn details(mode: StreamMode) -> StreamModeDetails {
    StreamModeDetails::builder().stream_mode(mode).build().unwrap()
}

/// K1: a stream is addressed by name, by ARN, or by both.
#[tokio::test(start_paused = true)]
async fn k1_a_stream_is_addressed_by_name_and_arn() {
    let world = world("clicks", 1).await;
    let describe = || world.kinesis.describe_stream_summary();
    for asked in [
        describe().stream_name("clicks"),
        describe().stream_arn(stream_arn("clicks")),
        describe().stream_name("clicks").stream_arn(stream_arn("clicks")),
    ] {
        let summary = asked.send().await.unwrap().stream_description_summary.unwrap();
        assert_eq!((summary.stream_name.as_str(), summary.stream_arn), ("clicks", stream_arn("clicks")));
    }
    let two = describe().stream_name("clicks").stream_arn(stream_arn("orders")).send().await;
    refusal(two).says(INVALID, "name two streams");
    refusal(describe().send().await).says(INVALID, "StreamName or StreamARN");
    refusal(describe().stream_arn("arn:aws:sqs:us-east-1:000000000000:clicks").send().await)
        .says(INVALID, "ARN");
}

/// K1: what is missing is named, with the account.
#[tokio::test(start_paused = true)]
async fn k1_a_missing_stream_is_named_with_its_account() {
    let world = world("clicks", 1).await;
    let missing = world.kinesis.describe_stream().stream_name("orders").send().await;
    let error = missing.as_ref().unwrap_err().as_service_error().unwrap();
    assert!(error.is_resource_not_found_exception());
    refusal(missing).is(400, MISSING, &format!("Stream orders under account {ACCOUNT} not found."));
    let elsewhere = "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks";
    let missing = world.kinesis.describe_stream().stream_arn(elsewhere).send().await;
    refusal(missing).is(400, MISSING, &format!("Stream clicks under account {ACCOUNT} not found."));
    // Another region has streams of its own.
    let realm = Realm::new(ACCOUNT, "eu-west-1").unwrap();
    let other = Client::new(&world.aws.config_in(&realm));
    assert!(other.list_streams().send().await.unwrap().stream_names.is_empty());
}

/// K1: names that cannot be are refused, all faults at once.
#[tokio::test(start_paused = true)]
async fn k1_names_that_cannot_be_are_refused() {
    let aws = TestAws::start().await.unwrap();
    let kinesis = Client::new(&aws.config());
    let bad = kinesis.create_stream().stream_name("a b").shard_count(0).send().await;
    refusal(bad).is(
        400,
        NOT_VALID,
        "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [a-zA-Z0-9_.-]+; Value '0' at 'shardCount' failed to satisfy constraint: Member must have value \
         greater than or equal to 1",
    );
    let none = kinesis.create_stream().shard_count(1).send().await;
    assert!(none.is_err(), "the client itself refuses it, or the service does");
    let long = kinesis.create_stream().stream_name("x".repeat(129)).shard_count(1).send().await;
    refusal(long).says(NOT_VALID, "Member must have length less than or equal to 128");
}

/// K10: a name is taken once; without a number of shards the stream is on demand and has four.
#[tokio::test(start_paused = true)]
async fn k10_a_stream_is_created_once() {
    let world = world("clicks", 2).await;
    let again = world.kinesis.create_stream().stream_name("clicks").shard_count(2).send().await;
    assert!(again.as_ref().unwrap_err().as_service_error().unwrap().is_resource_in_use_exception());
    refusal(again).is(400, IN_USE, &format!("Stream clicks under account {ACCOUNT} already exists."));

    world.kinesis.create_stream().stream_name("free").send().await.unwrap();
    let free = world.kinesis.describe_stream_summary().stream_name("free").send().await.unwrap();
    let free = free.stream_description_summary.unwrap();
    assert_eq!(free.open_shard_count, 4);
    assert_eq!(free.stream_mode_details.unwrap().stream_mode, StreamMode::OnDemand);

    let create = world.kinesis.create_stream().stream_name("bound");
    let bound = create.stream_mode_details(details(StreamMode::Provisioned)).send().await;
    refusal(bound).says(INVALID, "needs a ShardCount");
}

/// K12: what a new stream says of itself.
#[tokio::test(start_paused = true)]
async fn k12_a_new_stream_describes_itself() {
    let world = world("clicks", 3).await;
    let described = world.kinesis.describe_stream().stream_name("clicks").send().await.unwrap();
    let stream = described.stream_description.unwrap();
    assert_eq!(stream.stream_status, StreamStatus::Active);
    assert_eq!(stream.retention_period_hours, 24);
    assert_eq!(stream.encryption_type, Some(EncryptionType::None));
    assert_eq!(stream.enhanced_monitoring.len(), 1);
    assert!(stream.enhanced_monitoring[0].shard_level_metrics().is_empty());
    assert!(!stream.has_more_shards);
    assert_eq!(stream.shards.len(), 3);
    // K20, K21
    let first = &stream.shards[1];
    assert_eq!(first.shard_id, "shardId-000000000001");
    assert_eq!(
        first.hash_key_range.as_ref().unwrap().starting_hash_key,
        "113427455640312821154458202477256070485"
    );
    assert_eq!(first.sequence_number_range.as_ref().unwrap().starting_sequence_number.len(), 56);
    assert_eq!(first.sequence_number_range.as_ref().unwrap().ending_sequence_number, None);
    let age = world.aws.broker().now().as_millis() / 1_000;
    assert_eq!(stream.stream_creation_timestamp.secs().unsigned_abs(), age);
}

/// K12: shards come in pages of up to 100.
#[tokio::test(start_paused = true)]
async fn k12_shards_are_described_in_pages() {
    let world = world("wide", 130).await;
    let page = |after: Option<String>, limit| {
        let describe = world.kinesis.describe_stream().stream_name("wide");
        describe.set_exclusive_start_shard_id(after).set_limit(limit).send()
    };
    let first = page(None, None).await.unwrap().stream_description.unwrap();
    assert_eq!((first.shards.len(), first.has_more_shards), (100, true));
    let last = first.shards.last().unwrap().shard_id.clone();
    let second = page(Some(last), Some(1_000)).await.unwrap().stream_description.unwrap();
    assert_eq!((second.shards.len(), second.has_more_shards), (30, false));
    assert_eq!(second.shards[0].shard_id, "shardId-000000000100");
    refusal(page(None, Some(0)).await).says(NOT_VALID, "greater than or equal to 1");
}

/// K12: what else a stream is created with shows in its summary.
#[tokio::test(start_paused = true)]
async fn k12_settings_given_at_the_creation_show() {
    let aws = TestAws::start().await.unwrap();
    let kinesis = Client::new(&aws.config());
    let create =
        kinesis.create_stream().stream_name("large").max_record_size_in_kib(2_048).warm_throughput_mibps(7);
    create.tags("team", "web").send().await.unwrap();
    let summary = kinesis.describe_stream_summary().stream_name("large").send().await.unwrap();
    let summary = summary.stream_description_summary.unwrap();
    assert_eq!(summary.max_record_size_in_kib, Some(2_048));
    assert_eq!(summary.warm_throughput.unwrap().target_mibps, Some(7));
    assert_eq!(summary.consumer_count, Some(0));
    let tags = kinesis.list_tags_for_stream().stream_name("large").send().await.unwrap().tags;
    assert_eq!((tags[0].key.as_str(), tags[0].value.as_deref()), ("team", Some("web")));
    let small = kinesis.create_stream().stream_name("small").max_record_size_in_kib(1).send().await;
    refusal(small).says(NOT_VALID, "'maxRecordSizeInKiB'");
}

#[tokio::test(start_paused = true)]
async fn streams_are_listed_in_pages() {
    let world = world("b", 1).await;
    for name in ["d", "a", "c"] {
        world.kinesis.create_stream().stream_name(name).shard_count(1).send().await.unwrap();
    }
    let first = world.kinesis.list_streams().limit(3).send().await.unwrap();
    assert_eq!(
        (first.stream_names, first.has_more_streams),
        (["a", "b", "c"].map(String::from).to_vec(), true)
    );
    assert_eq!(first.stream_summaries.unwrap()[0].stream_arn, stream_arn("a"));
    let token = first.next_token.unwrap();
    let second = world.kinesis.list_streams().next_token(&token).send().await.unwrap();
    assert_eq!((second.stream_names, second.has_more_streams), (vec!["d".to_owned()], false));
    let behind = world.kinesis.list_streams().exclusive_start_stream_name("b").send().await.unwrap();
    assert_eq!(behind.stream_names, ["c", "d"]);
    crate::support::advance(301).await;
    let late = world.kinesis.list_streams().next_token(&token).send().await;
    assert!(late.as_ref().unwrap_err().as_service_error().unwrap().is_expired_next_token_exception());
    refusal(world.kinesis.list_streams().next_token("x").send().await).says(INVALID, "NextToken");
}

/// K11: a stream with registered consumers is deleted with them, or not at all.
#[tokio::test(start_paused = true)]
async fn k11_a_stream_with_consumers_is_deleted_if_they_may_be() {
    let world = world("clicks", 1).await;
    let register = || {
        let register = world.kinesis.register_stream_consumer().stream_arn(stream_arn("clicks"));
        register.consumer_name("billing").send()
    };
    register().await.unwrap();
    let delete = || world.kinesis.delete_stream().stream_name("clicks");
    let refused = delete().send().await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_resource_in_use_exception());
    refusal(refused).says(IN_USE, "registered consumers");
    delete().enforce_consumer_deletion(true).send().await.unwrap();
    refusal(delete().send().await).says(MISSING, "clicks");
    // A stream of the same name has none of them.
    world.kinesis.create_stream().stream_name("clicks").shard_count(1).send().await.unwrap();
    register().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tags_at_the_creation_are_checked() {
    let aws = TestAws::start().await.unwrap();
    let kinesis = Client::new(&aws.config());
    let many: HashMap<_, _> = (0..51).map(|n| (n.to_string(), String::new())).collect();
    let refused = kinesis.create_stream().stream_name("s").shard_count(1).set_tags(Some(many)).send().await;
    refusal(refused).says(INVALID, "50");
    assert!(kinesis.list_streams().send().await.unwrap().stream_names.is_empty());
}
