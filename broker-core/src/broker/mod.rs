//! The broker: one open store with its queues, topics, streams and spaces.

mod cells;
mod moves;
mod notes;
mod open;
mod queue_builder;
mod queues;
mod redrive;
mod spaces;
mod stream_builder;
mod streams;
mod topic_builder;
mod topics;
pub(crate) mod verify;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
};

pub(crate) use moves::Moves;
pub use moves::{
    MoveFilter, MovePlan, MoveTask, MoveTaskHandle, MoveTaskInfo, MoveTaskStatus, ParseMoveTaskHandleError,
};
pub use open::BrokerBuilder;
pub use queue_builder::QueueBuilder;
pub use stream_builder::StreamBuilder;
pub use topic_builder::TopicBuilder;

use crate::{
    engine::Engine,
    error::Result,
    queue::shell::QueueCell,
    space::SpaceCell,
    storage::{Batch, Durability, Storage},
    stream::shell::StreamCell,
    sync::Mutex,
    topic::shell::TopicCell,
};

/// A message broker inside this process. Cheap to clone; all clones are the same broker.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use broker_core::Broker;
/// use broker_mem::MemStorage;
///
/// let broker = Broker::open(MemStorage::new()).await?;
/// let orders = broker.queue("orders").await?;
/// orders.send("order 1").await?;
/// for message in orders.receive(Default::default()).await? {
///     orders.delete(message.receipt).await?;
/// }
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
///
/// Dropping the last handle is as safe as a crash: what was acknowledged is kept. [`close`](Self::close) also waits for
/// what was not, and is what to call before the store is opened again: background work may hold a store for a moment
/// after the last handle is gone.
#[derive(Clone)]
pub struct Broker {
    engine: Arc<Engine>,
    /// Locked before the ids and before any topic, stream or queue.
    entities: Arc<Mutex<Entities>>,
}

/// What the broker has, by name: all of it is in memory.
pub(crate) struct Entities {
    queues: HashMap<String, Arc<QueueCell>>,
    topics: HashMap<String, Arc<TopicCell>>,
    streams: HashMap<String, Arc<StreamCell>>,
    spaces: HashMap<String, Arc<SpaceCell>>,
    /// Queues that belong to something else and are found by their name, which no user can give to a queue.
    hidden: HashMap<String, Arc<QueueCell>>,
    /// When the queues of these names were deleted, as long as the limits make that matter.
    deleted_at: BTreeMap<String, u64>,
}

/// A broker that work in the background goes on with, if it is still there.
pub(crate) struct WeakBroker {
    engine: Weak<Engine>,
    entities: Weak<Mutex<Entities>>,
}

impl WeakBroker {
    pub(crate) fn upgrade(&self) -> Option<Broker> {
        Some(Broker { engine: self.engine.upgrade()?, entities: self.entities.upgrade()? })
    }
}

impl Broker {
    /// What all that this broker has shares.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// For work in the background, which holds the broker only while it works.
    pub(crate) fn downgrade(&self) -> WeakBroker {
        WeakBroker { engine: Arc::downgrade(&self.engine), entities: Arc::downgrade(&self.entities) }
    }

    /// Opens a store with the defaults: see [`BrokerBuilder::open`].
    pub async fn open(store: impl Storage) -> Result<Self> {
        Self::builder(store).open().await
    }

    /// Sets up how a store is opened.
    pub fn builder(store: impl Storage) -> BrokerBuilder {
        Self::builder_on(Arc::new(store))
    }

    /// Sets up how a shared store is opened. One broker at a time may have it open.
    pub fn builder_on(store: Arc<dyn Storage>) -> BrokerBuilder {
        BrokerBuilder::new(store)
    }

    /// Makes all that was submitted so far as durable as the store can, whatever the durability it was given.
    ///
    /// Cancel safe: what was submitted is committed anyway.
    pub async fn flush(&self) -> Result<Flushed> {
        let waiting = self.engine.pipeline.waiting();
        self.engine.pipeline.submit(&mut Batch::new(), Durability::Synced, None)?.wait().await?;
        let profile = self.engine.pipeline.profile();
        let durability = match (profile.survives_power_loss, profile.survives_kill) {
            (true, _) => Durability::Synced,
            (false, true) => Durability::Buffered,
            (false, false) => Durability::Memory,
        };
        Ok(Flushed { batches_waiting: waiting, durability })
    }

    /// Flushes, takes no more calls, and lets go of the store, so that it can be opened again.
    ///
    /// Later calls on any handle answer [`Error::Closed`](crate::Error::Closed), waiting receives included; closing again does too. Cancel
    /// safe in this sense: a dropped call has flushed, or closed, or nothing.
    pub async fn close(&self) -> Result<Flushed> {
        let flushed = self.flush().await?;
        self.engine.pipeline.close().await?;
        Ok(flushed)
    }
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// How many batches had not been committed when the flush began.
    pub batches_waiting: usize,
    /// What everything sent or deleted before now survives: as much as the store can do.
    pub durability: Durability,
}
