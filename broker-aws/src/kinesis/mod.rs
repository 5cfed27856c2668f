//! Kinesis: dispatch of its operations.
//!
//! | file | what it is for |
//! |---|---|
//! | `shapes` | inputs and outputs |
//! | `errors` | from the broker's errors to those of Kinesis |
//! | `check` | members that must be there, and their bounds |
//! | `target` | which stream a request means, and its consumers |
//! | `extras` | what the broker has no place for, in notes beside the stream |
//! | `number`, `time`, `token` | sequence numbers, times and page tokens on the wire |
//! | `streams`, `describe`, `settings`, `account` | streams, what they say of themselves, what can be changed |
//! | `shards`, `put`, `read` | listing and resharding, records in, records out |
//! | `consumers`, `subscribe` | registered consumers, and their event streams |
//! | `tags`, `policies` | tags and resource policies |
//! | `queues` | queues on streams |

mod account;
mod check;
mod consumers;
mod describe;
mod errors;
mod extras;
mod number;
mod policies;
mod put;
mod queues;
mod read;
mod settings;
mod shapes;
mod shards;
mod streams;
mod subscribe;
mod tags;
mod target;
mod time;
mod token;

pub(crate) use subscribe::Subscriptions;

use crate::{call::Call, protocol::answer::Answer, wire::error::WireResult};

/// Answers a call.
pub(crate) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let context = call.context();
    macro_rules! answer {
        ($operation:path) => {
            call.answer(&$operation(context, call.input()?).await?)
        };
    }
    match call.operation() {
        "CreateStream" => answer!(streams::create_stream),
        "DeleteStream" => answer!(streams::delete_stream),
        "ListStreams" => answer!(streams::list_streams),
        "DescribeStream" => answer!(describe::describe_stream),
        "DescribeStreamSummary" => answer!(describe::describe_stream_summary),
        "DecreaseStreamRetentionPeriod" => answer!(settings::decrease_retention),
        "IncreaseStreamRetentionPeriod" => answer!(settings::increase_retention),
        "UpdateMaxRecordSize" => answer!(settings::update_max_record_size),
        "UpdateStreamMode" => answer!(settings::update_stream_mode),
        "UpdateStreamRecordDistributionStrategy" => answer!(settings::update_distribution),
        "UpdateStreamWarmThroughput" => answer!(settings::update_warm_throughput),
        "DisableEnhancedMonitoring" => answer!(settings::disable_enhanced_monitoring),
        "EnableEnhancedMonitoring" => answer!(settings::enable_enhanced_monitoring),
        "StartStreamEncryption" => answer!(settings::start_encryption),
        "StopStreamEncryption" => answer!(settings::stop_encryption),
        "DescribeAccountSettings" => answer!(account::describe_account_settings),
        "DescribeLimits" => answer!(account::describe_limits),
        "UpdateAccountSettings" => answer!(account::update_account_settings),
        "ListShards" => answer!(shards::list_shards),
        "MergeShards" => answer!(shards::merge_shards),
        "SplitShard" => answer!(shards::split_shard),
        "UpdateShardCount" => answer!(shards::update_shard_count),
        "PutRecord" => answer!(put::put_record),
        "PutRecords" => answer!(put::put_records),
        "GetRecords" => answer!(read::get_records),
        "GetShardIterator" => answer!(read::get_shard_iterator),
        "DeregisterStreamConsumer" => answer!(consumers::deregister),
        "DescribeStreamConsumer" => answer!(consumers::describe),
        "ListStreamConsumers" => answer!(consumers::list),
        "RegisterStreamConsumer" => answer!(consumers::register),
        "SubscribeToShard" => subscribe::subscribe_to_shard(call).await,
        "AddTagsToStream" => answer!(tags::add_tags_to_stream),
        "ListTagsForResource" => answer!(tags::list_tags_for_resource),
        "ListTagsForStream" => answer!(tags::list_tags_for_stream),
        "RemoveTagsFromStream" => answer!(tags::remove_tags_from_stream),
        "TagResource" => answer!(tags::tag_resource),
        "UntagResource" => answer!(tags::untag_resource),
        "DeleteResourcePolicy" => answer!(policies::delete_resource_policy),
        "GetResourcePolicy" => answer!(policies::get_resource_policy),
        "PutResourcePolicy" => answer!(policies::put_resource_policy),
        _ => queues::dispatch(call).await,
    }
}
