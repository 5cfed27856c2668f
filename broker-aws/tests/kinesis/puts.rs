//! Putting records.

use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_types::Blob;
use broker_aws::{Realm, Service, SingleRealm};

use crate::support::{ACCOUNT, INVALID, NOT_VALID, World, ask_json, refusal, stream_arn, world};

fn entry(key: &str, data: &[u8]) -> PutRecordsRequestEntry {
    PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data)).build().unwrap()
}

/// K40, K44: a put says where its record is; numbers have 56 digits, begin with 49 and increase.
#[tokio::test(start_paused = true)]
async fn k40_k44_a_put_says_where_its_record_is() {
    let world = world("clicks", 1).await;
    let (shard, first) = world.put("clicks", "k", "one").await;
    let (_, second) = world.put("clicks", "k", "").await;
    assert_eq!(shard, "shardId-000000000000");
    assert_eq!((first.len(), &first[..2]), (56, "49"));
    assert!(second > first);
    assert_eq!(world.all("clicks", "0").await, ["one", ""]);
    // What the program puts has numbers of the same kind.
    let stream = world.aws.broker().open_stream("clicks").await.unwrap();
    let third = stream.put(broker_core::PutRecord::new("k", "three")).await.unwrap();
    assert!(third.number.to_string() > second);
}

/// K22: an explicit hash key decides on the shard, and a bad one is refused.
#[tokio::test(start_paused = true)]
async fn k22_an_explicit_hash_key_decides_on_the_shard() {
    let world = world("clicks", 2).await;
    let put = |hash: &str| {
        let put = world.kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::new("x"));
        put.explicit_hash_key(hash).send()
    };
    assert_eq!(put("0").await.unwrap().shard_id, "shardId-000000000000");
    assert_eq!(put(&u128::MAX.to_string()).await.unwrap().shard_id, "shardId-000000000001");
    for bad in ["340282366920938463463374607431768211456", "01", "-1", "x"] {
        let refused = put(bad).await;
        assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
        refusal(refused).is(
            400,
            INVALID,
            &format!("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {bad}"),
        );
    }
}

/// K22: partition keys have 1 to 256 characters.
#[tokio::test(start_paused = true)]
async fn k22_a_partition_key_has_1_to_256_characters() {
    let world = world("clicks", 1).await;
    let put = |key: String| {
        world.kinesis.put_record().stream_name("clicks").partition_key(key).data(Blob::new("x")).send()
    };
    put("ü".repeat(256)).await.unwrap();
    refusal(put(String::new()).await).says(NOT_VALID, "greater than or equal to 1");
    refusal(put("ü".repeat(257)).await).says(NOT_VALID, "less than or equal to 256");
    let without = serde_json::json!({ "StreamName": "clicks", "Data": "" });
    let (status, refused) = ask_json(world.aws.service(), "PutRecord", without).await;
    let null = "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null";
    assert_eq!((status, refused["message"].as_str()), (400, Some(null)));
}

/// K41: the answer has an entry for each record, in order.
#[tokio::test(start_paused = true)]
async fn k41_a_batch_answers_for_each_record() {
    let world = world("clicks", 2).await;
    let put = world.kinesis.put_records().stream_arn(stream_arn("clicks"));
    let put =
        put.set_records(Some((0..20).map(|n| entry(&format!("k{n}"), b"x")).collect())).send().await.unwrap();
    assert_eq!((put.failed_record_count, put.records.len()), (Some(0), 20));
    for record in &put.records {
        assert!(record.error_code.is_none() && record.sequence_number.is_some());
        assert!(record.shard_id.as_deref().unwrap().starts_with("shardId-"));
    }
}

/// A service whose provisioned streams have the limits of Kinesis, with a client.
async fn throttled() -> (World, Service) {
    let world = world("other", 1).await;
    let home = SingleRealm::new(Realm::default(), world.aws.broker().clone());
    let service = Service::builder(home).throttle_streams().build();
    let create = serde_json::json!({ "StreamName": "clicks", "ShardCount": 1 });
    assert_eq!(ask_json(&service, "CreateStream", create).await.0, 200);
    (world, service)
}

/// K41, K42: records that a shard does not take fail alone, with code and text; the call succeeds.
#[tokio::test(start_paused = true)]
async fn k41_k42_a_throttled_record_fails_alone() {
    let (world, _service) = throttled().await;
    let records = (0..500).map(|_| entry("k", b"x")).collect::<Vec<_>>();
    let put = || world.kinesis.put_records().stream_name("clicks").set_records(Some(records.clone())).send();
    let counts =
        [put().await.unwrap(), put().await.unwrap(), put().await.unwrap()].map(|put| put.failed_record_count);
    assert_eq!(counts, [Some(0), Some(0), Some(500)]);
    let failed = &put().await.unwrap().records[0];
    assert_eq!(failed.error_code.as_deref(), Some("ProvisionedThroughputExceededException"));
    let text =
        format!("Rate exceeded for shard shardId-000000000000 in stream clicks under account {ACCOUNT}.");
    assert_eq!(failed.error_message.as_deref(), Some(text.as_str()));
    // A single put fails as a whole.
    let put = serde_json::json!({ "StreamName": "clicks", "PartitionKey": "k", "Data": "" });
    let (status, refused) = ask_json(world.aws.service(), "PutRecord", put).await;
    assert_eq!((status, refused["message"].as_str()), (400, Some(text.as_str())));
    assert_eq!(refused["__type"], "ProvisionedThroughputExceededException");
}

/// K42: streams are not throttled unless the service says so.
#[tokio::test(start_paused = true)]
async fn k42_a_stream_is_not_throttled_by_default() {
    let world = world("clicks", 1).await;
    let records: Vec<_> = (0..500).map(|_| entry("k", b"x")).collect();
    for _ in 0..3 {
        let put = world.kinesis.put_records().stream_name("clicks").set_records(Some(records.clone()));
        assert_eq!(put.send().await.unwrap().failed_record_count, Some(0));
    }
}

/// K43: what is wrong with one record, or with the whole, fails the whole.
#[tokio::test(start_paused = true)]
async fn k43_a_bad_record_fails_its_batch() {
    let world = world("clicks", 1).await;
    let put = |records| world.kinesis.put_records().stream_name("clicks").set_records(Some(records)).send();
    let many = (0..501).map(|_| entry("k", b"x")).collect();
    refusal(put(many).await)
        .says(NOT_VALID, "at 'records' failed to satisfy constraint: Member must have length less than");
    refusal(put(vec![]).await).says(NOT_VALID, "greater than or equal to 1");
    let bad_hash =
        PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new("x")).explicit_hash_key("x");
    let refused = put(vec![entry("k", b"x"), bad_hash.build().unwrap()]).await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
    refusal(refused).says(INVALID, "ExplicitHashKey");
    refusal(put(vec![entry("k", b"x"), entry("", b"x")]).await)
        .says(NOT_VALID, "'records.2.member.partitionKey'");
    let large = vec![0; 1_048_576];
    refusal(put(vec![entry("k", b"x"), entry("k", &large)]).await).says(INVALID, "takes at most 1048576");
    let eleven = (0..11).map(|_| entry("k", &large[1..])).collect();
    refusal(put(eleven).await).says(INVALID, "10485760");
    let missing = world.kinesis.put_records().stream_name("orders").records(entry("k", b"x")).send().await;
    assert!(missing.unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    assert!(world.all("clicks", "0").await.is_empty(), "nothing was put");
}

/// D4: a record is as large as its stream takes, partition key included.
#[tokio::test(start_paused = true)]
async fn k40_a_record_is_as_large_as_the_stream_takes() {
    let world = world("clicks", 1).await;
    let put = |bytes: usize| {
        world
            .kinesis
            .put_record()
            .stream_name("clicks")
            .partition_key("k")
            .data(Blob::new(vec![0; bytes]))
            .send()
    };
    put(1_048_575).await.unwrap();
    refusal(put(1_048_576).await).says(INVALID, "1048577 bytes");
}

/// K45: the number of an earlier record, or an error with a text of its own.
#[tokio::test(start_paused = true)]
async fn k45_a_record_comes_after_the_one_that_it_names() {
    let world = world("clicks", 1).await;
    let (_, first) = world.put("clicks", "k", "one").await;
    let put = |after: &str| {
        let put = world.kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::new("x"));
        put.sequence_number_for_ordering(after).send()
    };
    assert!(put(&first).await.unwrap().sequence_number > first);
    let future = format!("49{:054}", 9_999);
    for bad in [future.as_str(), "7", "x"] {
        refusal(put(bad).await).is(
            400,
            INVALID,
            &format!("ExclusiveMinimumSequenceNumber {bad} used in PutRecord on stream clicks under account {ACCOUNT} is invalid."),
        );
    }
}

/// A call with `DryRun` does nothing, and says that it would have.
#[tokio::test(start_paused = true)]
async fn a_dry_run_does_nothing() {
    let world = world("clicks", 1).await;
    let service = world.aws.service();
    let put = serde_json::json!({ "StreamName": "clicks", "PartitionKey": "k", "Data": "", "DryRun": true });
    let (status, told) = ask_json(service, "PutRecord", put).await;
    assert_eq!((status, told["__type"].as_str()), (400, Some("DryRunOperationException")));
    assert!(world.all("clicks", "0").await.is_empty());
}
