//! What a handler of records gets, and what it answers.

use std::{
    ops::Range,
    sync::{Arc, Weak},
};

use broker_core::{Record, RecordNumber, ShardId, Timestamp};
use serde_json::Value;

use super::{answer::Reading, lease::ShardWork};
use crate::{
    deploy::{Judge, Judgement},
    handler::Event,
};

/// Records of a shard, in order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RecordBatch {
    stream: Arc<str>,
    shard: ShardId,
    records: Arc<[Record]>,
    range: Range<usize>,
    window: Option<Window>,
    /// Not kept alive: a batch that somebody keeps must not hold the lease.
    work: Weak<ShardWork>,
    reading: Reading,
}

impl Event for RecordBatch {
    type Response = StreamResponse;
}

/// Each record counts, and the last invocation of a window as one. What comes again has failed: all behind the first record that the
/// answer names, and all if the answer is a failure or makes no sense.
impl Judge for RecordBatch {
    fn judge(&self) -> Judgement<StreamResponse> {
        let batch = self.clone();
        Box::new(move |answer| {
            let records = batch.records();
            let parts = records.len().max(1);
            let failed = match answer
                .map(|answer| answer.as_ref().map(|answer| batch.reading.first_failed(answer, records)))
            {
                Some(Ok(Ok(None))) => 0,
                Some(Ok(Ok(Some(first)))) => parts - first,
                None | Some(Err(_) | Ok(Err(_))) => parts,
            };
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (count(parts), count(failed))
        })
    }
}

/// The tumbling window that a batch belongs to (rule L90).
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its begin: records put then or later.
    pub start: Timestamp,
    /// Its end: records put before.
    pub end: Timestamp,
    /// What the last invocation of this window has answered; an empty object if this is the first.
    pub state: Value,
    /// This is the window's last invocation. It has no records.
    pub is_final: bool,
    /// The window is ended before its time, because its state was too large.
    pub is_terminated_early: bool,
}

impl RecordBatch {
    pub(super) fn new(
        work: &Arc<ShardWork>,
        records: Arc<[Record]>,
        range: Range<usize>,
        window: Option<Window>,
        reading: Reading,
    ) -> Self {
        let (stream, shard) = (work.mapping.stream_name.clone(), work.lease.shard());
        Self { stream, shard, records, range, window, reading, work: Arc::downgrade(work) }
    }

    /// What the batches of the shard share, unless its lease is gone.
    pub(super) fn shard_work(&self) -> Option<Arc<ShardWork>> {
        self.work.upgrade()
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The records. There are none in the last invocation of a window.
    pub fn records(&self) -> &[Record] {
        &self.records[self.range.clone()]
    }

    /// The tumbling window, if the mapping has them.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }
}

/// What a handler answers for a batch of records.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamResponse {
    /// All are done.
    Done,
    /// These failed, by number; whatever comes before the first of them is done, and it and all behind it come again (rule L87).
    /// None is a success. One that is not of the batch fails the whole batch. With tumbling windows all have failed then, as there
    /// is no state.
    Failed(Vec<RecordNumber>),
    /// All are done, and this is the state of the tumbling window from now on: up to 1 MiB of JSON (rule L90).
    State(Value),
    /// The JSON that a Lambda function answers with: read as a partial failure if the mapping
    /// [says so](super::StreamMappingSettings::report_batch_item_failures), and as success otherwise; with tumbling windows its
    /// member `state` is the state.
    Json(Value),
}

impl From<()> for StreamResponse {
    fn from((): ()) -> Self {
        Self::Done
    }
}
