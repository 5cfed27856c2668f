//! Streams, their settings, the account.

use super::{Shard, TagMap, Text, shapes, stream_inputs};
use crate::kinesis::time::Time;

shapes! {
    CreateStreamInput {
        "StreamName" stream_name: Text,
        "ShardCount" shard_count: Option<i32>,
        "StreamModeDetails" mode: Option<StreamModeDetails>,
        "Tags" tags: Option<TagMap>,
        "WarmThroughputMiBps" warm_throughput: Option<i32>,
        "MaxRecordSizeInKiB" max_record_size: Option<i32>,
        "RecordDistributionStrategy" distribution: Text,
    }
    StreamModeDetails { "StreamMode" mode: Text }
    ListStreamsInput {
        "Limit" limit: Option<i32>,
        "ExclusiveStartStreamName" after: Text,
        "NextToken" next_token: Text,
    }
    ListStreamsOutput {
        "StreamNames" names: Vec<String>,
        "HasMoreStreams" has_more: bool,
        "NextToken" next_token: Text,
        "StreamSummaries" summaries: Vec<StreamSummary>,
    }
    StreamSummary {
        "StreamName" name: String,
        "StreamARN" arn: String,
        "StreamStatus" status: String,
        "StreamModeDetails" mode: StreamModeDetails,
        "StreamCreationTimestamp" created: Time,
    }
    DescribeStreamOutput { "StreamDescription" description: StreamDescription }
    StreamDescription {
        "StreamName" name: String,
        "StreamARN" arn: String,
        "StreamStatus" status: String,
        "StreamModeDetails" mode: StreamModeDetails,
        "Shards" shards: Vec<Shard>,
        "HasMoreShards" has_more: bool,
        "RetentionPeriodHours" retention_hours: u64,
        "StreamCreationTimestamp" created: Time,
        "EnhancedMonitoring" monitoring: Vec<EnhancedMetrics>,
        "EncryptionType" encryption: String,
        "KeyId" key_id: Text,
    }
    DescribeStreamSummaryOutput { "StreamDescriptionSummary" summary: StreamDescriptionSummary }
    StreamDescriptionSummary {
        "StreamName" name: String,
        "StreamARN" arn: String,
        "StreamId" id: Text,
        "StreamStatus" status: String,
        "StreamModeDetails" mode: StreamModeDetails,
        "RetentionPeriodHours" retention_hours: u64,
        "StreamCreationTimestamp" created: Time,
        "EnhancedMonitoring" monitoring: Vec<EnhancedMetrics>,
        "EncryptionType" encryption: String,
        "KeyId" key_id: Text,
        "OpenShardCount" open_shards: u64,
        "ConsumerCount" consumers: u64,
        "WarmThroughput" warm_throughput: Option<WarmThroughput>,
        "MaxRecordSizeInKiB" max_record_size: u64,
        "ChannelCount" channels: u64,
        "RecordDistributionStrategy" distribution: String,
        "QueueCount" queues: u64,
    }
    EnhancedMetrics { "ShardLevelMetrics" metrics: Vec<String> }
    /// `WarmThroughputObject`.
    WarmThroughput {
        "TargetMiBps" target: u64,
        "CurrentMiBps" current: u64,
    }
    MonitoringOutput {
        "StreamName" stream_name: String,
        "StreamARN" stream_arn: String,
        "CurrentShardLevelMetrics" current: Vec<String>,
        "DesiredShardLevelMetrics" desired: Vec<String>,
    }
    UpdateStreamWarmThroughputOutput {
        "StreamARN" stream_arn: String,
        "StreamName" stream_name: String,
        "WarmThroughput" warm_throughput: WarmThroughput,
    }
    DescribeLimitsOutput {
        "ShardLimit" shard_limit: u64,
        "OpenShardCount" open_shards: u64,
        "OnDemandStreamCount" on_demand_streams: u64,
        "OnDemandStreamCountLimit" on_demand_limit: u64,
        "ChannelCount" channels: u64,
        "ChannelCountLimit" channel_limit: u64,
    }
    UpdateAccountSettingsInput { "MinimumThroughputBillingCommitment" commitment: Option<Commitment> }
    AccountSettingsOutput { "MinimumThroughputBillingCommitment" commitment: Option<Commitment> }
    /// `MinimumThroughputBillingCommitmentInput` and `…Output`.
    Commitment {
        "Status" status: Text,
        "StartedAt" started: Option<Time>,
        "EndedAt" ended: Option<Time>,
        "EarliestAllowedEndAt" earliest_end: Option<Time>,
    }
    /// An input without members.
    Nothing {}
}

impl super::Member for StreamModeDetails {}
impl super::Member for StreamDescription {}
impl super::Member for StreamDescriptionSummary {}
impl super::Member for WarmThroughput {}

stream_inputs! {
    DeleteStreamInput { "EnforceConsumerDeletion" enforce: Option<bool> }
    DescribeStreamInput { "Limit" limit: Option<i32>, "ExclusiveStartShardId" after: Text }
    StreamInput {}
    RetentionInput { "RetentionPeriodHours" hours: Option<i32> }
    MonitoringInput { "ShardLevelMetrics" metrics: Option<Vec<String>> }
    EncryptionInput { "EncryptionType" encryption: Text, "KeyId" key_id: Text }
    UpdateMaxRecordSizeInput { "MaxRecordSizeInKiB" max_record_size: Option<i32> }
    UpdateStreamModeInput {
        "StreamModeDetails" mode: Option<StreamModeDetails>,
        "WarmThroughputMiBps" warm_throughput: Option<i32>,
    }
    UpdateDistributionInput { "RecordDistributionStrategy" distribution: Text }
    UpdateStreamWarmThroughputInput { "WarmThroughputMiBps" warm_throughput: Option<i32> }
}
