//! How receives wait: without polling, and with one timer for all of them.
//!
//! Whoever makes a message visible notifies one waiter. Whoever takes a message and leaves more notifies the next.
//! What becomes visible by the passage of time has a *timekeeper*: one of the waiters, who also sleeps until the
//! queue's next event. When it leaves, for whatever reason, the next waiter takes over.

use std::{future::Future, pin::pin};

use super::QueueCell;
use crate::sync::{AsyncMutex, Notified, Notify};

/// The waiting receives of a queue.
#[derive(Default)]
pub(super) struct Waiters {
    arrivals: Notify,
    /// Held by the timekeeper. Fair: handed to whoever has waited longest.
    timekeeper: AsyncMutex<()>,
    rearm: Notify,
}

impl Waiters {
    /// A message can be received: wakes one waiter, or the next one to come.
    pub(super) fn message_waits(&self) {
        self.arrivals.notify_one();
    }

    /// The queue's next event is earlier than the timekeeper knows.
    pub(super) fn event_came_closer(&self) {
        self.rearm.notify_one();
    }

    /// Everybody must look again: the queue is gone.
    pub(super) fn wake_all(&self) {
        self.arrivals.notify_waiters();
    }

    /// The next arrival, from the moment at which it is enabled.
    pub(super) fn arrival(&self) -> Notified<'_> {
        self.arrivals.notified()
    }
}

impl QueueCell {
    /// Waits until the queue may have a message, the deadline has come, or the broker has stopped. `arrival` and `stopped` have been
    /// enabled before the queue was found empty.
    ///
    /// If a notification was used up, the caller must look at the queue before its next await: the look notifies the next waiter if
    /// there is more, whatever becomes of the caller then. One that is dropped while it waits passes its notification on.
    pub(super) async fn wait(
        &self,
        arrival: impl Future<Output = ()>,
        stopped: impl Future<Output = ()>,
        deadline: u64,
    ) {
        tokio::select! {
            biased;
            () = arrival => {}
            () = stopped => {}
            () = self.engine.timeline.sleep_until(deadline) => {}
            () = self.keep_time() => {}
        }
    }

    /// Returns when the queue's next event has come, for one caller at a time.
    async fn keep_time(&self) {
        let _turn = self.waiters.timekeeper.lock().await;
        loop {
            let mut rearm = pin!(self.waiters.rearm.notified());
            rearm.as_mut().enable();
            let next = self.inner.lock().state.next_event();
            let event = self.engine.timeline.sleep_until_any(next);
            tokio::select! {
                biased;
                () = rearm => {}
                () = event => return,
            }
        }
    }
}
