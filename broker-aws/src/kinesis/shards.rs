//! Listing shards, splitting and merging them.

use broker_core::{Error, ShardFilter, ShardId, ShardInfo, StreamMode};
use serde::{Deserialize, Serialize};

use super::{
    check::Checks,
    errors, number,
    shapes::{
        ChildShard, HashKeyRange, ListShardsInput, ListShardsOutput, MergeShardsInput, SequenceNumberRange,
        Shard, SplitShardInput, UpdateShardCountInput, UpdateShardCountOutput,
    },
    target::{self, Target},
    token,
};
use crate::{call::Context, wire::error::WireResult};

/// The most shards in a page, and how many there are if the request does not say (rule K57).
const LISTED: i32 = 1_000;

/// Where a list of shards goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    stream: String,
    filter: super::shapes::ShardFilter,
    after: u32,
}

pub(super) async fn list_shards(context: &Context, input: ListShardsInput) -> WireResult<ListShardsOutput> {
    let mut checks = Checks::default();
    checks.within("maxResults", input.max, (1, super::streams::LISTED_MAX));
    checks.done()?;
    let now = context.broker.now();
    let place = match &input.next_token {
        Some(_) if input.stream_name.is_some() || input.after.is_some() || input.created.is_some() => {
            let message = "NextToken and StreamName cannot be provided together, nor with ExclusiveStartShardId or \
                           StreamCreationTimestamp.";
            return Err(errors::invalid(message));
        }
        Some(token) => token::decode::<Place>(token, now)?,
        None => {
            let stream = target::stream_name(context, &input)?;
            let after = shard_after(context, &stream, input.after.as_deref())?;
            // Behind none: with one less the first is 0.
            let after = after.map_or(0, |shard| shard.0.saturating_add(1));
            Place { stream, filter: input.filter.clone().unwrap_or_default(), after }
        }
    };
    let stream = target::open(context, &place.stream).await?;
    if let Some(created) = input.created {
        let attributes = stream.attributes().await.map_err(|error| errors::from_broker(context, &error))?;
        if created.seconds() != super::time::Time(attributes.created_at).seconds() {
            return Err(errors::no_stream(context, &place.stream));
        }
    }
    let shards = stream.shards(filter(context, &place)?).await;
    let shards = shards.map_err(|error| errors::from_broker(context, &error))?;
    let limit = usize::try_from(input.max.unwrap_or(LISTED).min(LISTED)).unwrap_or(0);
    let (shards, last) = page_of_shards(shards, place.after.checked_sub(1).map(ShardId), limit);
    let go_on = |last: ShardId| token::encode(&Place { after: last.0.saturating_add(1), ..place }, now);
    Ok(ListShardsOutput { shards, next_token: last.map(go_on).transpose()? })
}

fn filter(context: &Context, place: &Place) -> WireResult<ShardFilter> {
    let given = &place.filter;
    let timestamp = || given.timestamp.ok_or_else(|| errors::invalid("The shard filter needs a Timestamp."));
    Ok(match given.kind.as_deref() {
        None | Some("FROM_TRIM_HORIZON") => ShardFilter::FromTrimHorizon,
        Some("AT_TRIM_HORIZON") => ShardFilter::AtTrimHorizon,
        Some("AT_LATEST") => ShardFilter::AtLatest,
        Some("AT_TIMESTAMP") => ShardFilter::AtTimestamp(timestamp()?.0),
        Some("FROM_TIMESTAMP") => ShardFilter::FromTimestamp(timestamp()?.0),
        Some("AFTER_SHARD_ID") => {
            let shard = given.shard_id.as_deref();
            let shard =
                shard.ok_or_else(|| errors::invalid("The shard filter AFTER_SHARD_ID needs a ShardId."))?;
            ShardFilter::AfterShardId(shard_id(context, &place.stream, shard)?)
        }
        other => {
            let words = [
                "AFTER_SHARD_ID",
                "AT_TRIM_HORIZON",
                "FROM_TRIM_HORIZON",
                "AT_LATEST",
                "AT_TIMESTAMP",
                "FROM_TIMESTAMP",
            ];
            let mut checks = Checks::default();
            checks.one_of("shardFilter.type", other, &words);
            checks.done()?;
            ShardFilter::default()
        }
    })
}

/// Reads the id of a shard, loosely (rule K21).
pub(super) fn shard_id(context: &Context, stream: &str, text: &str) -> WireResult<ShardId> {
    let mut checks = Checks::default();
    checks.name("shardId", Some(text));
    checks.done()?;
    text.parse().map_err(|_| errors::no_shard(context, stream, text))
}

/// Reads `ExclusiveStartShardId`.
pub(super) fn shard_after(
    context: &Context,
    stream: &str,
    text: Option<&str>,
) -> WireResult<Option<ShardId>> {
    text.map(|text| shard_id(context, stream, text)).transpose()
}

/// The shards behind `after`, at most so many, and the last one if there are more.
pub(super) fn page_of_shards(
    shards: Vec<ShardInfo>,
    after: Option<ShardId>,
    limit: usize,
) -> (Vec<Shard>, Option<ShardId>) {
    let mut rest = shards.into_iter().filter(|shard| Some(shard.id) > after);
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let last = rest.next().and(page.last()).map(|shard| shard.id);
    (page.iter().map(shard).collect(), last)
}

fn shard(info: &ShardInfo) -> Shard {
    let (start, end) =
        (info.starting_number.to_string(), info.ending_number.map(|number| number.to_string()));
    Shard {
        id: info.id.to_string(),
        parent: info.parent.map(|parent| parent.to_string()),
        adjacent_parent: info.adjacent_parent.map(|parent| parent.to_string()),
        range: range(info),
        numbers: SequenceNumberRange { start, end },
    }
}

fn range(info: &ShardInfo) -> HashKeyRange {
    HashKeyRange { start: info.range.start.to_string(), end: info.range.end.to_string() }
}

/// A shard that came from one that has ended (rule K54).
pub(super) fn child(info: &ShardInfo) -> ChildShard {
    let parents = info.parent.iter().chain(&info.adjacent_parent).map(ToString::to_string).collect();
    ChildShard { id: info.id.to_string(), parents, range: range(info) }
}

/// Only the user of a stream reshards it (rule K61).
fn check_mode(target: &Target) -> WireResult<()> {
    if target.attributes.mode == StreamMode::OnDemand {
        let name = target.name();
        let message = format!(
            "Request is invalid. Stream {name} is in ON_DEMAND mode, in which it decides on its shards itself."
        );
        return Err(errors::not_valid(message));
    }
    Ok(())
}

/// An open shard of a stream (rule K32).
async fn open_shard(context: &Context, target: &Target, text: &str) -> WireResult<ShardInfo> {
    let id = shard_id(context, target.name(), text)?;
    let shards = target.stream.shards(ShardFilter::default()).await;
    let mut shards = shards.map_err(|error| errors::from_broker(context, &error))?.into_iter();
    let missing = || errors::no_shard(context, target.name(), &id.to_string());
    let shard = shards.find(|shard| shard.id == id).ok_or_else(missing)?;
    if shard.closed_at.is_some() {
        let account = context.origin.realm.account();
        let message = format!(
            "Shard {id} in stream {} under account {account} has already been merged or split, and thus is not eligible for merging or splitting.",
            target.name()
        );
        return Err(errors::invalid(message));
    }
    Ok(shard)
}

pub(super) async fn split_shard(context: &Context, input: SplitShardInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let shard = checks.required("shardToSplit", input.shard.clone());
    let start = checks.required("newStartingHashKey", input.start.clone());
    checks.done()?;
    let target = Target::of(context, &input).await?;
    check_mode(&target)?;
    let shard = open_shard(context, &target, &shard).await?;
    let refused = || {
        let (id, name, account) = (shard.id, target.name(), context.origin.realm.account());
        let (first, last) = (shard.range.start, shard.range.end);
        errors::invalid(format!(
            "NewStartingHashKey {} used in SplitShard() on shard {id} in stream {name} under account {account} is not both \
             greater than one plus the shard's StartingHashKey {first} and less than the shard's EndingHashKey {last}.",
            target::shown(&start)
        ))
    };
    let start = number::hash_key(&start).ok_or_else(refused)?;
    match target.stream.split_shard(shard.id, start).await {
        Err(Error::InvalidParameter { field: "new_starting_hash_key", .. }) => Err(refused()),
        done => done.map(drop).map_err(|error| errors::from_broker(context, &error)),
    }
}

pub(super) async fn merge_shards(context: &Context, input: MergeShardsInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let first = checks.required("shardToMerge", input.shard.clone());
    let second = checks.required("adjacentShardToMerge", input.adjacent.clone());
    checks.done()?;
    let target = Target::of(context, &input).await?;
    check_mode(&target)?;
    let first = open_shard(context, &target, &first).await?;
    let second = open_shard(context, &target, &second).await?;
    if first.range.end.checked_add(1) != Some(second.range.start) {
        let (name, account) = (target.name(), context.origin.realm.account());
        return Err(errors::invalid(format!(
            "Shards {} and {} in stream {name} under account {account} are not an adjacent pair of shards eligible for \
             merging",
            first.id, second.id
        )));
    }
    let merged = target.stream.merge_shards(first.id, second.id).await;
    merged.map(drop).map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn update_shard_count(
    context: &Context,
    input: UpdateShardCountInput,
) -> WireResult<UpdateShardCountOutput> {
    let mut checks = Checks::default();
    let count = checks.required("targetShardCount", input.target);
    checks.within("targetShardCount", input.target, (1, i32::MAX));
    checks.one_of("scalingType", input.scaling.as_deref(), &["UNIFORM_SCALING"]);
    checks.required("scalingType", input.scaling.clone());
    checks.done()?;
    let target = Target::of(context, &input).await?;
    check_mode(&target)?;
    let count = u32::try_from(count).unwrap_or(0);
    let updated = target.stream.update_shard_count(count).await;
    updated.map_err(|error| errors::from_broker(context, &error))?;
    Ok(UpdateShardCountOutput {
        stream_name: target.name().to_owned(),
        current: target.attributes.open_shards as u64,
        target: u64::from(count),
        stream_arn: target.arn(context),
    })
}
