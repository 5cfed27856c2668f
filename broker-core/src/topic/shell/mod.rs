//! The asynchronous shell around a topic's state: locks it, lets it decide, submits what it wrote, and releases the
//! answer when that is committed.

mod accept;
mod archive;
mod fan_out;
mod forms;
mod joint;
mod manage;
mod plan;
mod publish;
mod push;
mod replay;
mod subscribe;
mod subscribe_builder;
mod throttle;
mod worker;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use fan_out::LookedUpAll;
pub(crate) use joint::{Publishing, TopicPart};
pub(crate) use plan::{Plan, in_order, place_in};
pub use push::{Attached, Deliver, DeliveryOutcome, Recipient};
pub(crate) use replay::resume;
pub use subscribe_builder::SubscribeBuilder;

use super::{
    replay::StoredReplay,
    state::{Subscriptions, TopicState},
    stored::{SubscriptionDefinition, TopicDefinition},
    subscription::{SubscriptionCounters, SubscriptionId},
};
use crate::{
    broker::Broker,
    engine::Engine,
    error::{Error, Result},
    pipeline::Ticket,
    queue::shell::QueueCell,
    storage::{Batch, Durability},
    sync::{AsyncMutex, AtomicU64, Mutex, Ordering},
};

/// A topic of a broker in this process. Cheap to clone; all clones are the same topic.
///
/// Made by [`Broker::topic`](crate::Broker::topic). Its methods need no import; the trait [`Topic`](crate::Topic) has what
/// code needs that publishes to any topic.
#[derive(Clone)]
pub struct LocalTopic {
    pub(crate) cell: Arc<TopicCell>,
    /// Where the queues are found that it delivers to.
    pub(crate) broker: Broker,
}

impl std::fmt::Debug for LocalTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalTopic").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// What all handles of a topic share.
pub(crate) struct TopicCell {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) fifo: bool,
    pub(crate) engine: Arc<Engine>,
    /// Never held across an await. Locked after the ids and before any queue.
    pub(crate) inner: Mutex<TopicInner>,
    /// Held by whoever looks deduplication ids up, so that what was found still holds when it is used. Taken before those
    /// of queues.
    pub(crate) looking_up: AsyncMutex<()>,
}

/// What the topic's lock protects.
pub(crate) struct TopicInner {
    pub(crate) state: TopicState,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    /// When the archive is next looked through for what it need not keep.
    trim_at: u64,
}

/// A subscription in memory. A change makes a new one, which shares what is behind an `Arc`.
pub(crate) struct Subscription {
    pub(crate) number: u64,
    pub(crate) definition: SubscriptionDefinition,
    /// A push subscriber: where its messages wait.
    pub(crate) backlog: Option<Arc<QueueCell>>,
    pub(crate) counters: Arc<Counters>,
    /// Who delivers, by a number of its own; zero: nobody.
    pub(crate) attached: Arc<AtomicU64>,
}

/// What became of a subscription's messages.
#[derive(Default)]
pub(crate) struct Counters {
    delivered: AtomicU64,
    filtered_out: AtomicU64,
    dead_lettered: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    fn read(&self) -> SubscriptionCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SubscriptionCounters {
            delivered: read(&self.delivered),
            filtered_out: read(&self.filtered_out),
            dead_lettered: read(&self.dead_lettered),
            dropped: read(&self.dropped),
            waiting: 0,
        }
    }
}

impl Subscription {
    pub(crate) fn new(
        number: u64,
        definition: SubscriptionDefinition,
        backlog: Option<Arc<QueueCell>>,
    ) -> Arc<Self> {
        let (counters, attached) = (Arc::default(), Arc::default());
        Arc::new(Self { number, definition, backlog, counters, attached })
    }

    /// The same subscription, defined anew.
    fn redefined(&self, definition: SubscriptionDefinition) -> Arc<Self> {
        Arc::new(Self {
            number: self.number,
            definition,
            backlog: self.backlog.clone(),
            counters: self.counters.clone(),
            attached: self.attached.clone(),
        })
    }

    /// Whether it gets what is published now.
    fn is_live(&self) -> bool {
        self.definition.confirmed && !self.definition.replay.as_ref().is_some_and(StoredReplay::holds_up)
    }
}

impl TopicInner {
    /// Puts a subscription in the place of the one of its number, or behind the others.
    pub(crate) fn put(&mut self, subscription: Arc<Subscription>) {
        let mut all = Vec::clone(&self.state.subscriptions);
        match all.binary_search_by_key(&subscription.number, |one| one.number) {
            Ok(at) => all[at] = subscription,
            Err(at) => all.insert(at, subscription),
        }
        self.state.subscriptions = Arc::new(all);
    }

    fn remove(&mut self, number: u64) {
        let mut all = Vec::clone(&self.state.subscriptions);
        all.retain(|one| one.number != number);
        self.state.subscriptions = Arc::new(all);
    }

    fn subscription(&self, number: u64) -> Option<&Arc<Subscription>> {
        let all = &self.state.subscriptions;
        all.binary_search_by_key(&number, |one| one.number).ok().map(|at| &all[at])
    }

    /// The topic as the catalog stores it.
    fn definition(&self) -> TopicDefinition {
        TopicDefinition {
            id: self.state.id,
            settings: self.state.settings.clone(),
            tags: self.tags.clone(),
            created_at: self.created_at,
            archived_from: self.state.archived_from,
        }
    }
}

impl TopicCell {
    pub(crate) fn new(
        name: String,
        engine: Arc<Engine>,
        state: TopicState,
        tags: BTreeMap<String, String>,
        created_at: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            id: state.id,
            fifo: state.settings.fifo.is_some(),
            engine,
            inner: Mutex::new(TopicInner { state, tags, created_at, trim_at: 0 }),
            looking_up: AsyncMutex::new(()),
        })
    }

    /// One step of the topic alone: as that of a queue, without the passage of time, which changes nothing in it.
    fn operate<T>(
        &self,
        step: impl FnOnce(&mut TopicInner, u64, &mut Batch) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let mut inner = self.inner.lock();
        if inner.state.deleted {
            return Err(self.missing());
        }
        let mut batch = Batch::new();
        let outcome = step(&mut inner, self.engine.timeline.now(), &mut batch)?;
        let pipeline = &self.engine.pipeline;
        let ticket = if batch.is_empty() {
            pipeline.barrier()?
        } else {
            pipeline.submit(&mut batch, Durability::Synced, None)?
        };
        Ok((outcome, ticket))
    }

    pub(crate) fn missing(&self) -> Error {
        Error::TopicDoesNotExist { name: self.name.clone() }
    }

    /// The subscriptions at this moment.
    fn subscriptions(&self) -> Result<Subscriptions> {
        let inner = self.inner.lock();
        if inner.state.deleted { Err(self.missing()) } else { Ok(inner.state.subscriptions.clone()) }
    }

    pub(crate) fn subscription_id(&self, number: u64) -> SubscriptionId {
        SubscriptionId::new(self.engine.seed, self.id, number)
    }

    fn no_subscription(&self, id: SubscriptionId) -> Error {
        Error::SubscriptionDoesNotExist { topic: self.name.clone(), id }
    }

    /// The number of a subscription of this topic.
    fn number_of(&self, id: SubscriptionId) -> Result<u64> {
        id.open(self.engine.seed, self.id).ok_or_else(|| self.no_subscription(id))
    }
}
