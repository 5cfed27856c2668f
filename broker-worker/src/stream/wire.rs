//! How large a record is in the JSON of Lambda (rule L31): what a batch is cut by.

use broker_core::{Record, ShardId};

use super::event::KinesisRecord;
use crate::event::Source;

/// What is around the records of an event: `{"Records":[` and `]}`. What tumbling windows add is not counted, as their state has a
/// limit of its own.
pub(super) const ENVELOPE_BYTES: usize = 14;

/// How many bytes a record adds to the event, its comma included.
pub(super) fn bytes_of(record: &Record, shard: ShardId, stream: &str, source: &Source) -> usize {
    let rest = KinesisRecord::without_data(record, shard, stream, source);
    let rest = serde_json::to_vec(&rest).map_or(0, |json| json.len());
    record.data.len().div_ceil(3).saturating_mul(4).saturating_add(rest).saturating_add(1)
}
