//! The numbered rules of standard queues as tests, Q1 to Q79, and the invariants of queues, which have a leading I.
//!
//! Each test names the rules that it proves; `docs/CONFORMANCE.md` has the way back. A scenario listed in
//! `everywhere!` runs three times: in memory with commits inline, in memory behind a store that can block, and on
//! sled. All of it runs on virtual time.

#![allow(
    clippy::unwrap_used,
    reason = "scenarios are functions of their own, where the allowance for tests ends"
)]
#![allow(
    clippy::unchecked_time_subtraction,
    reason = "of constants: a panic would be the test's own mistake"
)]

/// Makes three tests of each scenario, one per way in which a store can be driven.
macro_rules! everywhere {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            use crate::support::World;

            #[tokio::test(start_paused = true)]
            async fn in_memory() {
                super::$scenario(World::in_memory()).await;
            }

            #[tokio::test(start_paused = true)]
            async fn threaded() {
                super::$scenario(World::threaded()).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_sled() {
                super::$scenario(World::on_sled()).await;
            }
        }
    )*};
}

mod support;

mod api;
mod attributes;
mod batches;
mod bounds;
mod cancel;
mod create;
mod damage;
mod dead_letters;
mod far_delays;
mod giving_up;
mod limits;
mod long_poll;
mod message_attributes;
mod move_backlogs;
mod moved_messages;
mod moves;
mod purge_delete;
mod put_out;
mod receipts;
mod receive;
mod redrive_policies;
mod retention;
mod send;
mod settle;
mod tags_list;
mod waiters;
