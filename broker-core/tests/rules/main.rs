//! The numbered rules of queues as tests, those of standard queues with a leading Q, those of FIFO queues with an F, and
//! the invariants of both, which have an I before that.
//!
//! Each test names the rules that it proves; `docs/CONFORMANCE.md` has the way back. A scenario listed in
//! `everywhere!` runs four times: in memory with commits inline, in memory behind a store that can block, on sled
//! and on the log. All of it runs on virtual time.

#![allow(
    clippy::unwrap_used,
    reason = "scenarios are functions of their own, where the allowance for tests ends"
)]
#![allow(
    clippy::unchecked_time_subtraction,
    reason = "of constants: a panic would be the test's own mistake"
)]

#[macro_use]
mod everywhere;
mod disk;
mod fifo_support;
mod held_reads;
mod support;

mod api;
mod attempts;
mod attributes;
mod batches;
mod bounds;
mod cancel;
mod create;
mod damage;
mod dead_letters;
mod dedup_memory;
mod dedup_races;
mod deduplication;
mod explain;
mod fair_queues;
mod far_delays;
mod far_groups;
mod fifo_cancel;
mod fifo_create;
mod fifo_delay;
mod fifo_send;
mod fifo_settle;
mod fifo_waits;
mod giving_up;
mod groups;
mod inside;
mod limits;
mod long_groups;
mod long_poll;
mod message_attributes;
mod move_backlogs;
mod move_damage;
mod move_histories;
mod move_races;
mod move_steps;
mod moved_messages;
mod moves;
mod notes;
mod observer;
mod peek;
mod purge_delete;
mod put_out;
mod receipts;
mod receive;
mod redrive_policies;
mod retention;
mod send;
mod settle;
mod stats;
mod tags_list;
mod waiters;
mod why_empty;
