//! The checks on what comes into a stream (rules K1, K22, K43, K44). Pure; they change nothing.

use super::{limits::StreamLimits, record::PutRecord};
use crate::{
    error::{Error, Result},
    queue::check,
};

/// Refuses a stream name that is not 1 to 128 letters, digits, underscores, dots and hyphens (rule K1).
pub(crate) fn stream_name(name: &str, limits: &StreamLimits) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let max = limits.name_chars_max.min(check::NAME_CHARS_CEILING);
    if name.is_empty() || name.len() > max || !name.bytes().all(allowed) {
        let reason = format!("must be 1 to {max} letters, digits, underscores, dots and hyphens");
        return Err(Error::invalid("name", name, reason));
    }
    Ok(())
}

/// Refuses a number of shards that a stream cannot have.
pub(crate) fn shard_count(count: u32, limits: &StreamLimits) -> Result<()> {
    if count == 0 || count as usize > limits.shards_max {
        let reason = format!("must be between 1 and {}", limits.shards_max);
        return Err(Error::invalid("shards", count, reason));
    }
    Ok(())
}

/// Everything about a record that does not depend on the stream's state. Its partition key has at least so many characters.
pub(crate) fn record(record: &PutRecord, min: usize, limits: &StreamLimits) -> Result<()> {
    let max = limits.partition_key_chars_max;
    if !(min..=max).contains(&record.partition_key.chars().count()) {
        let reason = format!("must have {min} to {max} characters");
        return Err(Error::invalid("partition_key", &record.partition_key, reason));
    }
    Ok(())
}

/// Refuses a batch as a whole (rule K43).
pub(crate) fn batch(records: &[PutRecord], key_min: usize, limits: &StreamLimits) -> Result<usize> {
    if records.is_empty() {
        return Err(Error::EmptyBatch);
    }
    if records.len() > limits.batch_records_max {
        return Err(Error::TooManyEntriesInBatch { count: records.len(), max: limits.batch_records_max });
    }
    let bytes = records.iter().map(PutRecord::size_bytes).sum();
    if bytes > limits.batch_bytes_max {
        return Err(Error::BatchTooLong { bytes, max: limits.batch_bytes_max });
    }
    records.iter().try_for_each(|one| record(one, key_min, limits))?;
    Ok(bytes)
}
