//! Transactions and user keys: all of it or nothing, whatever is in the way, whoever is faster, whenever it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancel;
mod conflicts;
mod contents;
mod dead_letters;
#[path = "../rules/dice.rs"]
mod dice;
#[path = "../rules/disk.rs"]
mod disk;
#[path = "../rules/drop_after.rs"]
mod drop_after;
mod durability;
mod failure;
mod fifo;
mod histories;
mod keys;
mod limits;
mod locks;
mod out_of_memory;
mod pending;
mod rejections;
mod script;
mod staging;
mod stream_queues;
mod support;
mod sweep;
mod transfers;
