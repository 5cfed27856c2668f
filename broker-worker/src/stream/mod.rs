//! Stream mapping: batches of a shard's records to a handler, in order, with retries, bisect and checkpoints (rules L80 to L90).
//!
//! | file | what it is for |
//! |---|---|
//! | `settings` | what a mapping is told once, and what is refused |
//! | `batch`, `handlers` | what a handler gets and answers; functions as handlers |
//! | `transact` | functions whose work is committed together with the checkpoint |
//! | `event`, `wire` | the same as Lambda writes it in JSON, and how large that is |
//! | `filter` | which records the handler wants at all |
//! | `lanes`, `tumbling` | from records to batches: sizes, windows, keys; pure |
//! | `work`, `answer` | what follows from an invocation: done, again, in halves, given up; pure |
//! | `progress` | which records are done, and how far the checkpoint may move; pure |
//! | `report` | what a destination is told of records that were given up |
//! | `reader` | reads a shard from its checkpoint on |
//! | `job`, `shard`, `lease` | one batch until nothing of it is left; the task of a shard; what they share |
//! | `mapping`, `manager`, `running` | the mapping as it is built; the task that follows the leases; the mapping as it runs |
//! | `counts` | what it has done so far |
//!
//! # Waiting between attempts
//!
//! After an invocation that failed or could not run the next one waits 500 ms, then twice as long, and so on, up to 16 s. There is no
//! chance in it. Lambda does not say what it does (rule L84); this makes as many invocations in a minute as were seen there: eight.
//!
//! # Progress
//!
//! The checkpoint of a shard moves with each batch, or part of a batch, that is done or given up, and is durable. With tumbling
//! windows it moves when a window is closed, so that a restart begins at the beginning of a window and its state is right.

mod answer;
mod batch;
mod counts;
mod event;
mod filter;
mod handlers;
mod job;
mod lanes;
mod lease;
mod manager;
mod mapping;
mod progress;
mod reader;
mod report;
mod running;
mod settings;
mod shard;
mod transact;
mod tumbling;
mod wire;
mod work;

pub use batch::{RecordBatch, StreamResponse, Window};
pub use counts::{LastResult, StreamCounts};
pub use event::{KinesisData, KinesisEvent, KinesisRecord, WindowBounds};
pub use filter::StreamFilters;
pub use handlers::{Batches, Each, Function, batch, each, function};
pub use mapping::StreamMapping;
pub use report::{BatchCondition, BatchContext, BatchInfo, BatchRecord, BatchReport, BatchResponse};
pub use running::RunningStream;
pub use settings::StreamMappingSettings;
pub use transact::{TransactBatch, TransactEach, transact_batch, transact_each};
