//! Registered consumers and subscriptions.

use super::{ChildShard, Record, TagMap, Text, shapes, stream_inputs};
use crate::kinesis::time::Time;

shapes! {
    RegisterConsumerInput {
        "StreamARN" stream_arn: Text,
        "StreamId" stream_id: Text,
        "ConsumerName" name: Text,
        "Tags" tags: Option<TagMap>,
    }
    RegisterConsumerOutput { "Consumer" consumer: Consumer }
    Consumer {
        "ConsumerName" name: String,
        "ConsumerARN" arn: String,
        "ConsumerStatus" status: String,
        "ConsumerCreationTimestamp" created: Time,
    }
    /// Of `DescribeStreamConsumer` and `DeregisterStreamConsumer`.
    ConsumerInput {
        "StreamARN" stream_arn: Text,
        "StreamId" stream_id: Text,
        "ConsumerName" name: Text,
        "ConsumerARN" arn: Text,
    }
    DescribeConsumerOutput { "ConsumerDescription" description: ConsumerDescription }
    ConsumerDescription {
        "ConsumerName" name: String,
        "ConsumerARN" arn: String,
        "ConsumerStatus" status: String,
        "ConsumerCreationTimestamp" created: Time,
        "StreamARN" stream_arn: String,
    }
    ListConsumersOutput { "Consumers" consumers: Vec<Consumer>, "NextToken" next_token: Text }
    SubscribeToShardInput {
        "ConsumerARN" consumer_arn: Text,
        "ShardId" shard: Text,
        "StartingPosition" position: Option<StartingPosition>,
        "StreamId" stream_id: Text,
        "DryRun" dry_run: Option<bool>,
    }
    StartingPosition {
        "Type" kind: Text,
        "SequenceNumber" number: Text,
        "Timestamp" timestamp: Option<Time>,
    }
    SubscribeToShardEvent {
        "Records" records: Vec<Record>,
        "ContinuationSequenceNumber" continuation: Text,
        "MillisBehindLatest" behind: u64,
        "ChildShards" children: Option<Vec<ChildShard>>,
    }
}

impl super::Member for Consumer {}
impl super::Member for ConsumerDescription {}

stream_inputs! {
    ListConsumersInput {
        "NextToken" next_token: Text,
        "MaxResults" max: Option<i32>,
        "StreamCreationTimestamp" created: Option<Time>,
    }
}
