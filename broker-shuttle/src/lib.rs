//! What the scenes have in common: how their schedules are explored, and the store that they run on.
//!
//! A scene is a few tasks on one broker. Shuttle runs them on one thread and decides at each lock, each atomic, each
//! notification and each await who goes on. So a schedule is a sequence of decisions, which can be tried one after the other, or as
//! chance has it, and be repeated.

#[cfg(not(broker_shuttle))]
compile_error!(
    "needs --cfg broker_shuttle: run cargo in the directory broker-shuttle, whose .cargo/config.toml gives it"
);

mod bounded;
mod explore;
mod store;

pub use explore::{all, random};
pub use store::Store;
