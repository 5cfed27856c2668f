//! Which records a handler wants (rules L70 to L75): the language of the filters of queues, on the record as the handler sees it
//! with its data decoded.

use broker_core::{FilterPolicyError, Record, ShardId};
use serde_json::{Map, Value};

use super::event::KinesisRecord;
use crate::{
    event::Source,
    queue::{FilterCriteria, FilterError, bytes_json},
};

/// The records that a handler wants: those that match any of the patterns, or all if there are none.
///
/// A pattern speaks of `data`, which must be JSON then, and of the members of a record beside it, such as `partitionKey`.
///
/// ```
/// use broker_worker::stream::StreamFilters;
///
/// let wanted = StreamFilters::parse([r#"{"data": {"total": [{"numeric": [">=", 1000]}]}}"#])?;
/// assert!(StreamFilters::parse([r#"{"data": ["socks"]}"#]).is_err());
/// # Ok::<(), broker_worker::queue::FilterError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFilters(FilterCriteria);

impl StreamFilters {
    /// Up to 5 patterns, each a JSON object of up to 4,096 characters. A pattern for `data` that is no JSON is refused (rule L73).
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, FilterError> {
        let patterns: Vec<&str> = patterns.into_iter().collect();
        let criteria = FilterCriteria::parse(patterns.iter().copied())?;
        for (index, pattern) in patterns.into_iter().enumerate() {
            let members: Map<String, Value> = serde_json::from_str(pattern).unwrap_or_default();
            if members.get("data").is_some_and(|data| !data.is_object()) {
                let before = pattern.split("\"data\"").next().unwrap_or_default();
                let source = FilterPolicyError {
                    message: "data is matched as JSON: its pattern must be an object".into(),
                    line: 1 + before.matches('\n').count(),
                    column: 1 + before.rsplit('\n').next().unwrap_or_default().chars().count(),
                };
                return Err(FilterError::Pattern { index, source });
            }
        }
        Ok(Self(criteria))
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn wants(&self, record: &Record, shard: ShardId, stream: &str, source: &Source) -> bool {
        self.0.is_empty() || self.0.matches_json(&document(record, shard, stream, source))
    }
}

/// The record as one flat object: what is around it, what is in it, and its data.
fn document(record: &Record, shard: ShardId, stream: &str, source: &Source) -> String {
    let around = KinesisRecord::without_data(record, shard, stream, source);
    let mut members = match serde_json::to_value(&around) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    if let Some(Value::Object(inside)) = members.remove("kinesis") {
        members.extend(inside);
    }
    members.remove("data");
    let members = Value::Object(members).to_string();
    format!(r#"{},"data":{}}}"#, &members[..members.len() - 1], bytes_json(&record.data))
}
