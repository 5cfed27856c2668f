//! The asynchronous shell around a stream's state: locks it, lets it decide, submits what it wrote, and releases the answer
//! when that is committed.

mod joint;
mod look;
mod manage;
mod put;
mod read;
mod reader;
mod reshard;
pub(crate) mod retain;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use joint::StagedPut;
pub use reader::ShardReader;

use super::{group::GroupCell, queue::StreamQueueCell, state::StreamState};
use crate::{
    broker::Broker,
    engine::Engine,
    error::{Error, Result},
    pipeline::Ticket,
    storage::{Batch, Durability},
    sync::{Mutex, MutexGuard, Notify},
};

/// A stream of a broker in this process. Cheap to clone; all clones are the same stream.
///
/// Made by [`Broker::stream`](crate::Broker::stream). Its methods need no import; the trait [`Stream`](crate::Stream) has what
/// code needs that takes any stream.
#[derive(Clone)]
pub struct LocalStream {
    pub(crate) cell: Arc<StreamCell>,
    pub(crate) broker: Broker,
}

impl std::fmt::Debug for LocalStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalStream").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// What all handles of a stream share.
pub(crate) struct StreamCell {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) engine: Arc<Engine>,
    /// Never held across an await. Locked after the ids.
    pub(crate) inner: Mutex<StreamInner>,
    /// Notified when there is something for readers: records, the end of a shard, the end of the stream.
    news: Notify,
    /// Wakes the task that gives up what expires.
    look_again: Arc<Notify>,
}

/// What the stream's lock protects.
pub(crate) struct StreamInner {
    pub(crate) state: StreamState,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    /// The batch of the operation under way: empty between operations, kept for its memory.
    pub(crate) batch: Batch,
    /// The last records that were put, so that readers can wait for them.
    last_put: Ticket,
    pub(crate) groups: BTreeMap<String, Arc<GroupCell>>,
    pub(crate) queues: BTreeMap<String, Arc<StreamQueueCell>>,
    /// A task gives up what expires.
    trimming: bool,
}

impl StreamInner {
    /// Writes the stream's definition.
    fn save(&mut self, name: &str) {
        let definition = self.state.definition(self.tags.clone(), self.created_at);
        definition.save(name, &mut self.batch);
    }
}

impl StreamCell {
    pub(crate) fn new(
        name: String,
        engine: Arc<Engine>,
        state: StreamState,
        tags: BTreeMap<String, String>,
        created_at: u64,
    ) -> Arc<Self> {
        let inner = StreamInner {
            state,
            tags,
            created_at,
            batch: Batch::new(),
            last_put: Ticket::default(),
            groups: BTreeMap::new(),
            queues: BTreeMap::new(),
            trimming: false,
        };
        let (id, inner) = (inner.state.id, Mutex::new(inner));
        Arc::new(Self { name, id, engine, inner, news: Notify::new(), look_again: Arc::default() })
    }

    /// One step of the stream. If it fails it must have changed nothing.
    pub(crate) fn operate<T>(
        &self,
        durability: Durability,
        step: impl FnOnce(&mut StreamInner, u64) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let mut inner = self.inner.lock();
        if inner.state.deleted {
            return Err(self.missing());
        }
        let pipeline = &self.engine.pipeline;
        inner.state.committed(pipeline.completed());
        let outcome = step(&mut inner, self.engine.timeline.now());
        if outcome.is_err() {
            inner.batch.clear();
        }
        let outcome = outcome?;
        let ticket = if inner.batch.is_empty() {
            pipeline.barrier()?
        } else {
            pipeline.submit(&mut inner.batch, durability, None)?
        };
        Ok((outcome, ticket))
    }

    /// Notified when there is something for readers.
    pub(crate) fn news(&self) -> &Notify {
        &self.news
    }

    /// The stream, locked, with note taken of what is committed.
    pub(crate) fn up_to_date(&self) -> MutexGuard<'_, StreamInner> {
        let mut inner = self.inner.lock();
        inner.state.committed(self.engine.pipeline.completed());
        inner
    }

    /// The last records that were put, if they are on their way.
    pub(crate) fn coming(&self) -> Option<Ticket> {
        let inner = self.up_to_date();
        let completed = self.engine.pipeline.completed();
        Some(inner.last_put.clone()).filter(|ticket| ticket.number() > completed)
    }

    /// Wakes whoever waits for something in this stream: it was deleted.
    pub(crate) fn end(&self) {
        self.news.notify_waiters();
        self.look_again.notify_one();
    }

    pub(crate) fn missing(&self) -> Error {
        Error::StreamDoesNotExist { name: self.name.clone() }
    }
}
