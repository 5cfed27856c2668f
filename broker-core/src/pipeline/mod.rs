//! The commit pipeline: the one module that calls [`Storage::commit`].
//!
//! Batches that wait are merged into a *group* and committed together; while that group syncs, the next one forms.
//! There is no timer: a lone batch goes at once, and a crowd goes in one commit. A group takes the strongest
//! durability of its members, and groups complete in order. So when the group of a reply is complete, everything that
//! the reply can have seen is as durable as it was promised to be.
//!
//! Where the store cannot block, a batch is committed inline on the caller's thread, and there are no groups.
//!
//! A failed commit poisons the pipeline for good: reopening the store is the one way on.

mod admission;
mod group;
mod turn;
mod watermark;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

pub(crate) use admission::Admission;
use group::Group;
pub(crate) use group::Ticket;
use turn::CommitterTurn;
pub(crate) use watermark::Watermark;

use crate::{
    error::{Error, Result},
    seeded::seeded,
    storage::{Batch, Durability, Profile, Storage, StorageError},
    sync::{AtomicU64, Mutex, Notified, Notify, Ordering, Runtime, RwLock, Semaphore},
};

/// The group that is forming, behind the pipeline's only lock.
struct Forming {
    group: Arc<Group>,
    batch: Batch,
    durability: Durability,
    admitted_bytes: usize,
    members: usize,
    /// Whether a committer is at work, which will come back for this group.
    committing: bool,
    /// The group being committed now.
    running: Option<Arc<Group>>,
    /// Why nothing more is taken: the broker was closed, or a commit failed.
    stopped: Option<Error>,
}

impl Forming {
    /// A ticket for everything submitted so far, unless the pipeline has stopped.
    fn last(&self) -> Result<Ticket> {
        match &self.stopped {
            Some(stopped) => Err(stopped.clone()),
            None if self.members > 0 => Ok(Ticket(Some(self.group.clone()))),
            None => Ok(Ticket(self.running.clone())),
        }
    }
}

/// The way from batches to the store. Lock order: an entity's lock first, then `forming`.
pub(crate) struct Pipeline {
    store: RwLock<Option<Arc<dyn Storage>>>,
    profile: Profile,
    runtime: Runtime,
    forming: Mutex<Forming>,
    /// The newest complete group: grows only.
    completed: AtomicU64,
    admission: Semaphore,
    admission_max: usize,
    /// Notified when `stopped` is set, for those who wait for messages.
    stop: Arc<Notify>,
}

impl Pipeline {
    pub(crate) fn new(store: Arc<dyn Storage>, runtime: Runtime, bytes_in_flight_max: usize) -> Arc<Self> {
        let admission_max = bytes_in_flight_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Arc::new(Self {
            profile: store.profile(),
            store: RwLock::new(Some(store)),
            runtime,
            forming: Mutex::new(Forming {
                group: Group::new(1),
                batch: Batch::new(),
                durability: Durability::Memory,
                admitted_bytes: 0,
                members: 0,
                committing: false,
                running: None,
                stopped: None,
            }),
            completed: AtomicU64::new(0),
            admission: Semaphore::new(admission_max),
            admission_max,
            stop: Arc::default(),
        })
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The newest group that is complete.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Acquire)
    }

    /// Waits until the broker stops working, from the first poll or [`enable`](Notified::enable) on.
    pub(crate) fn stopped(&self) -> Notified<'_> {
        self.stop.notified()
    }

    /// Notified when the broker stops working, for those who must not keep it open meanwhile.
    pub(crate) fn stop_signal(&self) -> Arc<Notify> {
        self.stop.clone()
    }

    /// Commits a batch, inline or with the forming group, and empties it. What it wrote is committed after everything
    /// submitted before.
    pub(crate) fn submit(
        self: &Arc<Self>,
        batch: &mut Batch,
        durability: Durability,
        admission: Option<Admission<'_>>,
    ) -> Result<Ticket> {
        let mut forming = self.forming.lock();
        if let Some(stopped) = &forming.stopped {
            batch.clear();
            return Err(stopped.clone());
        }
        if !self.profile.can_block {
            let committed = self.commit_one(batch, durability);
            batch.clear();
            return committed.map(|()| Ticket(None)).map_err(|cause| {
                forming.stopped = Some(Error::Poisoned(cause.clone()));
                self.stop.notify_waiters();
                Error::Indeterminate(cause)
            });
        }
        forming.batch.append(batch);
        forming.durability = forming.durability.max(durability);
        forming.admitted_bytes += admission.map_or(0, Admission::hand_over);
        forming.members += 1;
        let ticket = Ticket(Some(forming.group.clone()));
        if !std::mem::replace(&mut forming.committing, true) {
            // Before the thread is asked for: a runtime that has shut down drops the turn here and now.
            drop(forming);
            let turn = CommitterTurn(Some(self.clone()));
            // On a thread that may block. Paused tokio time stands still while it works, which it would not do for a
            // thread of our own.
            self.runtime.spawn_blocking(move || turn.take());
        }
        Ok(ticket)
    }

    /// A ticket for everything submitted so far, without a commit of its own.
    pub(crate) fn barrier(&self) -> Result<Ticket> {
        self.forming.lock().last()
    }

    /// How many batches wait for their commit.
    pub(crate) fn waiting(&self) -> usize {
        self.forming.lock().members
    }

    /// Commits group after group until none is waiting. One call runs at a time.
    fn commit_groups(&self) {
        let mut batch = Batch::new();
        loop {
            let (group, durability, admitted) = {
                let mut forming = self.forming.lock();
                forming.running = None;
                if forming.members == 0 {
                    forming.committing = false;
                    let closed = matches!(forming.stopped, Some(Error::Closed));
                    drop(forming);
                    if closed {
                        // The call to `close` may have been dropped.
                        self.store.write().take();
                    }
                    return;
                }
                forming.members = 0;
                std::mem::swap(&mut forming.batch, &mut batch);
                let next = Group::new(forming.group.number + 1);
                let group = std::mem::replace(&mut forming.group, next);
                forming.running = Some(group.clone());
                let durability = std::mem::replace(&mut forming.durability, Durability::Memory);
                (group, durability, std::mem::take(&mut forming.admitted_bytes))
            };
            let committed = self.commit_one(&batch, durability);
            batch.clear();
            self.admission.add_permits(admitted);
            match committed {
                Ok(()) => {
                    let before = self.completed.swap(group.number, Ordering::Release);
                    assert!(before < group.number, "the durable watermark never goes back");
                    group.finish(Ok(()));
                }
                Err(cause) => return self.poison(&group, &cause),
            }
        }
    }

    /// A commit in which a panic of the engine is an error like any other: it must not leave the waiters waiting.
    fn commit_one(&self, batch: &Batch, durability: Durability) -> Result<(), Arc<StorageError>> {
        let unsynced = seeded("no-sync-before-the-reply");
        let durability = if unsynced { durability.min(Durability::Buffered) } else { durability };
        let commit = || self.with_store(|store| store.commit(batch, durability));
        match catch_unwind(AssertUnwindSafe(commit)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Error::Storage(cause))) => Err(cause),
            Ok(Err(closed)) => Err(Arc::new(StorageError::Engine(closed.to_string()))),
            Err(_) => Err(Arc::new(StorageError::Engine("the engine panicked in a commit".into()))),
        }
    }

    fn poison(&self, group: &Group, cause: &Arc<StorageError>) {
        let mut forming = self.forming.lock();
        forming.stopped =
            Some(Error::Poisoned(cause.clone())).filter(|_| !seeded("goes-on-after-a-failed-commit"));
        forming.committing = false;
        forming.running = None;
        forming.batch.clear();
        self.admission.add_permits(std::mem::take(&mut forming.admitted_bytes));
        group.finish(Err(cause.clone()));
        forming.group.finish(Err(cause.clone()));
        self.stop.notify_waiters();
    }

    /// Reads from the store, on a thread that may block if the store can. Cancel safe.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&dyn Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T> {
        if !self.profile.can_block {
            return self.with_store(read);
        }
        let pipeline = self.clone();
        let reading = self.runtime.spawn_blocking(move || pipeline.with_store(read));
        reading.await.unwrap_or_else(|_| {
            Err(StorageError::Engine("the engine panicked in a read, or the runtime is shutting down".into())
                .into())
        })
    }

    /// Reads from the store on this thread.
    pub(crate) fn with_store<T>(
        &self,
        call: impl FnOnce(&dyn Storage) -> Result<T, StorageError>,
    ) -> Result<T> {
        match &*self.store.read() {
            Some(store) => Ok(call(&**store)?),
            None => Err(Error::Closed),
        }
    }

    /// Takes nothing more, waits for what was submitted, and lets go of the store. If dropped, the committer does.
    pub(crate) async fn close(&self) -> Result<()> {
        let last = {
            let mut forming = self.forming.lock();
            // Under one lock: nothing may be submitted behind what this waits for, or its commit finds no store.
            let last = forming.last()?;
            forming.stopped = Some(Error::Closed);
            last
        };
        self.stop.notify_waiters();
        let committed = last.wait().await;
        self.store.write().take();
        committed
    }
}
