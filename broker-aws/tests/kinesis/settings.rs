//! What can be changed on a stream.

use aws_sdk_kinesis::{
    Client,
    types::{EncryptionType, MetricsName, StreamMode, StreamModeDetails},
};

use aws_smithy_types::Blob;

use crate::support::{INVALID, MISSING, NOT_VALID, ask_json, refusal, stream_arn, world};

async fn hours(kinesis: &Client, stream: &str) -> i32 {
    let described = kinesis.describe_stream().stream_name(stream).send().await.unwrap();
    described.stream_description.unwrap().retention_period_hours
}

/// K56: up with one call, down with another, each refused in the other direction.
#[tokio::test(start_paused = true)]
async fn k56_retention_goes_up_and_down() {
    let world = world("clicks", 1).await;
    let increase = |hours| {
        world
            .kinesis
            .increase_stream_retention_period()
            .stream_name("clicks")
            .retention_period_hours(hours)
            .send()
    };
    let decrease = |hours| {
        world
            .kinesis
            .decrease_stream_retention_period()
            .stream_name("clicks")
            .retention_period_hours(hours)
            .send()
    };
    increase(48).await.unwrap();
    assert_eq!(hours(&world.kinesis, "clicks").await, 48);
    refusal(increase(47).await).is(
        400,
        INVALID,
        "Requested retention period (47 hours) for stream clicks can not be shorter than existing retention period (48 hours). \
         Use DecreaseRetentionPeriod API.",
    );
    refusal(decrease(49).await).is(
        400,
        INVALID,
        "Requested retention period (49 hours) for stream clicks can not be longer than existing retention period (48 hours). \
         Use IncreaseRetentionPeriod API.",
    );
    let short = decrease(23).await;
    assert!(short.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
    refusal(short).is(
        400,
        INVALID,
        "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) for stream clicks is too short.",
    );
    refusal(increase(8_761).await).says(INVALID, "Maximum allowed retention period is 8760 hours.");
    increase(48).await.unwrap();
    decrease(24).await.unwrap();
    assert_eq!(hours(&world.kinesis, "clicks").await, 24);
}

/// K60: the mode can be changed. K61: a stream on demand decides on its shards itself.
#[tokio::test(start_paused = true)]
async fn k60_k61_the_mode_can_be_changed_and_says_who_decides_on_shards() {
    let world = world("clicks", 2).await;
    let set = |mode| {
        let details = StreamModeDetails::builder().stream_mode(mode).build().unwrap();
        world
            .kinesis
            .update_stream_mode()
            .stream_arn(stream_arn("clicks"))
            .stream_mode_details(details)
            .send()
    };
    set(StreamMode::OnDemand).await.unwrap();
    let split = world.kinesis.split_shard().stream_name("clicks").shard_to_split("shardId-000000000000");
    let split = split.new_starting_hash_key("1000").send().await;
    assert!(split.as_ref().unwrap_err().as_service_error().unwrap().is_validation_exception());
    refusal(split).says(NOT_VALID, "ON_DEMAND");
    let merge =
        world.kinesis.merge_shards().stream_name("clicks").shard_to_merge("0").adjacent_shard_to_merge("1");
    refusal(merge.send().await).says(NOT_VALID, "ON_DEMAND");
    let update = world.kinesis.update_shard_count().stream_name("clicks").target_shard_count(4);
    let update = update.scaling_type(aws_sdk_kinesis::types::ScalingType::UniformScaling).send().await;
    refusal(update).says(NOT_VALID, "ON_DEMAND");
    set(StreamMode::Provisioned).await.unwrap();
    let missing = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build().unwrap();
    let missing = world.kinesis.update_stream_mode().stream_arn(stream_arn("x")).stream_mode_details(missing);
    refusal(missing.send().await).says(MISSING, "x");
}

#[tokio::test(start_paused = true)]
async fn the_record_size_can_be_changed() {
    let world = world("clicks", 1).await;
    let set = |kib| {
        world.kinesis.update_max_record_size().stream_arn(stream_arn("clicks")).max_record_size_in_kib(kib)
    };
    set(10_240).send().await.unwrap();
    let summary = world.kinesis.describe_stream_summary().stream_name("clicks").send().await.unwrap();
    assert_eq!(summary.stream_description_summary.unwrap().max_record_size_in_kib, Some(10_240));
    let large = set(10_241).send().await;
    assert!(large.as_ref().unwrap_err().as_service_error().unwrap().is_validation_exception());
    refusal(large).says(NOT_VALID, "less than or equal to 10240");
}

#[tokio::test(start_paused = true)]
async fn warm_throughput_is_kept_for_streams_on_demand() {
    let world = world("bound", 1).await;
    world.kinesis.create_stream().stream_name("free").send().await.unwrap();
    let set = |name: &str, warm| {
        world.kinesis.update_stream_warm_throughput().stream_name(name).warm_throughput_mibps(warm).send()
    };
    let updated = set("free", 12).await.unwrap();
    assert_eq!(updated.warm_throughput.unwrap().current_mibps, Some(12));
    assert_eq!(
        (updated.stream_name.as_deref(), updated.stream_arn),
        (Some("free"), Some(stream_arn("free")))
    );
    refusal(set("bound", 12).await).says(NOT_VALID, "ON_DEMAND");
}

/// K25: the strategy can be given at the creation and changed, on demand only. The SDK does not know it yet.
#[tokio::test(start_paused = true)]
async fn k25_the_distribution_can_be_changed() {
    let world = world("bound", 1).await;
    let service = world.aws.service();
    let create = serde_json::json!({ "StreamName": "free", "RecordDistributionStrategy": "AUTO" });
    assert_eq!(ask_json(service, "CreateStream", create).await.0, 200);
    let strategy = async || {
        let asked = serde_json::json!({ "StreamName": "free" });
        let (_, told) = ask_json(service, "DescribeStreamSummary", asked).await;
        told["StreamDescriptionSummary"]["RecordDistributionStrategy"].as_str().unwrap().to_owned()
    };
    assert_eq!(strategy().await, "AUTO");
    // A partition key is not needed then.
    let put = serde_json::json!({ "StreamName": "free", "Data": "aGk=" });
    assert_eq!(ask_json(service, "PutRecord", put).await.0, 200);
    let update = |stream: &str, to: &str| {
        let input = serde_json::json!({ "StreamARN": stream_arn(stream), "RecordDistributionStrategy": to });
        ask_json(service, "UpdateStreamRecordDistributionStrategy", input)
    };
    assert_eq!(update("free", "USER_PARTITION_KEY").await.0, 200);
    assert_eq!(strategy().await, "USER_PARTITION_KEY");
    let (status, refused) = update("bound", "AUTO").await;
    assert_eq!((status, refused["__type"].as_str()), (400, Some(NOT_VALID)));
    let (status, refused) = update("free", "RANDOM").await;
    assert_eq!((status, refused["__type"].as_str()), (400, Some(NOT_VALID)));
}

#[tokio::test(start_paused = true)]
async fn enhanced_monitoring_goes_on_and_off() {
    let world = world("clicks", 1).await;
    let enable = |metric| {
        world.kinesis.enable_enhanced_monitoring().stream_name("clicks").shard_level_metrics(metric).send()
    };
    let first = enable(MetricsName::IncomingBytes).await.unwrap();
    assert_eq!(first.current_shard_level_metrics(), []);
    assert_eq!(first.desired_shard_level_metrics(), [MetricsName::IncomingBytes]);
    let all = enable(MetricsName::All).await.unwrap();
    assert_eq!(all.desired_shard_level_metrics().len(), 7);
    let disable = world.kinesis.disable_enhanced_monitoring().stream_name("clicks");
    let off = disable.shard_level_metrics(MetricsName::OutgoingBytes).send().await.unwrap();
    assert_eq!((off.current_shard_level_metrics().len(), off.desired_shard_level_metrics().len()), (7, 6));
    let described = world.kinesis.describe_stream().stream_name("clicks").send().await.unwrap();
    let metrics = described.stream_description.unwrap().enhanced_monitoring;
    assert_eq!(metrics[0].shard_level_metrics(), off.desired_shard_level_metrics());
    refusal(enable("Nonsense".into()).await).says(NOT_VALID, "enum value set");
}

#[tokio::test(start_paused = true)]
async fn encryption_is_kept_and_shown() {
    let world = world("clicks", 1).await;
    let start =
        world.kinesis.start_stream_encryption().stream_name("clicks").encryption_type(EncryptionType::Kms);
    start.key_id("alias/aws/kinesis").send().await.unwrap();
    let described = world.kinesis.describe_stream().stream_name("clicks").send().await.unwrap();
    let stream = described.stream_description.unwrap();
    assert_eq!(stream.encryption_type, Some(EncryptionType::Kms));
    assert_eq!(stream.key_id.as_deref(), Some("alias/aws/kinesis"));
    let put = world.kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::default());
    assert_eq!(put.send().await.unwrap().encryption_type, Some(EncryptionType::Kms));
    let from = world.oldest("clicks", "0").await;
    assert_eq!(world.read(&from).await.records[0].encryption_type, Some(EncryptionType::Kms));
    let stop =
        world.kinesis.stop_stream_encryption().stream_name("clicks").encryption_type(EncryptionType::Kms);
    stop.key_id("alias/aws/kinesis").send().await.unwrap();
    assert_eq!(world.read(&from).await.records[0].encryption_type, None);
    let none =
        world.kinesis.start_stream_encryption().stream_name("clicks").encryption_type(EncryptionType::None);
    refusal(none.key_id("k").send().await).says(INVALID, "KMS");
}
