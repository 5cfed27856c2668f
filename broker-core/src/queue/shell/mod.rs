//! The asynchronous shell around a queue's state: locks it, lets it decide, submits what it wrote, and releases the
//! answer when that is committed.

mod dead;
mod manage;
mod receive;
mod send;
mod settle;
mod wait;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use self::wait::Waiters;
use super::{
    settings::Settings,
    state::{Fetched, Leftover, Need, QueueState},
};
use crate::{
    engine::Engine,
    error::{Error, Result},
    pipeline::{Admission, Ticket},
    reclaim,
    storage::{Batch, Durability, StorageError},
};

/// A queue of a broker in this process. Cheap to clone; all clones are the same queue.
///
/// Made by [`Broker::queue`](crate::Broker::queue). Its methods need no import; the trait [`Queue`](crate::Queue) has
/// the same operations for code that takes any queue, and [`QueueExt`](crate::QueueExt) adds conveniences.
#[derive(Clone)]
pub struct LocalQueue {
    pub(crate) cell: Arc<QueueCell>,
}

impl std::fmt::Debug for LocalQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalQueue").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// What all handles of a queue share.
pub(crate) struct QueueCell {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) engine: Arc<Engine>,
    /// Never held across an await. Locked after the engine's ids and before the pipeline.
    pub(crate) inner: Mutex<Inner>,
    waiters: Waiters,
    /// Held by whoever reads pages for this queue, so that they are read once.
    paging: tokio::sync::Mutex<()>,
}

/// What the queue's lock protects.
pub(crate) struct Inner {
    pub(crate) state: QueueState,
    pub(crate) description: Description,
    /// The batch of the operation under way: empty between operations, kept for its memory.
    batch: Batch,
    /// What page reads must wait for before they see what the state has put out of memory.
    fence: Ticket,
}

/// What users note about a queue; the state does not need it.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    pub(crate) last_modified_at: u64,
}

/// What an operation works with, under the queue's lock.
pub(crate) struct Operation<'a> {
    pub(crate) state: &'a mut QueueState,
    pub(crate) description: &'a mut Description,
    pub(crate) batch: &'a mut Batch,
    pub(crate) now: u64,
}

impl QueueCell {
    pub(crate) fn new(
        name: String,
        engine: Arc<Engine>,
        state: QueueState,
        description: Description,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            id: state.id,
            engine,
            inner: Mutex::new(Inner { state, description, batch: Batch::new(), fence: Ticket::default() }),
            waiters: Waiters::default(),
            paging: tokio::sync::Mutex::new(()),
        })
    }

    /// One step of the queue: time passes, `step` decides, what both wrote is submitted, whoever waits is told.
    ///
    /// No durability given: that of the queue. The ticket covers all that the step can have seen. If `step` fails it
    /// must have changed nothing; the passage of time stays.
    pub(crate) fn operate<T>(
        &self,
        durability: impl Into<Option<Durability>>,
        admission: Option<Admission<'_>>,
        step: impl FnOnce(&mut Operation<'_>) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let pipeline = &self.engine.pipeline;
        let mut inner = self.inner.lock();
        let Inner { state, description, batch, fence } = &mut *inner;
        if state.deleted {
            return Err(Error::QueueDoesNotExist { name: self.name.clone() });
        }
        let now = self.engine.timeline.now();
        state.committed(pipeline.completed());
        let armed = state.next_event();
        state.tick(now, batch);
        let outcome = step(&mut Operation { state, description, batch, now });
        state.finish(now, batch);
        let ticket = if batch.is_empty() {
            pipeline.barrier()?
        } else {
            let durability = durability.into().unwrap_or(state.settings.durability.into());
            let ticket = pipeline.submit(batch, durability, admission)?;
            state.submitted(ticket.number());
            if state.take_fence() {
                *fence = ticket.clone();
            }
            ticket
        };
        // At the in-flight limit nobody can take it: a waiter would look, find nothing, wake itself and look again.
        if state.has_more() && state.in_flight() < self.engine.limits.in_flight_max {
            self.waiters.message_waits();
        }
        let next = state.next_event();
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            self.waiters.event_came_closer();
        }
        Ok((outcome?, ticket))
    }

    /// Supplies what the state needs from storage before it can answer for `want` messages. Cancel safe.
    async fn page_in(&self, want: usize) -> Result<()> {
        let _turn = self.paging.lock().await;
        loop {
            let ask = |op: &mut Operation<'_>| Ok(op.state.need(op.now, want));
            let (need, _) = self.operate(Durability::Buffered, None, ask)?;
            let Some(need) = need else { return Ok(()) };
            self.fence().wait().await?;
            let (need, fetched) = self
                .engine
                .pipeline
                .read(move |store| {
                    let fetched = need.fetch(store)?;
                    Ok((need, fetched))
                })
                .await?;
            // No answer depends on what this writes: it only moves what is stored already.
            let _ = self.operate(Durability::Buffered, None, |op| op.absorb(&need, fetched))?;
        }
    }

    /// What must be committed before a read sees all that the state has put out of memory so far.
    fn fence(&self) -> Ticket {
        self.inner.lock().fence.clone()
    }

    /// Ends the queue with the writes of `batch`: handles answer that it does not exist, waiting receives included.
    /// Returns what is left of it in storage.
    pub(crate) fn delete(&self, batch: &mut Batch) -> Result<(Leftover, Ticket)> {
        let ended = {
            let mut inner = self.inner.lock();
            let leftover = inner.state.leftover();
            reclaim::note(leftover, batch);
            let ticket = self.engine.pipeline.submit(batch, Durability::Synced, None)?;
            inner.state.deleted = true;
            (leftover, ticket)
        };
        self.waiters.wake_all();
        Ok(ended)
    }

    /// How long a receive waits that does not say.
    fn receive_wait_time_ms(&self) -> u64 {
        self.inner.lock().state.settings.receive_wait_time_ms
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Settings {
        self.inner.lock().state.settings.clone()
    }
}

impl Operation<'_> {
    fn absorb(&mut self, need: &Need, fetched: Fetched) -> Result<()> {
        self.state.absorb(need, fetched, self.batch).map_err(|what| {
            StorageError::corrupt(format!("the record of queue {}", self.state.id), what.0)
        })?;
        self.state.tick(self.now, self.batch);
        Ok(())
    }

    /// Supplies what the state needs at once, from a store that cannot block. Returns whether it could.
    fn page_in_here(&mut self, cell: &QueueCell, want: usize) -> Result<bool> {
        let pipeline = &cell.engine.pipeline;
        while let Some(need) = self.state.need(self.now, want) {
            if pipeline.profile().can_block {
                return Ok(false);
            }
            // The state must not read what this operation has not committed yet.
            self.state.finish(self.now, self.batch);
            if !self.batch.is_empty() {
                let _ = pipeline.submit(self.batch, Durability::Buffered, None)?;
                self.state.take_fence();
            }
            let fetched = pipeline.with_store(|store| need.fetch(store))?;
            self.absorb(&need, fetched)?;
        }
        Ok(true)
    }
}
