//! What the fuzz targets share: a broker in memory whose clock stands still unless told, and whose bounds are so small
//! that every way in and out of memory is taken.

pub mod disk;
pub mod seen;
pub mod steps;

use std::future::Future;

use broker_core::{Broker, BrokerBuilder, ManualClock, MemoryBounds};
use broker_mem::MemStorage;

/// When the clock of every target starts.
pub const BEGIN_MS: u64 = 1_700_000_000_000;

/// Runs to the end on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime on this thread needs no resources").block_on(future)
}

/// A broker with a seed, a clock and bounds that are the same in every run.
pub fn builder(store: &MemStorage, clock: &ManualClock) -> BrokerBuilder {
    let tiny = MemoryBounds { ready: 3, delayed: 2, staged: 3, staged_bytes: 64, searched: 6 };
    Broker::builder(store.clone()).clock(clock.clone()).memory(tiny).seed(7)
}
