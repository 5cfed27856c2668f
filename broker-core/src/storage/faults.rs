//! Decorators that inject faults into any backend: crashes, errors and slowness.
//!
//! They implement [`Storage`](super::Storage), so what is tested is the code that ships. The way to use them: run a
//! history once to count its commits, then run it again for each count with the fault at that commit.

mod crash;
mod failing;
mod slow;

pub use crash::{CrashPoint, CrashStorage, Survive};
pub use failing::{Afterwards, FailingStorage, Fault};
pub use slow::{Gate, SlowStorage};

#[cfg(feature = "seeded-bugs")]
#[doc(hidden)]
pub use crate::seeded::{BUGS, VARIABLE, seeded};
#[cfg(broker_shuttle)]
#[doc(hidden)]
pub use crate::sync::{point, shut_down_the_runtime};
