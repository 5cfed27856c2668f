//! A thread that extends leases when the runtime cannot, because handlers block all of its threads.
//!
//! It reads time where the runtime does: on virtual time, which stands still while a handler blocks, it finds nothing late.

use std::{sync::Arc, thread, time::Duration};

use tokio::runtime::Handle;

use super::keeper::Keeper;

/// How often the thread looks, as a part of the lease: the task beats after a half, and has until three quarters.
const LOOKS_PER_LEASE: u32 = 20;
/// As part of the lease, how much later than the task the thread acts.
const LATE_PART: u32 = 4;
/// Looks are no further apart than this, and no closer.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Starts the thread. [`Keeper::end`] ends it.
pub(super) fn start(keeper: Arc<Keeper>, lease: Duration) -> std::io::Result<()> {
    let runtime = Handle::current();
    let watch = move || {
        let every = (lease / LOOKS_PER_LEASE).clamp(LOOK_EVERY.0, LOOK_EVERY.1);
        while keeper.wait_on_thread(every) {
            runtime.block_on(keeper.beat(lease / LATE_PART));
        }
    };
    thread::Builder::new().name("broker-lease-watchdog".into()).spawn(watch).map(drop)
}
