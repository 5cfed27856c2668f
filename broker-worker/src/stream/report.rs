//! What a destination is told of records that were given up (rule L89). Members come in the order of Lambda.

use broker_core::{Record, ShardId, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::invoke::dated_name;

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BatchCondition {
    /// The function has failed on them as often as it is tried.
    RetryAttemptsExhausted,
    /// They are too old.
    RecordAgeExceeded,
}

/// What a destination is told: where the records are, not what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchRecord {
    /// Which invocation of which function.
    pub request_context: BatchContext,
    /// What the last invocation said. `None` if the records are too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_context: Option<BatchResponse>,
    /// `1.0`.
    pub version: &'static str,
    /// When this was written, as RFC 3339.
    pub timestamp: String,
    /// The records.
    #[serde(rename = "KinesisBatchInfo")]
    pub batch: BatchInfo,
}

/// Which invocation of which function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchContext {
    /// The id of the last invocation.
    pub request_id: String,
    /// The function, without a qualifier.
    pub function_arn: String,
    /// Why the records were given up.
    pub condition: BatchCondition,
    /// How often the function was tried on them.
    pub approximate_invoke_count: u32,
}

/// What the last invocation said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// 200.
    pub status_code: u16,
    /// Which version of the function ran.
    pub executed_version: String,
    /// `Unhandled` if the function has failed; null if it has named records that failed.
    pub function_error: Option<&'static str>,
}

/// Where the records are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchInfo {
    /// The shard.
    pub shard_id: String,
    /// The number of the first one.
    pub start_sequence_number: String,
    /// The number of the last one.
    pub end_sequence_number: String,
    /// When the first one was put, as RFC 3339.
    pub approximate_arrival_of_first_record: String,
    /// When the last one was put, as RFC 3339.
    pub approximate_arrival_of_last_record: String,
    /// How many there are.
    pub batch_size: usize,
    /// The stream.
    pub stream_arn: String,
}

impl BatchInfo {
    /// Of records, of which there is at least one.
    pub(super) fn new(records: &[Record], shard_id: ShardId, stream_arn: &str) -> Option<Self> {
        let (first, last) = (records.first()?, records.last()?);
        Some(Self {
            shard_id: shard_id.to_string(),
            start_sequence_number: first.number.to_string(),
            end_sequence_number: last.number.to_string(),
            approximate_arrival_of_first_record: first.arrived_at.to_string(),
            approximate_arrival_of_last_record: last.arrived_at.to_string(),
            batch_size: records.len(),
            stream_arn: stream_arn.to_owned(),
        })
    }
}

impl BatchRecord {
    pub(super) fn new(
        request_context: BatchContext,
        response_context: Option<BatchResponse>,
        batch: BatchInfo,
        now: Timestamp,
    ) -> Self {
        Self { request_context, response_context, version: "1.0", timestamp: now.to_string(), batch }
    }

    /// The record as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers can be written as JSON")
    }
}

/// Records that were given up: what a destination is told, and what only an object store gets.
#[derive(Debug, Clone)]
pub struct BatchReport {
    /// What everybody is told.
    pub record: BatchRecord,
    /// The event as the function got it, as JSON.
    pub(super) payload: String,
    /// The mapping.
    pub(super) mapping: Uuid,
}

impl BatchReport {
    /// The record together with the event, which is a text in it.
    pub(crate) fn to_json_with_payload(&self) -> String {
        #[derive(Serialize)]
        struct WithPayload<'a> {
            #[serde(flatten)]
            record: &'a BatchRecord,
            payload: &'a str,
        }
        let whole = WithPayload { record: &self.record, payload: &self.payload };
        serde_json::to_string(&whole).expect("text and numbers can be written as JSON")
    }

    /// Under which key an object store keeps it.
    pub(crate) fn object_key(&self) -> String {
        let BatchRecord { batch, timestamp, .. } = &self.record;
        format!("aws/lambda/{}/{}/{}", self.mapping, batch.shard_id, dated_name(timestamp))
    }
}
