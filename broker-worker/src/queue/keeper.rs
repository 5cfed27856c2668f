//! Keeps leases: extends them in time if the mapping has a heartbeat, and notices those that are lost.
//!
//! It is a task of its own, so that a handler that waits or computes does not stop it. One that blocks every thread of the
//! runtime would: then the `watchdog`, a thread, does what the task is late with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use broker_core::Clock;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::lease::{Entry, LeaseSet, after};
use crate::telemetry::{Telemetry, WorkerEvent};

/// Leases are extended when this part of their time is over: there is as much left to try again.
const BEAT_PART: u32 = 2;
/// How many receipts one call to the queue takes: as many as SQS does.
pub(super) const CALL_MAX: usize = 10;

/// Keeps the leases of all batches that are being handled.
pub(crate) struct Keeper {
    pub(super) clock: Arc<dyn Clock>,
    /// With a heartbeat: how long leases are made.
    pub(super) heartbeat: Option<Duration>,
    held: Mutex<Held>,
    /// Something is due earlier than the task sleeps.
    pub(super) moved: Arc<Notify>,
    /// The watchdog waits here while there is nothing to watch.
    pub(super) occupied: Condvar,
    telemetry: Arc<Telemetry>,
}

#[derive(Default)]
struct Held {
    next: u64,
    sets: BTreeMap<u64, Watched>,
    /// Until when the task sleeps, if it does not wait for ever.
    sleeps_until: Option<u64>,
    /// The watchdog waits for something to watch.
    unwatched: bool,
    ended: bool,
}

struct Watched {
    /// `None` while somebody is at it.
    due: Option<u64>,
    /// After a failed extension, when to try again at the earliest.
    not_before: u64,
    set: Arc<LeaseSet>,
}

/// A batch whose leases are kept until this is dropped.
pub(crate) struct Kept {
    keeper: Arc<Keeper>,
    id: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.held.lock().sets.remove(&self.id);
    }
}

impl Keeper {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        heartbeat: Option<Duration>,
        telemetry: Arc<Telemetry>,
    ) -> Arc<Self> {
        let (held, moved, occupied) = (Mutex::default(), Arc::new(Notify::new()), Condvar::new());
        Arc::new(Self { clock, heartbeat, held, moved, occupied, telemetry })
    }

    /// Keeps the leases of a batch from now on.
    pub(crate) fn keep(self: &Arc<Self>, set: Arc<LeaseSet>) -> Kept {
        let due = self.due_of(&set);
        let mut held = self.held.lock();
        let id = held.next;
        held.next += 1;
        if held.unwatched {
            self.occupied.notify_one();
        }
        held.sets.insert(id, Watched { due: Some(due), not_before: 0, set });
        // Mostly the task sleeps until something that is over by now, which is early enough.
        if held.sleeps_until.is_none_or(|sleeps| due < sleeps) {
            self.moved.notify_one();
        }
        Kept { keeper: self.clone(), id }
    }

    /// When something must be done for a batch: before a lease ends with a heartbeat, and when it ends without.
    fn due_of(&self, set: &LeaseSet) -> u64 {
        let end = set.first_end().unwrap_or(u64::MAX);
        match self.heartbeat {
            None => end,
            Some(lease) => end.saturating_sub(millis(lease / BEAT_PART)).max(self.clock.now().as_millis()),
        }
    }

    /// The task: sleeps until something is due. Ends with the keeper.
    pub(crate) async fn run(keeper: Weak<Self>) {
        loop {
            let Some(this) = keeper.upgrade() else { return };
            let (clock, moved) = (this.clock.clone(), this.moved.clone());
            let next = {
                let mut held = this.held.lock();
                for watched in held.sets.values_mut() {
                    watched.due =
                        watched.due.map(|due| due.min(this.due_of(&watched.set).max(watched.not_before)));
                }
                held.sleeps_until = held.sets.values().filter_map(|watched| watched.due).min();
                held.sleeps_until
            };
            drop(this);
            let sleep = async {
                match next {
                    Some(due) => clock.sleep_until(broker_core::Timestamp::from_millis(due)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = moved.notified() => {}
            }
            let Some(this) = keeper.upgrade() else { return };
            this.beat(Duration::ZERO).await;
        }
    }

    /// Does what has been due for `late` or longer.
    pub(super) async fn beat(&self, late: Duration) {
        let now = self.clock.now().as_millis();
        let due: Vec<(u64, Arc<LeaseSet>)> = {
            let mut held = self.held.lock();
            let is_due = |due: u64| due.saturating_add(millis(late)) <= now;
            let due = held.sets.iter_mut().filter(|(_, watched)| watched.due.is_some_and(is_due));
            // Taken: nobody else does the same meanwhile.
            let take = |(id, watched): (&u64, &mut Watched)| {
                watched.due = None;
                (*id, watched.set.clone())
            };
            due.map(take).collect()
        };
        for (id, set) in due {
            if let Some(lease) = self.heartbeat {
                self.extend(&set, lease, now).await;
            }
            self.note_lost(&set);
            let end = set.first_end().unwrap_or(u64::MAX);
            let due = self.due_of(&set);
            // It could not be extended, and is not lost yet: try again half way to its end.
            let not_before = if due <= now { now + (end.saturating_sub(now) / 2).max(1) } else { 0 };
            if let Some(watched) = self.held.lock().sets.get_mut(&id) {
                (watched.due, watched.not_before) = (Some(due.max(not_before)), not_before);
            }
        }
    }

    async fn extend(&self, set: &LeaseSet, lease: Duration, now: u64) {
        // What the handler has extended further by itself is not made shorter.
        let soon = now.saturating_add(millis(lease / BEAT_PART));
        let ends_soon = |entry: &&Entry| !entry.is_over() && entry.until() <= soon;
        let entries: Vec<&Entry> = set.entries.iter().filter(ends_soon).collect();
        for part in entries.chunks(CALL_MAX) {
            if let Err(error) = set.extend(part, lease).await {
                self.telemetry.tell(|| WorkerEvent::HeartbeatFailed { error: error.to_string() });
            }
        }
    }

    /// Notes the leases whose time is over.
    fn note_lost(&self, set: &LeaseSet) {
        let now = self.clock.now().as_millis();
        for entry in set.entries.iter().filter(|entry| entry.until() <= now) {
            set.lose(entry);
        }
    }

    /// The batches that are being handled.
    pub(crate) fn sets(&self) -> Vec<Arc<LeaseSet>> {
        self.held.lock().sets.values().map(|watched| watched.set.clone()).collect()
    }

    /// Ends the watchdog.
    pub(crate) fn end(&self) {
        self.held.lock().ended = true;
        self.occupied.notify_all();
    }

    /// For the watchdog: waits on its thread until there is something to watch, and then for `interval`. Returns
    /// whether to go on.
    pub(super) fn wait_on_thread(&self, interval: Duration) -> bool {
        let mut held = self.held.lock();
        while held.sets.is_empty() && !held.ended {
            held.unwatched = true;
            self.occupied.wait(&mut held);
        }
        held.unwatched = false;
        if !held.ended {
            self.occupied.wait_for(&mut held, interval);
        }
        !held.ended
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    after(broker_core::Timestamp::from_millis(0), duration)
}
