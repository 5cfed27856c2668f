//! Every operation is refused with an error of its own type.

use aws_sdk_kinesis::{
    Client,
    operation::{
        add_tags_to_stream::AddTagsToStreamError, create_stream::CreateStreamError,
        decrease_stream_retention_period::DecreaseStreamRetentionPeriodError,
        delete_resource_policy::DeleteResourcePolicyError, delete_stream::DeleteStreamError,
        deregister_stream_consumer::DeregisterStreamConsumerError, describe_stream::DescribeStreamError,
        describe_stream_consumer::DescribeStreamConsumerError,
        describe_stream_summary::DescribeStreamSummaryError,
        disable_enhanced_monitoring::DisableEnhancedMonitoringError,
        enable_enhanced_monitoring::EnableEnhancedMonitoringError, get_records::GetRecordsError,
        get_resource_policy::GetResourcePolicyError, get_shard_iterator::GetShardIteratorError,
        increase_stream_retention_period::IncreaseStreamRetentionPeriodError, list_shards::ListShardsError,
        list_stream_consumers::ListStreamConsumersError, list_streams::ListStreamsError,
        list_tags_for_resource::ListTagsForResourceError, list_tags_for_stream::ListTagsForStreamError,
        merge_shards::MergeShardsError, put_record::PutRecordError, put_records::PutRecordsError,
        put_resource_policy::PutResourcePolicyError, register_stream_consumer::RegisterStreamConsumerError,
        remove_tags_from_stream::RemoveTagsFromStreamError, split_shard::SplitShardError,
        start_stream_encryption::StartStreamEncryptionError,
        stop_stream_encryption::StopStreamEncryptionError, subscribe_to_shard::SubscribeToShardError,
        tag_resource::TagResourceError, untag_resource::UntagResourceError,
        update_account_settings::UpdateAccountSettingsError,
        update_max_record_size::UpdateMaxRecordSizeError, update_shard_count::UpdateShardCountError,
        update_stream_mode::UpdateStreamModeError,
        update_stream_warm_throughput::UpdateStreamWarmThroughputError,
    },
    types::{
        EncryptionType, MetricsName, MinimumThroughputBillingCommitmentInput as Commitment,
        PutRecordsRequestEntry, ScalingType, ShardIteratorType, StartingPosition, StreamMode,
        StreamModeDetails,
    },
};
use aws_smithy_types::Blob;
use broker_aws::{Realm, Service, sdk_config};

use crate::{
    operations::Called,
    support::{stream_arn, world},
};

/// The names of a stream that there is not.
fn gone() -> String {
    stream_arn("gone")
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_refused_with_an_error_of_its_own_type() {
    let world = world("clicks", 1).await;
    let kinesis = &world.kinesis;
    let mut called = Called::default();
    streams_refuse(kinesis, &mut called).await;
    records_refuse(kinesis, &mut called).await;
    consumers_refuse(kinesis, &mut called).await;
    resources_refuse(kinesis, &mut called).await;
    settings_refuse(kinesis, &mut called).await;
    shards_refuse(kinesis, &mut called).await;
    // These have no input: what can be wrong is who asks.
    let service = Service::new(world.aws.broker().clone());
    let elsewhere = Realm::new("111111111111", "eu-west-1").unwrap();
    let stranger = Client::new(&sdk_config(&service, &elsewhere, world.aws.broker()));
    let code = "UnrecognizedClientException";
    called.refused_as(stranger.describe_limits().send().await, code);
    called.refused_as(stranger.describe_account_settings().send().await, code);
    super::assert_all(&called);
}

async fn streams_refuse(kinesis: &Client, called: &mut Called) {
    let twice = kinesis.create_stream().stream_name("clicks").shard_count(1).send().await;
    called.refused(twice, CreateStreamError::is_resource_in_use_exception);
    let list = kinesis.list_streams().next_token("x").send().await;
    called.refused(list, ListStreamsError::is_invalid_argument_exception);
    let delete = kinesis.delete_stream().stream_arn(gone()).send().await;
    called.refused(delete, DeleteStreamError::is_resource_not_found_exception);
    let describe = kinesis.describe_stream().stream_arn(gone()).send().await;
    called.refused(describe, DescribeStreamError::is_resource_not_found_exception);
    let describe = kinesis.describe_stream_summary().stream_arn(gone()).send().await;
    called.refused(describe, DescribeStreamSummaryError::is_resource_not_found_exception);
}

async fn records_refuse(kinesis: &Client, called: &mut Called) {
    let put = kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::new("a"));
    let put = put.explicit_hash_key("x").send().await;
    called.refused(put, PutRecordError::is_invalid_argument_exception);
    let entry = PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new("b")).build().unwrap();
    let put = kinesis.put_records().stream_name("gone").records(entry).send().await;
    called.refused(put, PutRecordsError::is_resource_not_found_exception);
    let iterator = kinesis.get_shard_iterator().stream_name("clicks").shard_id("shardId-000000000000");
    let iterator = iterator.shard_iterator_type(ShardIteratorType::AtSequenceNumber).send().await;
    called.refused(iterator, GetShardIteratorError::is_invalid_argument_exception);
    let latest = kinesis.get_shard_iterator().stream_name("clicks").shard_id("shardId-000000000000");
    let latest = latest.shard_iterator_type(ShardIteratorType::Latest).send().await.unwrap();
    crate::support::advance(301).await;
    let old = kinesis.get_records().set_shard_iterator(latest.shard_iterator).send().await;
    called.refused(old, GetRecordsError::is_expired_iterator_exception);
}

async fn consumers_refuse(kinesis: &Client, called: &mut Called) {
    let register = kinesis.register_stream_consumer().stream_arn(gone()).consumer_name("billing");
    called.refused(register.send().await, RegisterStreamConsumerError::is_resource_not_found_exception);
    let consumer = format!("{}/consumer/billing:1", stream_arn("clicks"));
    let describe = kinesis.describe_stream_consumer().consumer_arn(&consumer).send().await;
    called.refused(describe, DescribeStreamConsumerError::is_resource_not_found_exception);
    let list = kinesis.list_stream_consumers().stream_arn(gone()).send().await;
    called.refused(list, ListStreamConsumersError::is_resource_not_found_exception);
    let oldest = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap();
    let subscribe = kinesis.subscribe_to_shard().consumer_arn(&consumer).shard_id("shardId-000000000000");
    let subscribe = subscribe.starting_position(oldest).send().await;
    // What a subscription answers cannot be shown.
    called.refused(subscribe.map(|_| ()), SubscribeToShardError::is_resource_not_found_exception);
    let deregister = kinesis.deregister_stream_consumer().consumer_arn(&consumer).send().await;
    called.refused(deregister, DeregisterStreamConsumerError::is_resource_not_found_exception);
}

async fn resources_refuse(kinesis: &Client, called: &mut Called) {
    let tag = kinesis.add_tags_to_stream().stream_name("gone").tags("a", "1").send().await;
    called.refused(tag, AddTagsToStreamError::is_resource_not_found_exception);
    let tags = kinesis.list_tags_for_stream().stream_name("gone").send().await;
    called.refused(tags, ListTagsForStreamError::is_resource_not_found_exception);
    let remove = kinesis.remove_tags_from_stream().stream_name("gone").tag_keys("a").send().await;
    called.refused(remove, RemoveTagsFromStreamError::is_resource_not_found_exception);
    let tag = kinesis.tag_resource().resource_arn("x").tags("a", "1").send().await;
    called.refused(tag, TagResourceError::is_invalid_argument_exception);
    let tags = kinesis.list_tags_for_resource().resource_arn(gone()).send().await;
    called.refused(tags, ListTagsForResourceError::is_resource_not_found_exception);
    let untag = kinesis.untag_resource().resource_arn(gone()).tag_keys("a").send().await;
    called.refused(untag, UntagResourceError::is_resource_not_found_exception);
    let put = kinesis.put_resource_policy().resource_arn(gone()).policy("{}").send().await;
    called.refused(put, PutResourcePolicyError::is_resource_not_found_exception);
    let get = kinesis.get_resource_policy().resource_arn(gone()).send().await;
    called.refused(get, GetResourcePolicyError::is_resource_not_found_exception);
    let delete = kinesis.delete_resource_policy().resource_arn(stream_arn("clicks")).send().await;
    called.refused(delete, DeleteResourcePolicyError::is_resource_not_found_exception);
}

async fn settings_refuse(kinesis: &Client, called: &mut Called) {
    let longer = kinesis.increase_stream_retention_period().stream_name("clicks").retention_period_hours(23);
    called.refused(longer.send().await, IncreaseStreamRetentionPeriodError::is_invalid_argument_exception);
    let shorter = kinesis.decrease_stream_retention_period().stream_name("clicks").retention_period_hours(25);
    called.refused(shorter.send().await, DecreaseStreamRetentionPeriodError::is_invalid_argument_exception);
    let size = kinesis.update_max_record_size().stream_arn(stream_arn("clicks")).max_record_size_in_kib(1);
    called.refused(size.send().await, UpdateMaxRecordSizeError::is_validation_exception);
    let metric = MetricsName::IncomingBytes;
    let enable = kinesis.enable_enhanced_monitoring().stream_name("gone");
    let enable = enable.shard_level_metrics(metric.clone()).send().await;
    called.refused(enable, EnableEnhancedMonitoringError::is_resource_not_found_exception);
    let disable = kinesis.disable_enhanced_monitoring().stream_name("gone");
    let disable = disable.shard_level_metrics(metric).send().await;
    called.refused(disable, DisableEnhancedMonitoringError::is_resource_not_found_exception);
    let kms = EncryptionType::Kms;
    let start = kinesis.start_stream_encryption().stream_name("gone").encryption_type(kms.clone());
    let start = start.key_id("k").send().await;
    called.refused(start, StartStreamEncryptionError::is_resource_not_found_exception);
    let stop = kinesis.stop_stream_encryption().stream_name("gone").encryption_type(kms);
    let stop = stop.key_id("k").send().await;
    called.refused(stop, StopStreamEncryptionError::is_resource_not_found_exception);
    let odd = Commitment::builder().status("ODD".into()).build().unwrap();
    let update = kinesis.update_account_settings().minimum_throughput_billing_commitment(odd).send().await;
    called.refused(update, UpdateAccountSettingsError::is_validation_exception);
    let on_demand = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build().unwrap();
    let update = kinesis.update_stream_mode().stream_arn(gone()).stream_mode_details(on_demand).send().await;
    called.refused(update, UpdateStreamModeError::is_resource_not_found_exception);
    let warm = kinesis.update_stream_warm_throughput().stream_name("clicks").warm_throughput_mibps(12);
    called.refused(warm.send().await, UpdateStreamWarmThroughputError::is_validation_exception);
}

async fn shards_refuse(kinesis: &Client, called: &mut Called) {
    let merge = kinesis.merge_shards().stream_name("clicks").shard_to_merge("shardId-000000000000");
    let merge = merge.adjacent_shard_to_merge("shardId-000000000000").send().await;
    called.refused(merge, MergeShardsError::is_invalid_argument_exception);
    let split = kinesis.split_shard().stream_name("clicks").shard_to_split("shardId-000000000009");
    let split = split.new_starting_hash_key("1000").send().await;
    called.refused(split, SplitShardError::is_resource_not_found_exception);
    let list = kinesis.list_shards().stream_name("gone").send().await;
    called.refused(list, ListShardsError::is_resource_not_found_exception);
    let update = kinesis.update_shard_count().stream_name("clicks").target_shard_count(9);
    let update = update.scaling_type(ScalingType::UniformScaling).send().await;
    called.refused(update, UpdateShardCountError::is_invalid_argument_exception);
}
