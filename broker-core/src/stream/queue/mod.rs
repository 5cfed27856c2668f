//! Queues on streams (section D10): a work queue over the records of a stream, with receipts, visibility and receive counts.
//! What a queue does with a record touches neither the stream nor other queues.
//!
//! A record is not copied. The queue has a position in each shard; when a receive finds too little, it *pulls* the next
//! records: a reference to each becomes a message of an internal queue, in the commit that moves the position. So what waits
//! costs nothing, and a put does not know that there are queues. Dead letters are a second internal queue.
//!
//! | file | what it is for |
//! |---|---|
//! | `message` | what users say and see |
//! | `stored` | what is stored |
//! | `cell` | a queue in memory: positions, pulling |
//! | `resolve` | references become records again |
//! | `manage` | making, finding and deleting the queues on a stream |
//! | `shell` | the operations of [`StreamQueue`] |

mod cell;
mod manage;
mod message;
mod resolve;
mod settings;
mod shell;
pub(crate) mod stored;

pub(crate) use cell::StreamQueueCell;
pub use message::{DeadLetterTarget, StreamMessage, StreamQueueCounters, StreamQueueSettings};
pub use shell::StreamQueue;
