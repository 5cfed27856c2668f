//! What streams say of themselves (rule K12). A stream is ACTIVE as soon as it exists: in one process everything is done at once.

use broker_core::{RecordDistribution, ShardFilter};

use super::{
    check::Checks,
    errors, extras,
    shapes::{
        DescribeStreamInput, DescribeStreamOutput, DescribeStreamSummaryOutput, EnhancedMetrics,
        StreamDescription, StreamDescriptionSummary, StreamInput, WarmThroughput,
    },
    shards::{page_of_shards, shard_after},
    streams::{LISTED_MAX, mode_details},
    target::Target,
};
use crate::{call::Context, wire::error::WireResult};

/// How many shards are described at once: also the most (rule K12).
const SHARDS: i32 = 100;
/// Seconds of an hour.
const HOUR: u64 = 3_600;
/// Bytes of a KiB.
const KIB: usize = 1_024;

pub(super) async fn describe_stream(
    context: &Context,
    input: DescribeStreamInput,
) -> WireResult<DescribeStreamOutput> {
    let mut checks = Checks::default();
    checks.within("limit", input.limit, (1, LISTED_MAX));
    checks.done()?;
    let target = Target::of(context, &input).await?;
    let after = shard_after(context, target.name(), input.after.as_deref())?;
    let limit = usize::try_from(input.limit.unwrap_or(SHARDS).min(SHARDS)).unwrap_or(0);
    let shards = target.stream.shards(ShardFilter::default()).await;
    let shards = shards.map_err(|error| errors::from_broker(context, &error))?;
    let (shards, has_more) = page_of_shards(shards, after, limit);
    let (attributes, extras) = (&target.attributes, &target.extras);
    let description = StreamDescription {
        name: attributes.name.clone(),
        arn: target.arn(context),
        status: "ACTIVE".into(),
        mode: mode_details(attributes.mode),
        shards,
        has_more: has_more.is_some(),
        retention_hours: attributes.retention.as_secs() / HOUR,
        created: attributes.created_at.into(),
        monitoring: vec![EnhancedMetrics { metrics: extras.metrics.clone() }],
        encryption: extras.encryption().into(),
        key_id: extras.key_id.clone(),
    };
    Ok(DescribeStreamOutput { description })
}

pub(super) async fn describe_stream_summary(
    context: &Context,
    input: StreamInput,
) -> WireResult<DescribeStreamSummaryOutput> {
    let target = Target::of(context, &input).await?;
    let (attributes, extras) = (&target.attributes, &target.extras);
    let distribution = match attributes.distribution {
        RecordDistribution::PartitionKey => "USER_PARTITION_KEY",
        RecordDistribution::Auto => "AUTO",
    };
    let warm = |warm| WarmThroughput { target: warm, current: warm };
    let summary = StreamDescriptionSummary {
        name: attributes.name.clone(),
        arn: target.arn(context),
        id: None,
        status: "ACTIVE".into(),
        mode: mode_details(attributes.mode),
        retention_hours: attributes.retention.as_secs() / HOUR,
        created: attributes.created_at.into(),
        monitoring: vec![EnhancedMetrics { metrics: extras.metrics.clone() }],
        encryption: extras.encryption().into(),
        key_id: extras.key_id.clone(),
        open_shards: attributes.open_shards as u64,
        consumers: extras::consumers(context, attributes).await?.len() as u64,
        warm_throughput: extras.warm_throughput.map(warm),
        max_record_size: (attributes.max_record_size / KIB) as u64,
        channels: 0,
        distribution: distribution.into(),
        queues: target.stream.queues().len() as u64,
    };
    Ok(DescribeStreamSummaryOutput { summary })
}
