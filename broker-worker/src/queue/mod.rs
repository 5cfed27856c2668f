//! Queue mapping: batches of a queue's messages to a handler, and what becomes of each message (rules L30 to L75).
//!
//! | file | what it is for |
//! |---|---|
//! | `settings` | what a mapping is told once, and what is refused |
//! | `batch`, `lease` | what a handler gets: messages, each with its lease and what was decided of it |
//! | `filter` | which messages the handler wants at all |
//! | `pollers`, `pace` | how many workers poll, and how fast; pure |
//! | `mapping`, `running` | the mapping as it is built, and as it runs |
//! | `manager`, `worker` | the task that keeps the workers, and what one does |
//! | `gather`, `wire`, `settle` | from receives to a batch; from an answer to deletes and retries |
//! | `keeper`, `watchdog` | leases that are extended or noticed to be lost, whatever the handler does |

mod batch;
mod filter;
mod gather;
mod keeper;
mod lease;
mod manager;
mod mapping;
mod pace;
mod pollers;
mod running;
mod settings;
mod settle;
mod watchdog;
mod wire;
mod worker;

pub use batch::{Batch, IntoResponse, Received, Response};
pub(crate) use filter::bytes_json;
pub use filter::{FilterCriteria, FilterError};
pub(crate) use gather::is_the_end;
pub use lease::Lease;
pub use mapping::QueueMapping;
pub use pollers::Pollers;
pub use running::{Running, State, Workers};
pub use settings::{BATCH_BYTES_MAX, QueueMappingSettings};
