//! Creating, deleting and listing streams.

use broker_core::{StreamAttributes, StreamMode, StreamSettings};

use super::{
    check::{Checks, required_name},
    errors, extras,
    extras::StreamExtras,
    settings,
    shapes::{
        CreateStreamInput, DeleteStreamInput, ListStreamsInput, ListStreamsOutput, StreamModeDetails,
        StreamSummary,
    },
    tags,
    target::{Target, stream_arn},
    token,
};
use crate::{call::Context, wire::error::WireResult};

/// How many streams are listed at once if the request does not say.
const LISTED: i32 = 100;
/// The most that may be asked for.
pub(super) const LISTED_MAX: i32 = 10_000;

pub(super) async fn create_stream(context: &Context, input: CreateStreamInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let name = required_name(&mut checks, "streamName", input.stream_name.as_deref());
    checks.within("shardCount", input.shard_count, (1, i32::MAX));
    checks.within("warmThroughputMiBps", input.warm_throughput, (0, i32::MAX));
    let mode = input.mode.map(|mode| settings::mode(&mut checks, mode.mode.as_deref()));
    let max_record_size = settings::record_size(&mut checks, input.max_record_size);
    let distribution = settings::distribution(&mut checks, input.distribution.as_deref());
    checks.done()?;
    let shards = input.shard_count.and_then(|count| u32::try_from(count).ok());
    // Rule K10: without a number of shards the stream decides itself.
    let default = if shards.is_some() { StreamMode::Provisioned } else { StreamMode::OnDemand };
    let mode = mode.unwrap_or(default);
    if mode == StreamMode::Provisioned && shards.is_none() {
        return Err(errors::invalid("A stream whose mode is PROVISIONED needs a ShardCount."));
    }
    let throttled = Some(context.options.throttle_streams && mode == StreamMode::Provisioned);
    let given = StreamSettings {
        mode: Some(mode),
        max_record_size,
        distribution,
        throttled,
        ..StreamSettings::new()
    };
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let refused = |error| errors::from_broker(context, &error);
    let stream = context.broker.create_stream(&name, shards, &given, &tags).await.map_err(refused)?;
    if let Some(warm) = input.warm_throughput.and_then(|warm| u64::try_from(warm).ok()) {
        let attributes = stream.attributes().await.map_err(refused)?;
        let set = |extras: &mut StreamExtras| extras.warm_throughput = Some(warm);
        StreamExtras::change(context, &attributes, set).await?;
    }
    Ok(())
}

pub(super) async fn delete_stream(context: &Context, input: DeleteStreamInput) -> WireResult<()> {
    let target = Target::of(context, &input).await?;
    let (name, account) = (target.name(), context.origin.realm.account());
    if !input.enforce.unwrap_or(false) && !extras::consumers(context, &target.attributes).await?.is_empty() {
        return Err(errors::in_use(format!(
            "Stream {name} under account {account} has registered consumers, which must be deregistered first, or \
             EnforceConsumerDeletion be true."
        )));
    }
    if !target.stream.queues().is_empty() {
        return Err(errors::in_use(format!(
            "Stream {name} under account {account} has queues, which must be deleted first."
        )));
    }
    context.broker.delete_stream(name).await.map_err(|error| errors::from_broker(context, &error))?;
    extras::forget(context, &target.attributes).await
}

pub(super) async fn list_streams(
    context: &Context,
    input: ListStreamsInput,
) -> WireResult<ListStreamsOutput> {
    let mut checks = Checks::default();
    checks.within("limit", input.limit, (1, LISTED_MAX));
    checks.name("exclusiveStartStreamName", input.after.as_deref());
    checks.done()?;
    let now = context.broker.now();
    let after = match &input.next_token {
        Some(token) => Some(token::decode::<String>(token, now)?),
        None => input.after,
    };
    let limit = usize::try_from(input.limit.unwrap_or(LISTED)).unwrap_or(0);
    let mut rest = context.broker.list_streams().into_iter();
    let page: Vec<_> = rest.by_ref().skip_while(|name| Some(name) <= after.as_ref()).take(limit).collect();
    let has_more = rest.next().is_some();
    let last = page.last().filter(|_| has_more);
    let next_token = last.map(|last| token::encode(last, now)).transpose()?;
    let mut summaries = Vec::new();
    for name in &page {
        // It may have been deleted meanwhile.
        let Ok(stream) = context.broker.open_stream(name).await else { continue };
        let Ok(attributes) = stream.attributes().await else { continue };
        summaries.push(summary(context, &attributes));
    }
    let names = summaries.iter().map(|summary| summary.name.clone()).collect();
    Ok(ListStreamsOutput { names, has_more, next_token, summaries })
}

fn summary(context: &Context, stream: &StreamAttributes) -> StreamSummary {
    StreamSummary {
        name: stream.name.clone(),
        arn: stream_arn(context, &stream.name),
        status: "ACTIVE".into(),
        mode: mode_details(stream.mode),
        created: stream.created_at.into(),
    }
}

pub(super) fn mode_details(mode: StreamMode) -> StreamModeDetails {
    let mode = match mode {
        StreamMode::Provisioned => "PROVISIONED",
        StreamMode::OnDemand => "ON_DEMAND",
    };
    StreamModeDetails { mode: Some(mode.into()) }
}
