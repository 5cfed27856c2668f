//! Records.

use super::{ChildShard, Text, shapes, stream_inputs};
use crate::{kinesis::time::Time, wire::blob::Blob};

shapes! {
    PutRecordOutput {
        "ShardId" shard: String,
        "SequenceNumber" number: String,
        "EncryptionType" encryption: Text,
    }
    PutRecordsEntry {
        "Data" data: Option<Blob>,
        "ExplicitHashKey" explicit_hash_key: Text,
        "PartitionKey" partition_key: Text,
    }
    PutRecordsOutput {
        "FailedRecordCount" failed: u64,
        "Records" records: Vec<PutRecordsResult>,
        "EncryptionType" encryption: Text,
    }
    PutRecordsResult {
        "SequenceNumber" number: Text,
        "ShardId" shard: Text,
        "ErrorCode" code: Text,
        "ErrorMessage" message: Text,
    }
    GetShardIteratorOutput { "ShardIterator" iterator: String }
    GetRecordsInput {
        "ShardIterator" iterator: Text,
        "Limit" limit: Option<i32>,
        "StreamARN" stream_arn: Text,
        "StreamId" stream_id: Text,
        "DryRun" dry_run: Option<bool>,
    }
    GetRecordsOutput {
        "Records" records: Vec<Record>,
        "NextShardIterator" next: Text,
        "MillisBehindLatest" behind: u64,
        "ChildShards" children: Option<Vec<ChildShard>>,
    }
    Record {
        "SequenceNumber" number: String,
        "ApproximateArrivalTimestamp" arrived: Time,
        "Data" data: Blob,
        "PartitionKey" partition_key: String,
        "EncryptionType" encryption: Text,
    }
}

stream_inputs! {
    PutRecordInput {
        "Data" data: Option<Blob>,
        "PartitionKey" partition_key: Text,
        "ExplicitHashKey" explicit_hash_key: Text,
        "SequenceNumberForOrdering" after: Text,
        "DryRun" dry_run: Option<bool>,
    }
    PutRecordsInput {
        "Records" records: Option<Vec<PutRecordsEntry>>,
        "DryRun" dry_run: Option<bool>,
    }
    GetShardIteratorInput {
        "ShardId" shard: Text,
        "ShardIteratorType" kind: Text,
        "StartingSequenceNumber" number: Text,
        "Timestamp" timestamp: Option<Time>,
        "DryRun" dry_run: Option<bool>,
    }
}
