//! A mapping as it runs: look at it, change its size, stop it.

use std::{sync::Arc, time::Duration};

use broker_core::{Error, Timestamp};
use tokio::task::JoinHandle;

use super::{lease::after, settle, worker::Shared};
use crate::{
    shutdown::Report,
    telemetry::{Counts, Events},
};

/// After the deadline of a shutdown, workers get so long to notice that their handlers were dropped. One that blocks its
/// thread does not; it is left behind.
const AFTERMATH: Duration = Duration::from_secs(1);

/// The state of a mapping (rule L32), without those that last no time here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was started or enabled, and its workers are about to begin.
    Enabling,
    /// Its workers poll.
    Enabled,
    /// It was disabled, and finishes the batches that it has (rule L34).
    Disabling,
    /// Nothing polls.
    Disabled,
    /// It is stopping for good.
    Deleting,
}

/// How many workers a mapping has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// All of them.
    pub running: usize,
    /// Those that have a batch: they hold leases, and are never ended.
    pub busy: usize,
}

/// A mapping that runs. Dropped, it ends at once: handlers are dropped where they are, and their messages come again when
/// their visibility timeouts end. [`stop`](Self::stop) is the better end.
pub struct Running {
    shared: Arc<Shared>,
    managing: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.abort.cancel();
        self.managing.abort();
        self.keeping.abort();
        self.shared.keeper.end();
    }
}

impl Running {
    pub(super) fn new(shared: Arc<Shared>, managing: JoinHandle<()>, keeping: JoinHandle<()>) -> Self {
        Self { shared, managing, keeping }
    }

    /// The name of the queue.
    pub fn queue(&self) -> &str {
        self.shared.queue.name()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.telemetry.counters.counts()
    }

    /// What it does from now on.
    pub fn events(&self) -> Events {
        self.shared.telemetry.events()
    }

    /// How many workers there are.
    pub fn workers(&self) -> Workers {
        let (running, waiting) = self.shared.state.lock().pollers.counts();
        Workers { running, busy: running.saturating_sub(waiting) }
    }

    /// In which state it is.
    pub fn state(&self) -> State {
        if self.shared.stop.is_cancelled() {
            return State::Deleting;
        }
        let state = self.shared.state.lock();
        match (state.pollers.is_enabled(), state.pollers.counts().0) {
            (true, 0) => State::Enabling,
            (true, _) => State::Enabled,
            (false, 0) => State::Disabled,
            (false, _) => State::Disabling,
        }
    }

    /// Has so many workers from now on, if the mapping has a [fixed](super::Pollers::Fixed) number of them; returns whether
    /// it has. New ones start at once. Those that wait end at once; those that have a batch finish it first.
    pub fn resize(&self, workers: usize) -> bool {
        let resized = self.shared.state.lock().pollers.resize(workers);
        self.look_again();
        resized
    }

    /// Stops to poll, or polls again. Batches that were received are finished (rule L34).
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.state.lock().pollers.enable(enabled);
        self.look_again();
    }

    fn look_again(&self) {
        self.shared.resized.notify_waiters();
        self.shared.wanted.notify_one();
    }

    /// Waits until the mapping cannot go on, because its queue cannot: it was deleted, or its broker closed. For ever if
    /// all is well. Cancel safe.
    pub async fn broken(&self) -> Error {
        self.shared.stop.cancelled().await;
        match self.shared.state.lock().broken.clone() {
            Some(error) => error,
            // It is being stopped by somebody else.
            None => Error::Closed,
        }
    }

    /// Stops: receives nothing more, lets handlers finish for up to `drain`, drops those that have not, gives their
    /// messages back to the queue at once, and says what became of all. What handlers had decided by then is carried out.
    ///
    /// Dropped, it ends everything at once, as if the mapping was dropped.
    pub async fn stop(mut self, drain: Duration) -> Report {
        let shared = self.shared.clone();
        let before = self.counts();
        shared.stop.cancel();
        let deadline = Timestamp::from_millis(after(shared.clock.now(), drain));
        let drained = tokio::select! {
            biased;
            _ = &mut self.managing => true,
            () = shared.clock.sleep_until(deadline) => false,
        };
        if !drained {
            // Before the workers know: whoever answers from now on answers too late.
            let sets = shared.keeper.sets();
            for set in &sets {
                set.release();
            }
            shared.abort.cancel();
            for set in sets {
                let (counts, _) = settle::settle(&set, None).await;
                shared.telemetry.settled(counts, Duration::ZERO);
            }
            let aftermath = Timestamp::from_millis(after(shared.clock.now(), AFTERMATH));
            tokio::select! {
                biased;
                _ = &mut self.managing => {}
                () = shared.clock.sleep_until(aftermath) => {}
            }
        }
        let counts = self.counts();
        Report {
            queue: self.queue().to_owned(),
            drained,
            settled_while_stopping: counts.acked - before.acked,
            released: counts.released - before.released,
            broken: shared.state.lock().broken.clone(),
            counts,
        }
    }
}
