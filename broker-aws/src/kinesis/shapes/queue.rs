//! Queues on streams.

use super::{TagMap, Text, shapes};
use crate::{kinesis::time::Time, wire::blob::Blob};

shapes! {
    CreateQueueInput {
        "QueueName" name: Text,
        "StreamConfigurationList" streams: Option<Vec<QueueStream>>,
        "QueueAttributes" attributes: Option<QueueAttributes>,
        "Tags" tags: Option<TagMap>,
    }
    /// `QueueStreamConfiguration`.
    QueueStream { "StreamARN" stream_arn: Text, "StartingPosition" position: Option<QueueStart> }
    /// `QueueStartingPosition`.
    QueueStart { "Type" kind: Text, "Timestamp" timestamp: Option<Time> }
    QueueAttributes {
        "VisibilityTimeoutSeconds" visibility_timeout: Option<i32>,
        "DeadLetterConfiguration" dead_letter: Option<DeadLetterConfiguration>,
    }
    DeadLetterConfiguration { "TargetType" target: Text, "MaxReceiveCount" max_receive_count: Option<i32> }
    /// Of `DeleteQueue` and `DescribeQueue`.
    QueueInput { "QueueARN" arn: Text }
    UpdateQueueInput { "QueueARN" arn: Text, "QueueAttributes" attributes: Option<QueueAttributes> }
    QueueOutput { "QueueDescription" description: QueueDescription }
    QueueDescription {
        "QueueName" name: String,
        "QueueARN" arn: String,
        "QueueStatus" status: String,
        "QueueCreationTimestamp" created: Time,
        "StreamConfigurationList" streams: Vec<QueueStream>,
        "QueueAttributes" attributes: Option<QueueAttributes>,
    }
    ListQueuesInput {
        "MaxResults" max: Option<i32>,
        "NextToken" next_token: Text,
        "StreamFilter" streams: Option<Vec<QueueStreamFilter>>,
    }
    /// `QueueStreamFilter` and `QueueStreamIdentifier`.
    QueueStreamFilter { "StreamARN" stream_arn: Text, "StreamCreationTimestamp" created: Option<Time> }
    ListQueuesOutput { "QueueSummaries" summaries: Vec<QueueSummary>, "NextToken" next_token: Text }
    QueueSummary {
        "QueueName" name: String,
        "QueueARN" arn: String,
        "QueueStatus" status: String,
        "QueueCreationTimestamp" created: Time,
        "Streams" streams: Vec<QueueStreamFilter>,
    }
    /// Of `ReceiveQueueRecords` and `ReceiveDeadLetterQueueRecords`.
    ReceiveInput {
        "QueueARN" arn: Text,
        "Limit" limit: Option<i32>,
        "WaitTimeSeconds" wait: Option<i32>,
        "VisibilityTimeoutSeconds" visibility_timeout: Option<i32>,
    }
    ReceiveOutput { "QueueRecords" records: Vec<QueueRecord> }
    QueueRecord {
        "ReceiptHandle" receipt: String,
        "RecordId" id: String,
        "PartitionKey" partition_key: Text,
        "Data" data: Blob,
        "ApproximateArrivalTimestamp" arrived: Time,
        "FirstReceiveTimestamp" first_received: Time,
        "ReceiveCount" receive_count: u64,
    }
    /// Of the five operations on several receipts.
    ReceiptsInput { "QueueARN" arn: Text, "Entries" entries: Option<Vec<ReceiptEntry>> }
    ReceiptEntry { "ReceiptHandle" receipt: Text, "VisibilityTimeoutSeconds" visibility_timeout: Option<i32> }
    ReceiptsOutput { "Successful" successful: Vec<ReceiptDone>, "Failed" failed: Vec<ReceiptFailed> }
    ReceiptDone { "ReceiptHandle" receipt: String }
    ReceiptFailed { "ReceiptHandle" receipt: String, "ErrorCode" code: String, "ErrorMessage" message: String }
}

impl super::Member for QueueDescription {}
