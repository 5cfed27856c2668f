//! Whether the shapes have all members of the service model, and every operation has its shapes.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};

use super::*;

/// The fields of a structure, as serde has them: it asks for them by name, and gets no further.
struct Fields<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("that is all"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("not a structure"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de> + fmt::Debug>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    T::deserialize(Fields(&mut fields)).expect_err("it gets no further");
    fields
}

/// The shape of each structure of the model, under the model's name.
fn shapes() -> BTreeMap<&'static str, &'static [&'static str]> {
    macro_rules! shapes {
        ($($($name:ident)|+ => $shape:ty,)*) => {
            BTreeMap::from([$($((stringify!($name), fields::<$shape>())),+),*])
        };
    }
    shapes! {
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
    }
}

/// What is not built: deliveries to S3 buckets and tables, which are not for one process.
fn is_about_channels(name: &str) -> bool {
    ["Channel", "S3", "CloudWatchLogs", "Partition", "RecordConfiguration"]
        .iter()
        .any(|part| name.contains(part))
        || name == "StreamFilter"
}

/// Of the operations on several receipts: five times the same five structures.
fn of_receipts(name: &str) -> Option<&'static [&'static str]> {
    let deeds = [
        "AcknowledgeQueue",
        "AcknowledgeDeadLetterQueue",
        "UpdateQueue",
        "UpdateDeadLetterQueue",
        "RestoreDeadLetterQueue",
    ];
    let rest = deeds.iter().find_map(|deed| name.strip_prefix(deed)?.strip_prefix("Records"))?;
    Some(match rest.strip_prefix("Visibility").unwrap_or(rest) {
        "Input" => fields::<ReceiptsInput>(),
        "Output" => fields::<ReceiptsOutput>(),
        "RequestEntry" => fields::<ReceiptEntry>(),
        "ResultEntry" => fields::<ReceiptDone>(),
        "ErrorEntry" => fields::<ReceiptFailed>(),
        _ => return None,
    })
}

#[test]
fn no_member_of_the_service_model_is_forgotten() {
    let model: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/models/kinesis.json")).expect("JSON");
    let shapes = shapes();
    let structures = model["structures"].as_object().expect("structures");
    let mut checked = 0;
    for (name, members) in structures {
        // Errors, and the union of them, are no structures of ours.
        let is_error = name.ends_with("Exception") || name == "KMSOptInRequired";
        let is_stream = ["SubscribeToShardEventStream", "SubscribeToShardOutput"].contains(&name.as_str());
        if is_error || is_stream || is_about_channels(name) {
            continue;
        }
        let fields = shapes.get(name.as_str()).copied().or_else(|| of_receipts(name));
        let fields = fields.unwrap_or_else(|| panic!("there is no shape {name}"));
        for member in members.as_object().expect("members").keys() {
            assert!(fields.contains(&member.as_str()), "{name} lacks {member}");
        }
        checked += 1;
    }
    assert!(checked > 100, "only {checked} structures in the model");
    let unknown: Vec<_> = shapes.keys().filter(|name| !structures.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "not in the model: {unknown:?}");
}

#[test]
fn no_operation_of_the_service_model_is_forgotten() {
    let model: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/models/kinesis.json")).expect("JSON");
    let dispatched = [include_str!("../mod.rs"), include_str!("../queues/mod.rs")].concat();
    for name in model["operations"].as_object().expect("operations").keys() {
        let known = dispatched.contains(&format!("\"{name}\" =>"));
        assert_eq!(known, !is_about_channels(name), "{name}");
    }
}
