//! Every operation succeeds.

use aws_sdk_kinesis::{
    Client,
    types::{
        EncryptionType, MetricsName, MinimumThroughputBillingCommitmentInput as Commitment,
        MinimumThroughputBillingCommitmentInputStatus as CommitmentStatus, PutRecordsRequestEntry,
        ScalingType, ShardIteratorType, StartingPosition, StreamMode, StreamModeDetails,
    },
};
use aws_smithy_types::Blob;
use broker_aws::TestAws;

use crate::{
    operations::Called,
    support::{stream_arn, text},
};

#[tokio::test(start_paused = true)]
async fn every_operation_succeeds() {
    let aws = TestAws::start().await.unwrap();
    let kinesis = Client::new(&aws.config());
    let mut called = Called::default();
    called.ok(kinesis.create_stream().stream_name("clicks").shard_count(2).send().await);
    assert_eq!(called.ok(kinesis.list_streams().send().await).stream_names(), ["clicks"]);
    records_succeed(&kinesis, &mut called).await;
    consumers_succeed(&kinesis, &mut called).await;
    resources_succeed(&kinesis, &mut called).await;
    settings_succeed(&kinesis, &mut called).await;
    shards_succeed(&kinesis, &mut called).await;
    modes_succeed(&kinesis, &mut called).await;
    called.ok(kinesis.delete_stream().stream_name("clicks").send().await);
    super::assert_all(&called);
}

async fn records_succeed(kinesis: &Client, called: &mut Called) {
    let put = kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::new("a")).send().await;
    let put = called.ok(put);
    let entry = PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new("b")).build().unwrap();
    let both = called.ok(kinesis.put_records().stream_name("clicks").records(entry).send().await);
    assert_eq!(both.failed_record_count, Some(0));
    let iterator = kinesis.get_shard_iterator().stream_name("clicks").shard_id(put.shard_id);
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await;
    let iterator = called.ok(iterator).shard_iterator.unwrap();
    let read = called.ok(kinesis.get_records().shard_iterator(iterator).send().await);
    assert_eq!(crate::support::data(&read), ["a", "b"]);
}

async fn consumers_succeed(kinesis: &Client, called: &mut Called) {
    let stream = stream_arn("clicks");
    let register = kinesis.register_stream_consumer().stream_arn(&stream).consumer_name("billing");
    let consumer = called.ok(register.send().await).consumer.unwrap().consumer_arn;
    called.ok(kinesis.describe_stream_consumer().consumer_arn(&consumer).send().await);
    let listed = called.ok(kinesis.list_stream_consumers().stream_arn(&stream).send().await);
    assert_eq!(listed.consumers()[0].consumer_arn, consumer);
    let oldest = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap();
    let mut seen = Vec::new();
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let subscribe = kinesis.subscribe_to_shard().consumer_arn(&consumer).shard_id(shard);
        let mut events = called.ok(subscribe.starting_position(oldest.clone()).send().await).event_stream;
        let event = events.recv().await.unwrap().unwrap();
        let records = event.as_subscribe_to_shard_event().unwrap().records();
        seen.extend(records.iter().map(|record| text(&record.data)));
    }
    assert_eq!(seen, ["a", "b"]);
    called.ok(kinesis.deregister_stream_consumer().consumer_arn(&consumer).send().await);
}

async fn resources_succeed(kinesis: &Client, called: &mut Called) {
    called.ok(kinesis.add_tags_to_stream().stream_name("clicks").tags("a", "1").send().await);
    let tags = called.ok(kinesis.list_tags_for_stream().stream_name("clicks").send().await);
    assert_eq!(tags.tags()[0].key, "a");
    called.ok(kinesis.remove_tags_from_stream().stream_name("clicks").tag_keys("a").send().await);
    let stream = stream_arn("clicks");
    called.ok(kinesis.tag_resource().resource_arn(&stream).tags("b", "2").send().await);
    let tags = called.ok(kinesis.list_tags_for_resource().resource_arn(&stream).send().await);
    assert_eq!(tags.tags()[0].key, "b");
    called.ok(kinesis.untag_resource().resource_arn(&stream).tag_keys("b").send().await);
    let policy = r#"{"Statement": []}"#;
    called.ok(kinesis.put_resource_policy().resource_arn(&stream).policy(policy).send().await);
    assert_eq!(called.ok(kinesis.get_resource_policy().resource_arn(&stream).send().await).policy, policy);
    called.ok(kinesis.delete_resource_policy().resource_arn(&stream).send().await);
}

async fn settings_succeed(kinesis: &Client, called: &mut Called) {
    let longer = kinesis.increase_stream_retention_period().stream_name("clicks").retention_period_hours(48);
    called.ok(longer.send().await);
    let described = called.ok(kinesis.describe_stream().stream_name("clicks").send().await);
    assert_eq!(described.stream_description.unwrap().retention_period_hours, 48);
    let shorter = kinesis.decrease_stream_retention_period().stream_name("clicks").retention_period_hours(24);
    called.ok(shorter.send().await);
    let size =
        kinesis.update_max_record_size().stream_arn(stream_arn("clicks")).max_record_size_in_kib(2_048);
    called.ok(size.send().await);
    let summary = called.ok(kinesis.describe_stream_summary().stream_name("clicks").send().await);
    assert_eq!(summary.stream_description_summary.unwrap().max_record_size_in_kib, Some(2_048));
    let metric = MetricsName::IncomingBytes;
    let enable = kinesis.enable_enhanced_monitoring().stream_name("clicks");
    called.ok(enable.shard_level_metrics(metric.clone()).send().await);
    let disable = kinesis.disable_enhanced_monitoring().stream_name("clicks");
    called.ok(disable.shard_level_metrics(metric).send().await);
    let (kms, key) = (EncryptionType::Kms, "alias/aws/kinesis");
    let start = kinesis.start_stream_encryption().stream_name("clicks").encryption_type(kms.clone());
    called.ok(start.key_id(key).send().await);
    let stop = kinesis.stop_stream_encryption().stream_name("clicks").encryption_type(kms);
    called.ok(stop.key_id(key).send().await);
    assert_eq!(called.ok(kinesis.describe_limits().send().await).open_shard_count, 2);
    called.ok(kinesis.describe_account_settings().send().await);
    let enabled = Commitment::builder().status(CommitmentStatus::Enabled).build().unwrap();
    let update = kinesis.update_account_settings().minimum_throughput_billing_commitment(enabled);
    called.ok(update.send().await);
}

async fn shards_succeed(kinesis: &Client, called: &mut Called) {
    let merge = kinesis.merge_shards().stream_name("clicks").shard_to_merge("shardId-000000000000");
    called.ok(merge.adjacent_shard_to_merge("shardId-000000000001").send().await);
    let split = kinesis.split_shard().stream_name("clicks").shard_to_split("shardId-000000000002");
    called.ok(split.new_starting_hash_key("1000").send().await);
    let shards = called.ok(kinesis.list_shards().stream_name("clicks").send().await);
    assert_eq!(shards.shards().len(), 5);
    let update = kinesis.update_shard_count().stream_name("clicks").target_shard_count(1);
    called.ok(update.scaling_type(ScalingType::UniformScaling).send().await);
}

async fn modes_succeed(kinesis: &Client, called: &mut Called) {
    let on_demand = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build().unwrap();
    let update = kinesis.update_stream_mode().stream_arn(stream_arn("clicks"));
    called.ok(update.stream_mode_details(on_demand).send().await);
    let warm = kinesis.update_stream_warm_throughput().stream_name("clicks").warm_throughput_mibps(12);
    called.ok(warm.send().await);
}
