//! Stream mapping: batches of a shard's records to a handler, in order, with retries, bisect and checkpoints (rules L80 to L90).

mod report;

pub use report::{BatchCondition, BatchContext, BatchInfo, BatchRecord, BatchReport, BatchResponse};
