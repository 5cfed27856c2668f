//! Shards.

use super::{Text, shapes, stream_inputs};
use crate::kinesis::time::Time;

shapes! {
    Shard {
        "ShardId" id: String,
        "ParentShardId" parent: Text,
        "AdjacentParentShardId" adjacent_parent: Text,
        "HashKeyRange" range: HashKeyRange,
        "SequenceNumberRange" numbers: SequenceNumberRange,
    }
    HashKeyRange { "StartingHashKey" start: String, "EndingHashKey" end: String }
    SequenceNumberRange { "StartingSequenceNumber" start: String, "EndingSequenceNumber" end: Text }
    ShardFilter { "Type" kind: Text, "ShardId" shard_id: Text, "Timestamp" timestamp: Option<Time> }
    ListShardsOutput { "Shards" shards: Vec<Shard>, "NextToken" next_token: Text }
    ChildShard {
        "ShardId" id: String,
        "ParentShards" parents: Vec<String>,
        "HashKeyRange" range: HashKeyRange,
    }
    UpdateShardCountOutput {
        "StreamName" stream_name: String,
        "CurrentShardCount" current: u64,
        "TargetShardCount" target: u64,
        "StreamARN" stream_arn: String,
    }
}

impl super::Member for HashKeyRange {}
impl super::Member for SequenceNumberRange {}

stream_inputs! {
    ListShardsInput {
        "NextToken" next_token: Text,
        "ExclusiveStartShardId" after: Text,
        "MaxResults" max: Option<i32>,
        "StreamCreationTimestamp" created: Option<Time>,
        "ShardFilter" filter: Option<ShardFilter>,
    }
    SplitShardInput { "ShardToSplit" shard: Text, "NewStartingHashKey" start: Text }
    MergeShardsInput { "ShardToMerge" shard: Text, "AdjacentShardToMerge" adjacent: Text }
    UpdateShardCountInput { "TargetShardCount" target: Option<i32>, "ScalingType" scaling: Text }
}
