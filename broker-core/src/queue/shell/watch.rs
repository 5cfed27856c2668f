//! Watching a queue: its counters again whenever they have changed.
//!
//! Whoever watches has a task that looks at the queue when something has changed, and when time has. So a queue does
//! not wait for those who watch it, whatever they do with what they have got. The task keeps neither the queue nor the
//! broker open, and ends with its watcher, the queue or the broker, whichever ends first.

use std::{
    pin::pin,
    sync::{Arc, Weak},
};

use tokio::sync::watch;

use super::{LocalQueue, QueueCell};
use crate::{
    error::Result,
    queue::{
        inspect::QueueStats,
        state::{Glance, QueueState},
    },
    sync::Notify,
};

/// What a watched queue knows of its watchers.
pub(super) struct Watched {
    changes: watch::Sender<()>,
    seen: Glance,
}

impl Watched {
    /// Tells the watchers if something has changed. Returns false if there are none any more.
    pub(super) fn note(&mut self, state: &QueueState) -> bool {
        let glance = state.glance();
        if self.seen != glance {
            self.seen = glance;
            self.changes.send_replace(());
        }
        self.changes.receiver_count() > 0
    }
}

impl LocalQueue {
    /// Watches the queue: the receiver has its stats now, and the newest ones after every change. What follows closely
    /// is seen as one change; what is seen is committed.
    ///
    /// Changes that time alone makes are seen when they happen: the end of a visibility timeout or of a delay, a message
    /// that expires. For that a task waits, with one timer and only until the next such event.
    ///
    /// The receiver holds nothing open. Its sender is gone, as [`changed`](tokio::sync::watch::Receiver::changed) then
    /// says, when the queue is deleted, the broker stops or all its handles are gone, or a look at the queue fails.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// let orders = broker.queue("orders").await?;
    /// let mut watch = orders.watch().await?;
    /// orders.send("order 1").await?;
    /// watch.wait_for(|stats| stats.counters.visible == 1).await.expect("the queue is there");
    ///
    /// // Nobody acknowledges it: thirty seconds later it is visible again.
    /// orders.receive(Default::default()).await?;
    /// watch.wait_for(|stats| stats.counters.in_flight == 1).await.expect("the queue is there");
    /// watch.wait_for(|stats| stats.counters.visible == 1).await.expect("the queue is there");
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn watch(&self) -> Result<watch::Receiver<QueueStats>> {
        let cell = &self.cell;
        // Before the first look, so that no change after it is missed.
        let changes = {
            let inner = &mut *cell.inner.lock();
            let glance = || inner.state.glance();
            let new = || Watched { changes: watch::Sender::new(()), seen: glance() };
            inner.watched.get_or_insert_with(new).changes.subscribe()
        };
        let (stats, _) = cell.look_at_stats().await?;
        let (sender, receiver) = watch::channel(stats);
        let engine = &cell.engine;
        let watcher = Watcher {
            cell: Arc::downgrade(cell),
            stop: engine.pipeline.stop_signal(),
            changes,
            stats: sender,
        };
        engine.pipeline.runtime().spawn(watcher.run());
        Ok(receiver)
    }
}

/// One who watches.
struct Watcher {
    cell: Weak<QueueCell>,
    stop: Arc<Notify>,
    changes: watch::Receiver<()>,
    stats: watch::Sender<QueueStats>,
}

impl Watcher {
    async fn run(self) {
        let Self { cell, stop, mut changes, stats } = self;
        let mut stopped = pin!(stop.notified());
        // Before a look: if the broker has stopped by then, that fails.
        stopped.as_mut().enable();
        loop {
            changes.borrow_and_update();
            let Some(watched) = cell.upgrade() else { return };
            let Ok((newest, next_change)) = watched.look_at_stats().await else { return };
            let alarm = next_change.map(|time| watched.engine.timeline.alarm(time));
            drop(watched);
            stats.send_if_modified(|seen| std::mem::replace(seen, newest) != newest);
            let alarm = alarm.unwrap_or_else(|| Box::pin(std::future::pending()));
            tokio::select! {
                biased;
                () = stopped.as_mut() => return,
                () = stats.closed() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = alarm => {}
            }
        }
    }
}
