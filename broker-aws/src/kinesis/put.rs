//! Putting records (rules K22, K40 to K45).

use broker_core::{Error, LocalStream, PutOutcome, PutRecord, RecordDistribution};

use super::{
    check::Checks,
    errors, number,
    shapes::{
        PutRecordInput, PutRecordOutput, PutRecordsEntry, PutRecordsInput, PutRecordsOutput, PutRecordsResult,
    },
    target::Target,
};
use crate::{
    call::Context,
    wire::{
        blob::Blob,
        error::{WireError, WireResult},
    },
};

/// The most records of a call.
const RECORDS_MAX: usize = 500;
/// The most characters of a partition key.
const KEY_CHARS_MAX: usize = 256;

/// A record as it came.
struct Given {
    data: Option<Blob>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
}

/// What is done with `DryRun`: everything but the deed.
pub(super) fn check_dry_run(dry_run: Option<bool>) -> WireResult<()> {
    if dry_run == Some(true) {
        let message = "The request would have succeeded, but DryRun is set.";
        return Err(WireError::sender("DryRunOperationException", message));
    }
    Ok(())
}

pub(super) async fn put_record(context: &Context, input: PutRecordInput) -> WireResult<PutRecordOutput> {
    let target = Target::of(context, &input).await?;
    let PutRecordInput { data, partition_key, explicit_hash_key, after, dry_run, .. } = input;
    let mut checks = Checks::default();
    let given = Given { data, partition_key, explicit_hash_key };
    let mut record = read_record(&mut checks, &target, "", given)?;
    checks.done()?;
    check_size(&target, &record)?;
    let name = target.name();
    let refused = |after: &str| {
        let account = context.origin.realm.account();
        errors::invalid(format!(
            "ExclusiveMinimumSequenceNumber {after} used in PutRecord on stream {name} under account {account} is invalid."
        ))
    };
    record.after = after.as_deref().map(|after| after.parse().map_err(|_| refused(after))).transpose()?;
    check_dry_run(dry_run)?;
    let PutOutcome { shard, number } =
        target.stream.put(record).await.map_err(|error| match (&error, &after) {
            (Error::InvalidParameter { field: "after", .. }, Some(after)) => refused(after),
            _ => errors::from_broker(context, &error),
        })?;
    let encryption = target.extras.key_id.is_some().then(|| "KMS".to_owned());
    Ok(PutRecordOutput { shard: shard.to_string(), number: number.to_string(), encryption })
}

pub(super) async fn put_records(context: &Context, input: PutRecordsInput) -> WireResult<PutRecordsOutput> {
    let target = Target::of(context, &input).await?;
    let mut checks = Checks::default();
    let given = checks.required("records", input.records);
    let count = given.len();
    checks.length("records", format!("[{count} records]"), count, (1, RECORDS_MAX));
    let mut records = Vec::with_capacity(count);
    for (at, PutRecordsEntry { data, explicit_hash_key, partition_key }) in given.into_iter().enumerate() {
        let given = Given { data, partition_key, explicit_hash_key };
        records.push(read_record(&mut checks, &target, &format!("records.{}.member.", at + 1), given)?);
    }
    checks.done()?;
    records.iter().try_for_each(|record| check_size(&target, record))?;
    check_dry_run(input.dry_run)?;
    let outcomes = put_all(context, &target.stream, records).await?;
    let results: Vec<_> = outcomes.into_iter().map(|outcome| result(context, outcome)).collect();
    let failed = results.iter().filter(|result| result.code.is_some()).count() as u64;
    let encryption = target.extras.key_id.is_some().then(|| "KMS".to_owned());
    Ok(PutRecordsOutput { failed, records: results, encryption })
}

async fn put_all(
    context: &Context,
    stream: &LocalStream,
    records: Vec<PutRecord>,
) -> WireResult<Vec<Result<PutOutcome, Error>>> {
    stream.put_batch(records).await.map_err(|error| match error {
        Error::BatchTooLong { bytes, max } => {
            errors::invalid(format!("Records size {bytes} exceeds {max} bytes, partition keys included."))
        }
        error => errors::from_broker(context, &error),
    })
}

/// What became of one of several (rule K41).
fn result(context: &Context, outcome: Result<PutOutcome, Error>) -> PutRecordsResult {
    match outcome {
        Ok(PutOutcome { shard, number }) => PutRecordsResult {
            number: Some(number.to_string()),
            shard: Some(shard.to_string()),
            ..PutRecordsResult::default()
        },
        Err(error) => {
            let refused = errors::from_broker(context, &error);
            let throttled = refused.shape == "ProvisionedThroughputExceededException";
            let (code, message) = if throttled {
                (refused.shape.into_owned(), refused.message)
            } else {
                ("InternalFailure".to_owned(), "Internal Service Failure".to_owned())
            };
            PutRecordsResult { code: Some(code), message: Some(message), ..PutRecordsResult::default() }
        }
    }
}

fn read_record(checks: &mut Checks, target: &Target, at: &str, given: Given) -> WireResult<PutRecord> {
    let data = checks.required(&format!("{at}data"), given.data).0;
    let places_itself = target.attributes.distribution == RecordDistribution::Auto;
    let partition_key = match given.partition_key {
        None if places_itself => String::new(),
        key => {
            let member = format!("{at}partitionKey");
            let key = checks.required(&member, key);
            checks.length(&member, &key, key.chars().count(), (usize::from(!places_itself), KEY_CHARS_MAX));
            key
        }
    };
    let mut record = PutRecord::new(partition_key, data);
    if let Some(text) = &given.explicit_hash_key {
        let refused = || {
            let message = "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was";
            errors::invalid(format!("{message} {}", super::target::shown(text)))
        };
        record = record.explicit_hash_key(number::hash_key(text).ok_or_else(refused)?);
    }
    Ok(record)
}

/// A record that is too large fails the call, since none of the codes of single records says so (rules K41, K43).
fn check_size(target: &Target, record: &PutRecord) -> WireResult<()> {
    let (bytes, max) = (record.size_bytes(), target.attributes.max_record_size);
    if bytes > max {
        let name = target.name();
        return Err(errors::invalid(format!(
            "The record has {bytes} bytes with its partition key, stream {name} takes at most {max}."
        )));
    }
    Ok(())
}
