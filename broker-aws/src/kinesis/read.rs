//! Reading shards (rules K50 to K55).

use std::str::FromStr as _;

use broker_core::{
    Error, LocalStream, Record as Read, RecordNumber, Records, ShardFilter, ShardId, ShardIterator,
    StartingPosition as Start,
};

use super::{
    check::Checks,
    errors, number,
    put::check_dry_run,
    shapes::{
        ChildShard, GetRecordsInput, GetRecordsOutput, GetShardIteratorInput, GetShardIteratorOutput, Record,
        StartingPosition,
    },
    shards,
    target::{self, Target, shown},
};
use crate::{
    call::Context,
    wire::{
        blob::Blob,
        error::{WireError, WireResult},
    },
};

/// The most records of a read, and as many as it returns if it does not say.
const RECORDS_MAX: i32 = 10_000;
/// The hexadecimal digits of the broker's own iterators; behind them stands the name of the stream.
const ITERATOR_DIGITS: usize = 64;

pub(super) async fn get_shard_iterator(
    context: &Context,
    input: GetShardIteratorInput,
) -> WireResult<GetShardIteratorOutput> {
    let mut checks = Checks::default();
    let shard = checks.required("shardId", input.shard.clone());
    checks.name("shardId", input.shard.as_deref());
    check_kind(&mut checks, "shardIteratorType", input.kind.as_deref());
    checks.done()?;
    let stream = target::stream(context, &input).await?;
    let position = StartingPosition {
        kind: input.kind.clone(),
        number: input.number.clone(),
        timestamp: input.timestamp,
    };
    check_dry_run(input.dry_run)?;
    let iterator = begin(context, &stream, &shard, &position, "GetShardIterator").await?;
    Ok(GetShardIteratorOutput { iterator: spell(&iterator, stream.name()) })
}

/// What there is of types of iterators.
pub(super) fn check_kind(checks: &mut Checks, member: &str, kind: Option<&str>) {
    let kinds = ["AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"];
    checks.required(member, kind);
    checks.one_of(member, kind, &kinds);
}

/// Begins to read a shard.
pub(super) async fn begin(
    context: &Context,
    stream: &LocalStream,
    shard: &str,
    position: &StartingPosition,
    operation: &str,
) -> WireResult<ShardIterator> {
    let id = shards::shard_id(context, stream.name(), shard)?;
    let start = start(context, stream, id, position, operation)?;
    let refused = |error: Error| match error {
        Error::InvalidParameter { field: "shard", .. } => {
            let (name, account) = (stream.name(), context.origin.realm.account());
            errors::not_found(format!("Shard {id} in stream {name} under account {account} does not exist"))
        }
        Error::InvalidParameter { field: "timestamp", .. } => {
            let (given, now) = (position.timestamp.unwrap_or_default().0, context.broker.now());
            let message =
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.";
            let (given, now) = (given.as_millis(), now.as_millis());
            errors::invalid(format!("{message} timestampInMillis: {given}, currentTimestampInMillis: {now}"))
        }
        Error::InvalidParameter { field: "starting_sequence_number", .. } => {
            bad_number(context, stream, id, position.number.as_deref().unwrap_or_default(), operation)
        }
        error => errors::from_broker(context, &error),
    };
    stream.iterator(id, start).await.map_err(refused)
}

/// Where a reader wants to begin. What does not go together is refused (rules K50, K51).
fn start(
    context: &Context,
    stream: &LocalStream,
    shard: ShardId,
    position: &StartingPosition,
    operation: &str,
) -> WireResult<Start> {
    const EITHER: &str = "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber \
                          or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified";
    let kind = position.kind.as_deref().unwrap_or_default();
    let bad = |text: &str| bad_number(context, stream, shard, text, operation);
    match (kind, position.number.as_deref()) {
        ("AT_SEQUENCE_NUMBER", Some(text)) => {
            // A place may lie before the first record of the shard.
            let at = RecordNumber::from_str(text).ok().filter(|number| number.shard() == shard);
            let at = at.or_else(|| number::above(text).filter(|number| number.shard() == shard));
            Ok(Start::At(at.ok_or_else(|| bad(text))?))
        }
        ("AFTER_SEQUENCE_NUMBER", Some(text)) => {
            let after = number::above(text).filter(|number| number.shard() == shard);
            Ok(Start::At(after.ok_or_else(|| bad(text))?))
        }
        ("AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER", None) => {
            Err(errors::invalid(format!("{EITHER} {kind} and no StartingSequenceNumber.")))
        }
        ("TRIM_HORIZON" | "LATEST", Some(_)) => {
            Err(errors::invalid(format!("{EITHER} {kind} and also a StartingSequenceNumber.")))
        }
        ("LATEST", None) => Ok(Start::Latest),
        ("AT_TIMESTAMP", _) => {
            let message = "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has \
                           no timestamp parameter.";
            position.timestamp.map(|time| Start::AtTimestamp(time.0)).ok_or_else(|| errors::invalid(message))
        }
        _ => Ok(Start::TrimHorizon),
    }
}

/// A number that is none, or is of another shard.
fn bad_number(
    context: &Context,
    stream: &LocalStream,
    shard: ShardId,
    text: &str,
    operation: &str,
) -> WireError {
    let (name, account) = (stream.name(), context.origin.realm.account());
    match RecordNumber::from_str(text).map(RecordNumber::shard) {
        Ok(other) if other != shard => errors::invalid(format!(
            "Invalid StartingSequenceNumber. It encodes {other}, while it was used in a call to a shard with {shard}"
        )),
        _ => errors::invalid(format!(
            "StartingSequenceNumber {} used in {operation} on shard {shard} in stream {name} under account {account} is \
             invalid.",
            shown(text)
        )),
    }
}

pub(super) async fn get_records(context: &Context, input: GetRecordsInput) -> WireResult<GetRecordsOutput> {
    let mut checks = Checks::default();
    let text = checks.required("shardIterator", input.iterator.as_deref());
    checks.within("limit", input.limit, (1, i32::MAX));
    checks.done()?;
    let limit = input.limit.unwrap_or(RECORDS_MAX);
    if limit > RECORDS_MAX {
        return Err(errors::invalid(format!("Limit {limit} is greater than {RECORDS_MAX}.")));
    }
    let invalid = || errors::invalid("Invalid ShardIterator.");
    let (iterator, name) = unspell(text).ok_or_else(invalid)?;
    if let Some(arn) = &input.stream_arn
        && target::name_in_arn(context, arn)? != name
    {
        return Err(invalid());
    }
    let target = Target::named(context, name).await?;
    check_dry_run(input.dry_run)?;
    let read = target.stream.read(&iterator, usize::try_from(limit).unwrap_or(0)).await;
    let read = read.map_err(|error| match error {
        Error::InvalidParameter { .. } => invalid(),
        error => errors::from_broker(context, &error),
    })?;
    let children = children(context, &target.stream, &read).await?;
    let Records { records, next, millis_behind_latest: behind, .. } = read;
    Ok(GetRecordsOutput {
        records: shown_records(records, target.extras.key_id.is_some()),
        next: next.map(|next| spell(&next, name)),
        behind,
        children,
    })
}

/// The shards to be read next, if this was the end of one (rule K54).
pub(super) async fn children(
    context: &Context,
    stream: &LocalStream,
    read: &Records,
) -> WireResult<Option<Vec<ChildShard>>> {
    if read.next.is_some() {
        return Ok(None);
    }
    let shards = stream.shards(ShardFilter::default()).await;
    let shards = shards.map_err(|error| errors::from_broker(context, &error))?;
    Ok(Some(shards.iter().filter(|shard| read.child_shards.contains(&shard.id)).map(shards::child).collect()))
}

pub(super) fn shown_records(records: Vec<Read>, encrypted: bool) -> Vec<Record> {
    let shown = |record: Read| Record {
        number: record.number.to_string(),
        arrived: record.arrived_at.into(),
        data: Blob(record.data),
        partition_key: record.partition_key,
        encryption: encrypted.then(|| "KMS".to_owned()),
    };
    records.into_iter().map(shown).collect()
}

/// An iterator on the wire: the broker's own, and the name of its stream.
fn spell(iterator: &ShardIterator, stream: &str) -> String {
    format!("{iterator}{stream}")
}

fn unspell(text: &str) -> Option<(ShardIterator, &str)> {
    let (iterator, stream) = text.split_at_checked(ITERATOR_DIGITS)?;
    Some((iterator.parse().ok()?, stream))
}
