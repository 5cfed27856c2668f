//! The asynchronous shell around a queue's state: locks it, lets it decide, submits what it wrote, and releases the
//! answer when that is committed.

mod dead;
mod duplicate;
mod handout;
mod inside;
mod joint;
mod known_ids;
mod manage;
mod operation;
mod peek;
mod receive;
mod send;
mod settle;
mod tell;
mod wait;
mod watch;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use self::{
    joint::{DeadRow, Settlement, StagedSend, read_dead_row},
    known_ids::{LookedUp, ToLookUp},
    operation::Operation,
    send::content_id,
    settle::{ColdLeases, Missing},
};
use self::{wait::Waiters, watch::Watched};
use super::{
    settings::{DeduplicationScope, Settings},
    state::{Leftover, QueueState, Want},
};
use crate::{
    broker::{Broker, Moves},
    engine::Engine,
    error::Result,
    keys,
    pipeline::Ticket,
    reclaim,
    storage::{Batch, Durability},
    sync::{AsyncMutex, Mutex},
};

/// A queue of a broker in this process. Cheap to clone; all clones are the same queue.
///
/// Made by [`Broker::queue`](crate::Broker::queue). Its methods need no import; the trait [`Queue`](crate::Queue) has
/// the same operations for code that takes any queue, and [`QueueExt`](crate::QueueExt) adds conveniences.
#[derive(Clone)]
pub struct LocalQueue {
    pub(crate) cell: Arc<QueueCell>,
    /// Where the other queues are found that this one has to do with.
    pub(crate) broker: Broker,
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
    /// What is settled at the queue's creation; `None` for a standard queue.
    pub(crate) fifo: Option<DeduplicationScope>,
    pub(crate) engine: Arc<Engine>,
    /// Never held across an await. Locked after the engine's ids and before the pipeline.
    pub(crate) inner: Mutex<Inner>,
    waiters: Waiters,
    /// Held by whoever reads pages for this queue, so that they are read once.
    paging: AsyncMutex<()>,
    /// Held by whoever looks deduplication ids up, so that what was found still holds when it is used.
    pub(crate) looking_up: AsyncMutex<()>,
}

/// What the queue's lock protects.
pub(crate) struct Inner {
    pub(crate) state: QueueState,
    pub(crate) description: Description,
    /// The tasks that move messages out of this queue.
    pub(crate) moves: Moves,
    /// The batch of the operation under way: empty between operations, kept for its memory.
    batch: Batch,
    /// What page reads must wait for before they see what the state has put out of memory.
    fence: Ticket,
    /// Who wants to know of changes, if somebody does.
    watched: Option<Watched>,
}

/// What users note about a queue; the state does not need it.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    pub(crate) last_modified_at: u64,
}

impl Description {
    /// Of a queue that nobody notes anything about.
    pub(crate) fn at(created_at: u64) -> Self {
        Self { tags: BTreeMap::new(), created_at, last_modified_at: created_at }
    }
}

impl QueueCell {
    pub(crate) fn new(
        name: String,
        engine: Arc<Engine>,
        state: QueueState,
        description: Description,
    ) -> Arc<Self> {
        let mut state = state;
        if engine.observer.is_some() {
            state.observe();
        }
        Arc::new(Self {
            name,
            id: state.id,
            fifo: state.settings.fifo.map(|fifo| fifo.scope_in_force),
            engine,
            inner: Mutex::new(Inner {
                state,
                description,
                moves: Moves::default(),
                batch: Batch::new(),
                fence: Ticket::default(),
                watched: None,
            }),
            waiters: Waiters::default(),
            paging: AsyncMutex::new(()),
            looking_up: AsyncMutex::new(()),
        })
    }

    /// Supplies what the state needs from storage before it can answer. Cancel safe.
    pub(crate) async fn page_in(&self, want: Want) -> Result<()> {
        let _turn = self.paging.lock().await;
        loop {
            let ask = |op: &mut Operation<'_>| Ok(op.state.ask(op.now, want));
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
    pub(crate) fn fence(&self) -> Ticket {
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
            inner.watched = None;
            (leftover, ticket)
        };
        self.waiters.wake_all();
        Ok(ended)
    }

    /// Ends a queue that belongs to something else, when `batch` is committed. Nothing of it may be submitted after this, so
    /// the locks of its owner must be held until then.
    pub(crate) fn end(&self, batch: &mut Batch) -> Leftover {
        let leftover = {
            let mut inner = self.inner.lock();
            inner.state.deleted = true;
            inner.watched = None;
            inner.state.leftover()
        };
        batch.delete_meta(&keys::record(self.id));
        reclaim::note(leftover, batch);
        self.waiters.wake_all();
        leftover
    }

    /// How many messages there are, whatever they do.
    pub(crate) fn stored(&self) -> u64 {
        self.inner.lock().state.stored()
    }

    /// What a send or delete survives.
    pub(crate) fn durability(&self) -> Durability {
        self.inner.lock().state.settings.durability.into()
    }

    /// How long a receive waits that does not say.
    fn receive_wait_time_ms(&self) -> u64 {
        self.inner.lock().state.settings.receive_wait_time_ms
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.fifo.is_some()
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Settings {
        self.inner.lock().state.settings.clone()
    }
}
