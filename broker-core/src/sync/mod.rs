//! All that threads and tasks meet at: locks, atomics, notifications, tasks. The core takes them from here alone.
//!
//! A build with `--cfg broker_shuttle` has [Shuttle](https://docs.rs/shuttle)'s in their place, or such that Shuttle decides before each
//! use who goes on. So `broker-shuttle` can try the schedules of threads, and a normal build knows nothing of it.

#[cfg(not(broker_shuttle))]
mod real;
#[cfg(broker_shuttle)]
mod shuttle;

#[cfg(not(broker_shuttle))]
pub(crate) use real::*;
#[cfg(broker_shuttle)]
pub(crate) use shuttle::*;
#[cfg(all(broker_shuttle, feature = "faults"))]
pub use shuttle::{point, shut_down_the_runtime};
