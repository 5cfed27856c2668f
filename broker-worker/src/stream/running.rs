//! A mapping as it runs: look at it, disable it, stop it.

use std::{sync::Arc, time::Duration};

use broker_core::Error;
use tokio::task::JoinHandle;

use super::{
    counts::{LastResult, StreamCounts},
    lease::after,
    mapping::Shared,
};
use crate::{queue::State, telemetry::Events};

/// A mapping that runs. Dropped, it ends at once: handlers are dropped where they are, and records that were not done come again to
/// whoever has the shards then. [`stop`](Self::stop) is the better end.
pub struct RunningStream {
    shared: Arc<Shared>,
    managing: JoinHandle<()>,
}

impl Drop for RunningStream {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.managing.abort();
    }
}

impl RunningStream {
    pub(super) fn new(shared: Arc<Shared>, managing: JoinHandle<()>) -> Self {
        Self { shared, managing }
    }

    /// What it has done so far.
    pub fn counts(&self) -> StreamCounts {
        StreamCounts::new(&self.shared.telemetry.counters, &self.shared.extra)
    }

    /// What it does from now on. Ends with the mapping.
    pub fn events(&self) -> Events {
        self.shared.telemetry.events()
    }

    /// How its last invocation went (rule L32).
    pub fn last_result(&self) -> LastResult {
        self.shared.extra.last()
    }

    /// In which state it is (rule L32).
    pub fn state(&self) -> State {
        if self.shared.stop.is_cancelled() { State::Deleting } else { *self.shared.state.lock() }
    }

    /// Leaves the shards to others, or takes them again where it was. Batches that are being worked on are finished (rule L34); one
    /// that waits for its next attempt is not: it comes again.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.enabled.send_replace(enabled);
    }

    /// Waits until the mapping has this state. Cancel safe.
    pub async fn reached(&self, state: State) {
        loop {
            let changed = self.shared.changed.notified();
            if self.state() == state {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the mapping cannot go on, because its stream cannot: it was deleted, or its broker closed. For ever if all is
    /// well. Cancel safe.
    pub async fn broken(&self) -> Error {
        self.shared.stop.cancelled().await;
        self.shared.broken.lock().clone().unwrap_or(Error::Closed)
    }

    /// Stops: begins nothing more, and lets handlers finish for up to `drain`. Then they are dropped. Returns whether all were done.
    /// The checkpoints stay, so that the same mapping goes on where it was.
    ///
    /// Dropped, it ends everything at once, as if the mapping was dropped.
    pub async fn stop(mut self, drain: Duration) -> bool {
        let shared = self.shared.clone();
        shared.stop.cancel();
        tokio::select! {
            biased;
            _ = &mut self.managing => true,
            () = shared.clock.sleep_until(after(shared.clock.now(), drain)) => false,
        }
    }
}
