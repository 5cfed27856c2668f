//! What the fuzz targets do with their bytes, without the fuzzer: so that the normal tests can do it again with every file of
//! `corpus`, which is what the fuzzer has found that covers most.
//!
//! All targets have a broker in memory, or files in memory, whose clock stands still unless told, and whose bounds are so small that
//! every way in and out of memory is taken.

mod disk;
pub mod filter;
pub mod history;
pub mod message;
pub mod receipt;
mod seen;
pub mod segments;
mod steps;
pub mod store;

use std::future::Future;

use arbitrary::{Arbitrary, Unstructured};
use broker_core::{Broker, BrokerBuilder, ManualClock, MemoryBounds};
use broker_mem::MemStorage;

/// Does something with bytes, and returns whether they stood for anything; it panics if it finds a bug.
pub type Target = fn(&[u8]) -> bool;

/// All targets that are here, by name. `aws_request` is in the tests of `broker-aws`.
pub const TARGETS: [(&str, Target); 6] = [
    ("filter", filter::run),
    ("history", history::run),
    ("message", message::run),
    ("receipt", receipt::run),
    ("segments", segments::run),
    ("store", store::run),
];

/// When the clock of every target starts.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// Reads the input of a target from the bytes, as the fuzzer does, and uses it. Returns whether there was one.
fn input<'a, T: Arbitrary<'a>>(bytes: &'a [u8], with: impl FnOnce(&T)) -> bool {
    T::arbitrary_take_rest(Unstructured::new(bytes)).map(|input| with(&input)).is_ok()
}

/// Runs to the end on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime on this thread needs no resources").block_on(future)
}

/// A broker with a seed, a clock and bounds that are the same in every run.
fn builder(store: &MemStorage, clock: &ManualClock) -> BrokerBuilder {
    let tiny = MemoryBounds { ready: 3, delayed: 2, staged: 3, staged_bytes: 64, searched: 6 };
    Broker::builder(store.clone()).clock(clock.clone()).memory(tiny).seed(7)
}
