//! Nothing acknowledged is lost: a crash at every commit, a failure at every commit and read, a future dropped at every
//! await, a process killed under load.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancel;
mod cancel_moves;
#[path = "../rules/dice.rs"]
mod dice;
#[path = "../rules/disk.rs"]
mod disk;
#[path = "../rules/drop_after.rs"]
mod drop_after;
mod failure;
mod full;
mod groups;
mod id_reuse;
mod killed;
mod ledger;
mod points;
mod redrive;
mod script;
mod streams;
mod sweep;
mod topics;
mod world;
