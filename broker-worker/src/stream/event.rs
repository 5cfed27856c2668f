//! Records as Lambda's functions get them in JSON (rules L36, L90).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use broker_core::{Record, ShardId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::batch::RecordBatch;
use crate::event::Source;

/// The event of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KinesisEvent {
    /// The records, in order.
    #[serde(rename = "Records")]
    pub records: Vec<KinesisRecord>,
    /// Where the tumbling window begins and ends. This and what follows is there only with tumbling windows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<WindowBounds>,
    /// The window's state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<Value>,
    /// The shard.
    #[serde(rename = "shardId", skip_serializing_if = "Option::is_none", default)]
    pub shard_id: Option<String>,
    /// The stream.
    #[serde(rename = "eventSourceARN", skip_serializing_if = "Option::is_none", default)]
    pub event_source_arn: Option<String>,
    /// Whether this is the last invocation of the window.
    #[serde(rename = "isFinalInvokeForWindow", skip_serializing_if = "Option::is_none", default)]
    pub is_final_invoke_for_window: Option<bool>,
    /// Whether the window is ended before its time.
    #[serde(rename = "isWindowTerminatedEarly", skip_serializing_if = "Option::is_none", default)]
    pub is_window_terminated_early: Option<bool>,
}

/// Where a tumbling window begins and ends, as RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowBounds {
    /// Its begin.
    pub start: String,
    /// Its end.
    pub end: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisRecord {
    /// The record itself.
    pub kinesis: KinesisData,
    /// `aws:kinesis`.
    pub event_source: String,
    /// `1.0`.
    pub event_version: String,
    /// The shard and the number.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// `aws:kinesis:record`.
    pub event_name: String,
    /// Who the function acts as.
    pub invoke_identity_arn: String,
    /// The region.
    pub aws_region: String,
    /// The stream.
    #[serde(rename = "eventSourceARN")]
    pub event_source_arn: String,
}

/// What was put, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisData {
    /// `1.0`.
    pub kinesis_schema_version: String,
    /// The partition key.
    pub partition_key: String,
    /// The number.
    pub sequence_number: String,
    /// The data, in base64.
    pub data: String,
    /// When the record was put, in seconds since 1970.
    pub approximate_arrival_timestamp: f64,
}

impl KinesisRecord {
    /// A record of a shard of a stream.
    pub fn new(record: &Record, shard: ShardId, stream: &str, source: &Source) -> Self {
        let data = STANDARD.encode(&record.data);
        let Self { kinesis, .. } = Self::without_data(record, shard, stream, source);
        Self { kinesis: KinesisData { data, ..kinesis }, ..Self::without_data(record, shard, stream, source) }
    }

    /// The same with empty data: all that the data's size comes on top of.
    pub(super) fn without_data(record: &Record, shard: ShardId, stream: &str, source: &Source) -> Self {
        Self {
            kinesis: KinesisData {
                kinesis_schema_version: "1.0".into(),
                partition_key: record.partition_key.clone(),
                sequence_number: record.number.to_string(),
                data: String::new(),
                approximate_arrival_timestamp: seconds(record),
            },
            event_source: "aws:kinesis".into(),
            event_version: "1.0".into(),
            event_id: format!("{shard}:{}", record.number),
            event_name: "aws:kinesis:record".into(),
            invoke_identity_arn: format!("arn:aws:iam::{}:role/lambda-role", source.account),
            aws_region: source.region.clone(),
            event_source_arn: source.stream_arn(stream),
        }
    }
}

/// When a record was put.
fn seconds(record: &Record) -> f64 {
    let millis = record.arrived_at.as_millis();
    let whole = u32::try_from(millis / 1_000).unwrap_or(u32::MAX);
    let rest = u32::try_from(millis % 1_000).unwrap_or_default();
    f64::from(whole) + f64::from(rest) / 1_000.0
}

impl KinesisEvent {
    /// The event of a batch.
    pub fn new(batch: &RecordBatch, source: &Source) -> Self {
        let (shard, stream) = (batch.shard(), batch.stream());
        let record = |record: &Record| KinesisRecord::new(record, shard, stream, source);
        let window = batch.window();
        Self {
            records: batch.records().iter().map(record).collect(),
            window: window
                .map(|window| WindowBounds { start: window.start.to_string(), end: window.end.to_string() }),
            state: window.map(|window| window.state.clone()),
            shard_id: window.map(|_| shard.to_string()),
            event_source_arn: window.map(|_| source.stream_arn(stream)),
            is_final_invoke_for_window: window.map(|window| window.is_final),
            is_window_terminated_early: window.map(|window| window.is_terminated_early),
        }
    }

    /// The event as JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers can be written as JSON")
    }
}
