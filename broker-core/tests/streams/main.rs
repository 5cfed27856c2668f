//! The numbered rules of streams as tests, with a leading K, and the invariants of streams, which are S1 to S10 with an I
//! before.
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
#[path = "../rules/held_reads.rs"]
#[allow(dead_code, reason = "shared with the rules of queues, which use the rest")]
mod held_reads;
#[path = "../rules/support.rs"]
#[allow(dead_code, reason = "shared with the rules of queues, which use the rest")]
mod support;

mod chaos;
mod commits;
mod create;
mod damage;
mod damaged_rows;
mod ground;
mod group_edges;
mod groups;
mod histories;
mod iterators;
mod leases;
mod limits;
mod puts;
mod queue_letters;
mod queues;
mod races;
mod reads;
mod reshard;
mod restarts;
mod retention;
mod shards;
mod throttle;
mod waits;
