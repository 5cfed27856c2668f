//! Whether the shapes have all members of the service model, and every operation is known.

use super::*;
use crate::model::{Model, fields_of};

fn model() -> Model {
    Model::read(include_str!("../../../tests/models/kinesis.json"))
}

/// Names of the model, and the fields of our structure for each.
macro_rules! members {
    ($($($name:ident)|+ => $shape:ty,)*) => {
        vec![$($((stringify!($name), fields_of::<$shape>())),+),*]
    };
}

type Members = Vec<(&'static str, Vec<&'static str>)>;

fn of_streams() -> Members {
    members! {
        CreateStreamInput => CreateStreamInput,
        StreamModeDetails => StreamModeDetails,
        ListStreamsInput => ListStreamsInput,
        ListStreamsOutput => ListStreamsOutput,
        StreamSummary => StreamSummary,
        DescribeStreamOutput => DescribeStreamOutput,
        StreamDescription => StreamDescription,
        DescribeStreamSummaryOutput => DescribeStreamSummaryOutput,
        StreamDescriptionSummary => StreamDescriptionSummary,
        EnhancedMetrics => EnhancedMetrics,
        WarmThroughputObject => WarmThroughput,
        EnhancedMonitoringOutput => MonitoringOutput,
        UpdateStreamWarmThroughputOutput => UpdateStreamWarmThroughputOutput,
        DescribeLimitsInput | DescribeAccountSettingsInput => Nothing,
        DescribeLimitsOutput => DescribeLimitsOutput,
        UpdateAccountSettingsInput => UpdateAccountSettingsInput,
        UpdateAccountSettingsOutput | DescribeAccountSettingsOutput => AccountSettingsOutput,
        MinimumThroughputBillingCommitmentInput | MinimumThroughputBillingCommitmentOutput => Commitment,
        DeleteStreamInput => DeleteStreamInput,
        DescribeStreamInput => DescribeStreamInput,
        DescribeStreamSummaryInput => StreamInput,
        IncreaseStreamRetentionPeriodInput | DecreaseStreamRetentionPeriodInput => RetentionInput,
        EnableEnhancedMonitoringInput | DisableEnhancedMonitoringInput => MonitoringInput,
        StartStreamEncryptionInput | StopStreamEncryptionInput => EncryptionInput,
        UpdateMaxRecordSizeInput => UpdateMaxRecordSizeInput,
        UpdateStreamModeInput => UpdateStreamModeInput,
        UpdateStreamRecordDistributionStrategyInput => UpdateDistributionInput,
        UpdateStreamWarmThroughputInput => UpdateStreamWarmThroughputInput,
    }
}

fn of_shards_and_queues() -> Members {
    members! {
        Shard => Shard,
        HashKeyRange => HashKeyRange,
        SequenceNumberRange => SequenceNumberRange,
        ShardFilter => ShardFilter,
        ListShardsInput => ListShardsInput,
        ListShardsOutput => ListShardsOutput,
        ChildShard => ChildShard,
        SplitShardInput => SplitShardInput,
        MergeShardsInput => MergeShardsInput,
        UpdateShardCountInput => UpdateShardCountInput,
        UpdateShardCountOutput => UpdateShardCountOutput,
        PutRecordInput => PutRecordInput,
        PutRecordOutput => PutRecordOutput,
        PutRecordsInput => PutRecordsInput,
        PutRecordsRequestEntry => PutRecordsEntry,
        PutRecordsOutput => PutRecordsOutput,
        PutRecordsResultEntry => PutRecordsResult,
        GetShardIteratorInput => GetShardIteratorInput,
        GetShardIteratorOutput => GetShardIteratorOutput,
        GetRecordsInput => GetRecordsInput,
        GetRecordsOutput => GetRecordsOutput,
        Record => Record,
        RegisterStreamConsumerInput => RegisterConsumerInput,
        RegisterStreamConsumerOutput => RegisterConsumerOutput,
        Consumer => Consumer,
        DescribeStreamConsumerInput | DeregisterStreamConsumerInput => ConsumerInput,
        DescribeStreamConsumerOutput => DescribeConsumerOutput,
        ConsumerDescription => ConsumerDescription,
        ListStreamConsumersInput => ListConsumersInput,
        ListStreamConsumersOutput => ListConsumersOutput,
        SubscribeToShardInput => SubscribeToShardInput,
        StartingPosition => StartingPosition,
        SubscribeToShardEvent => SubscribeToShardEvent,
        Tag => Tag,
        AddTagsToStreamInput => AddTagsInput,
        RemoveTagsFromStreamInput => RemoveTagsInput,
        ListTagsForStreamInput => ListTagsForStreamInput,
        ListTagsForStreamOutput => ListTagsForStreamOutput,
        ListTagsForResourceInput | GetResourcePolicyInput | DeleteResourcePolicyInput => ResourceInput,
        ListTagsForResourceOutput => ListTagsOutput,
        TagResourceInput => TagResourceInput,
        UntagResourceInput => UntagResourceInput,
        PutResourcePolicyInput => PutPolicyInput,
        GetResourcePolicyOutput => GetPolicyOutput,
        CreateQueueInput => CreateQueueInput,
        CreateQueueOutput | DescribeQueueOutput | UpdateQueueOutput => QueueOutput,
        DeleteQueueInput | DescribeQueueInput => QueueInput,
        UpdateQueueInput => UpdateQueueInput,
        QueueDescription => QueueDescription,
        QueueStreamConfiguration => QueueStream,
        QueueStartingPosition => QueueStart,
        QueueAttributes => QueueAttributes,
        DeadLetterConfiguration => DeadLetterConfiguration,
        ListQueuesInput => ListQueuesInput,
        ListQueuesOutput => ListQueuesOutput,
        QueueStreamFilter | QueueStreamIdentifier => QueueStreamFilter,
        QueueSummary => QueueSummary,
        ReceiveQueueRecordsInput | ReceiveDeadLetterQueueRecordsInput => ReceiveInput,
        ReceiveQueueRecordsOutput | ReceiveDeadLetterQueueRecordsOutput => ReceiveOutput,
        QueueRecord => QueueRecord,
        AcknowledgeQueueRecordsInput | AcknowledgeDeadLetterQueueRecordsInput | UpdateQueueRecordsVisibilityInput | UpdateDeadLetterQueueRecordsVisibilityInput | RestoreDeadLetterQueueRecordsInput => ReceiptsInput,
        AcknowledgeQueueRecordsOutput | AcknowledgeDeadLetterQueueRecordsOutput | UpdateQueueRecordsVisibilityOutput | UpdateDeadLetterQueueRecordsVisibilityOutput | RestoreDeadLetterQueueRecordsOutput => ReceiptsOutput,
        AcknowledgeQueueRecordsRequestEntry | AcknowledgeDeadLetterQueueRecordsRequestEntry | UpdateQueueRecordsVisibilityRequestEntry | UpdateDeadLetterQueueRecordsVisibilityRequestEntry | RestoreDeadLetterQueueRecordsRequestEntry => ReceiptEntry,
        AcknowledgeQueueRecordsResultEntry | AcknowledgeDeadLetterQueueRecordsResultEntry | UpdateQueueRecordsVisibilityResultEntry | UpdateDeadLetterQueueRecordsVisibilityResultEntry | RestoreDeadLetterQueueRecordsResultEntry => ReceiptDone,
        AcknowledgeQueueRecordsErrorEntry | AcknowledgeDeadLetterQueueRecordsErrorEntry | UpdateQueueRecordsVisibilityErrorEntry | UpdateDeadLetterQueueRecordsVisibilityErrorEntry | RestoreDeadLetterQueueRecordsErrorEntry => ReceiptFailed,
    }
}

/// Of channels, which deliver to S3 buckets and tables: those are not for one process.
const CHANNELS: [&str; 32] = [
    "ChannelDescription",
    "ChannelEncryptionConfiguration",
    "ChannelLoggingConfiguration",
    "ChannelLoggingUpdateInput",
    "ChannelStreamConfiguration",
    "ChannelStreamDescription",
    "ChannelStreamIdentifier",
    "ChannelSummary",
    "CloudWatchLogs",
    "CloudWatchLogsUpdateInput",
    "CreateChannelInput",
    "CreateChannelOutput",
    "DeadLetterQueueS3Configuration",
    "DeleteChannelInput",
    "DescribeChannelInput",
    "DescribeChannelOutput",
    "ListChannelsInput",
    "ListChannelsOutput",
    "PartitionField",
    "PartitionSpec",
    "RecordConfiguration",
    "S3DestinationConfiguration",
    "S3DestinationDescription",
    "S3DestinationUpdateInput",
    "S3StorageConfiguration",
    "S3TablesConfiguration",
    "S3TablesDestinationConfiguration",
    "S3TablesDestinationDescription",
    "S3TablesDestinationUpdateInput",
    "StreamFilter",
    "UpdateChannelInput",
    "UpdateChannelOutput",
];

/// Of the event stream, whose frames have no structure around them: an event, or an error like any other.
const EVENTS: [&str; 11] = [
    "InternalFailureException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KMSThrottlingException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "SubscribeToShardEventStream",
    "SubscribeToShardOutput",
];

#[test]
fn no_member_of_the_service_model_is_forgotten() {
    let channels = CHANNELS.map(|name| (name, "channels are not built"));
    let events = EVENTS.map(|name| (name, "frames of the event stream are written one by one"));
    let left_out = [&channels[..], &events].concat();
    assert_eq!(model().complaints(&[of_streams(), of_shards_and_queues()].concat(), &left_out), [""; 0]);
}

#[test]
fn no_operation_of_the_service_model_is_forgotten() {
    let dispatched = [include_str!("../mod.rs"), include_str!("../queues/mod.rs")].concat();
    for name in model().operations.keys() {
        let known = dispatched.contains(&format!("\"{name}\" =>"));
        assert_eq!(known, !name.contains("Channel"), "{name}");
    }
}
