//! Consumer groups: several workers share the shards of a stream, and go on after a restart where they were.
//!
//! | file | what it is for |
//! |---|---|
//! | `state` | the lease table: how far each shard is consumed, who may consume it; pure |
//! | `balance` | who gets which leases; pure |
//! | `stored` | as it is kept |
//! | `cell` | the group of a stream |
//! | `member` | a worker of it |
//! | `lease` | its leases one by one, as traits: for whoever runs shards in a way of his own |
//! | `consumer` | the simple loop: `next`, `checkpoint` |
//! | `processor` | the five moments of a processor, a task per shard |
//! | `consume` | that task |
//! | `joint` | a checkpoint that is moved in a transaction |

mod balance;
mod cell;
mod consume;
mod consumer;
mod joint;
mod lease;
mod member;
mod processor;
pub(crate) mod state;
pub(crate) mod stored;

pub(crate) use cell::GroupCell;
pub use cell::{GroupInfo, LeaseInfo};
pub use consumer::{Consumed, Consumer, ConsumerBuilder};
pub use joint::Checkpoint;
pub use lease::{GroupMember, GroupStream, LeaseChange, ShardLease};
pub use processor::{Checkpointer, Processor, ProcessorFactory};
