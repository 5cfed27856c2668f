//! The numbered rules of topics as tests, with a leading N, and the invariants of topics, which are T1 to T7 with an I before.
//!
//! As in `rules`, a scenario listed in `everywhere!` runs four times: in memory with commits inline, in memory behind a
//! store that can block, on sled, and on the log. All of it runs on virtual time.

#![allow(
    clippy::unwrap_used,
    reason = "scenarios are functions of their own, where the allowance for tests ends"
)]

#[macro_use]
#[path = "../rules/everywhere.rs"]
mod everywhere;
#[path = "../rules/disk.rs"]
mod disk;
#[path = "../rules/support.rs"]
#[allow(dead_code, reason = "shared with the rules of queues, which use the rest")]
mod support;
mod topic_support;

mod archive;
mod batches;
mod cancel;
mod confirm;
mod create;
mod damage;
mod dead_letters;
mod envelope;
mod failing;
mod fifo;
mod filters;
mod histories;
mod hostile;
mod in_order;
mod message_attributes;
mod narrow;
mod publish;
mod publish_faults;
mod push;
mod raw;
mod replay;
mod replay_faults;
mod retries;
mod settings;
mod store;
mod subscribe;
mod worker_faults;
