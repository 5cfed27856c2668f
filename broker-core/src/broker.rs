//! The broker: opens a store, knows its queues, creates and deletes them.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::{
    catalog::{self, Definition, Stored},
    clock::{Clock, Timeline, TokioClock, millis},
    codec::write_u64,
    engine::{Engine, Ids},
    error::{Error, Result},
    ids::Seed,
    keys,
    limits::{Limits, MemoryBounds},
    pipeline::Pipeline,
    queue::{
        LocalQueue, ROW_OVERHEAD_MAX, check,
        options::{QueueSettings, Settings},
        record::Record,
        recovery,
        shell::QueueCell,
        state::{Leftover, QueueState},
    },
    reclaim,
    storage::{Batch, Durability, Storage, StorageError},
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
/// what was not.
#[derive(Clone)]
pub struct Broker {
    engine: Arc<Engine>,
    /// Locked before the ids and before any queue.
    queues: Arc<Mutex<Queues>>,
}

/// The queues in memory: all there are.
struct Queues {
    by_name: HashMap<String, Arc<QueueCell>>,
    /// When the queues of these names were deleted, as long as the limits make that matter.
    deleted_at: BTreeMap<String, u64>,
}

/// How a broker is opened.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use broker_core::{Broker, Limits};
/// use broker_mem::MemStorage;
///
/// let broker = Broker::builder(MemStorage::new()).limits(Limits::unlimited()).seed(7).open().await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a builder does nothing until it is opened"]
pub struct BrokerBuilder {
    store: Arc<dyn Storage>,
    limits: Limits,
    memory: MemoryBounds,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    bytes_in_flight_max: usize,
}

/// By default this much may wait for its commit before senders have to wait: a few hundred large messages.
const BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;

impl BrokerBuilder {
    /// What the broker refuses; by default [`Limits::aws`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How much of each queue stays in memory; the default suits all but tests and the smallest devices.
    pub fn memory(self, memory: MemoryBounds) -> Self {
        Self { memory, ..self }
    }

    /// Where the broker gets its time from; by default a [`TokioClock`].
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Some(Arc::new(clock)), ..self }
    }

    /// The seed of message ids and receipts if the store is new; by default from the operating system.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// How many bytes of messages may wait for their commit before sends wait too; by default 64 MiB.
    pub fn bytes_in_flight_max(self, bytes: usize) -> Self {
        Self { bytes_in_flight_max: bytes, ..self }
    }

    /// Opens the store and makes a new one of an empty one. Costs a few small reads per queue, whatever its backlog.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. Cancel safe.
    pub async fn open(self) -> Result<Broker> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let pipeline = Pipeline::new(self.store, runtime, self.bytes_in_flight_max);
        let seed = self.seed;
        let stored = match pipeline.read(catalog::read).await? {
            Some(stored) => stored,
            None => create(&pipeline, seed.map_or_else(Seed::random, |seed| Some(Seed(seed)))).await?,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(TokioClock::new()));
        let memory = self.memory;
        let load =
            move |store: &dyn Storage| load(store, &stored, memory, clock).map(|loaded| (stored, loaded));
        let (stored, loaded) = pipeline.read(load).await?;
        let engine = Arc::new(Engine {
            pipeline,
            timeline: loaded.timeline,
            limits: self.limits,
            memory,
            seed: stored.seed,
            ids: Mutex::new(Ids::new(stored.next_id)),
        });
        let cell = |((name, definition), state): ((String, Definition), QueueState)| {
            let cell = QueueCell::new(name.clone(), engine.clone(), state, definition.description());
            (name, cell)
        };
        let by_name = stored.queues.into_iter().zip(loaded.states).map(cell).collect();
        for leftover in loaded.leftovers {
            reclaim::start(&engine, leftover);
        }
        let queues = Queues { by_name, deleted_at: stored.tombstones.into_iter().collect() };
        Ok(Broker { engine, queues: Arc::new(Mutex::new(queues)) })
    }
}

/// Makes a new store.
async fn create(pipeline: &Arc<Pipeline>, seed: Option<Seed>) -> Result<Stored> {
    let seed = seed.ok_or(Error::NoRandomness)?;
    let mut batch = Batch::new();
    batch.put_meta(keys::HEADER, &catalog::encode_header(seed));
    pipeline.submit(&mut batch, Durability::Synced, None)?.wait().await?;
    Ok(Stored { seed, next_id: catalog::FIRST_ID, queues: Vec::new(), tombstones: Vec::new() })
}

struct Loaded {
    timeline: Timeline,
    states: Vec<QueueState>,
    leftovers: Vec<Leftover>,
}

/// Reads the state of every queue, at a time that is not before anything stored.
fn load(
    store: &dyn Storage,
    stored: &Stored,
    memory: MemoryBounds,
    clock: Arc<dyn Clock>,
) -> Result<Loaded, StorageError> {
    let record = |(_, definition): &(String, Definition)| recovery::read_record(store, definition.id);
    let records = stored.queues.iter().map(record).collect::<Result<Vec<Record>, _>>()?;
    let newest = records.iter().map(|record| record.as_of).max().unwrap_or(0);
    let timeline = Timeline::new(clock, newest);
    let now = timeline.now();
    let state = |((_, definition), record): (&(String, Definition), &Record)| {
        recovery::load(store, definition.id, definition.settings.clone(), memory, record, now)
    };
    let states = stored.queues.iter().zip(&records).map(state).collect::<Result<_, _>>()?;
    Ok(Loaded { timeline, states, leftovers: reclaim::noted(store)? })
}

impl Broker {
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
        BrokerBuilder {
            store,
            limits: Limits::aws(),
            memory: MemoryBounds::default(),
            clock: None,
            seed: None,
            bytes_in_flight_max: BYTES_IN_FLIGHT_MAX,
        }
    }

    /// The queue of this name, created if there is none. Await it, after setting what should differ from the defaults.
    ///
    /// If the queue exists, the settings given must be those it has now; none given is always fine (rule Q6).
    pub fn queue(&self, name: impl Into<String>) -> QueueBuilder {
        QueueBuilder {
            broker: self.clone(),
            name: name.into(),
            settings: QueueSettings::new(),
            tags: BTreeMap::new(),
        }
    }

    /// The queue of this name, which must exist. Cancel safe.
    pub async fn open_queue(&self, name: &str) -> Result<LocalQueue> {
        let cell = self.queues.lock().by_name.get(name).cloned();
        let cell = cell.ok_or_else(|| Error::QueueDoesNotExist { name: name.to_owned() })?;
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(LocalQueue { cell })
    }

    /// Creates a queue, or opens it if it exists with these settings (rule Q6). Tags are set on a new queue only.
    ///
    /// Cancel safe in this sense: a dropped call has created the queue or not, and later calls agree on which.
    pub async fn create_queue(
        &self,
        name: &str,
        settings: &QueueSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<LocalQueue> {
        let Engine { pipeline, limits, .. } = &*self.engine;
        check::queue_name(name, limits)?;
        let value_bytes_max = pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        settings.check(limits, value_bytes_max)?;
        check::tags(tags, limits)?;
        let (cell, ticket) = {
            let mut queues = self.queues.lock();
            if let Some(cell) = queues.by_name.get(name).cloned() {
                if let Some(attribute) = cell.settings().first_difference(settings) {
                    return Err(Error::QueueNameExists { name: name.to_owned(), attribute });
                }
                (cell, pipeline.barrier()?)
            } else {
                let settings = Settings::defaults(limits, value_bytes_max).with(settings);
                self.add_queue(&mut queues, name, settings, tags.clone())?
            }
        };
        ticket.wait().await?;
        Ok(LocalQueue { cell })
    }

    fn add_queue(
        &self,
        queues: &mut Queues,
        name: &str,
        settings: Settings,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<QueueCell>, crate::pipeline::Ticket)> {
        let now = self.engine.timeline.now();
        let mut batch = Batch::new();
        if let Some(deleted_at) = queues.deleted_at.get(name) {
            let free_at = deleted_at.saturating_add(millis(self.engine.limits.recreate_wait));
            if now < free_at {
                let wait = Duration::from_millis(free_at - now);
                return Err(Error::QueueDeletedRecently { name: name.to_owned(), wait });
            }
            batch.delete_meta(&keys::tombstone(name));
        }
        let mut ids = self.engine.ids.lock();
        let (id, partition) = (ids.take(&mut batch), ids.take(&mut batch));
        let record = Record { partition, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: now };
        let definition = Definition { id, settings, tags, created_at: now, last_modified_at: now };
        batch.put_meta(&keys::definition(name), &definition.encode());
        batch.put_meta(&keys::record(id), &record.encode());
        let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
        drop(ids);
        let state = QueueState::new(id, definition.settings.clone(), self.engine.memory, &record);
        let cell = QueueCell::new(name.to_owned(), self.engine.clone(), state, definition.description());
        queues.deleted_at.remove(name);
        queues.by_name.insert(name.to_owned(), cell.clone());
        Ok((cell, ticket))
    }

    /// Deletes a queue with its messages. Handles of it answer that it does not exist, waiting receives included.
    ///
    /// One small write, whatever the backlog; the space is given back in the background. Cancel safe in this sense: a
    /// dropped call has deleted the queue or not.
    pub async fn delete_queue(&self, name: &str) -> Result<()> {
        let (leftover, ticket) = {
            let mut queues = self.queues.lock();
            let missing = || Error::QueueDoesNotExist { name: name.to_owned() };
            let cell = queues.by_name.get(name).cloned().ok_or_else(missing)?;
            let mut batch = Batch::new();
            batch.delete_meta(&keys::definition(name));
            batch.delete_meta(&keys::record(cell.id));
            if !self.engine.limits.recreate_wait.is_zero() {
                let now = self.engine.timeline.now();
                let mut value = Vec::with_capacity(8);
                write_u64(&mut value, now);
                batch.put_meta(&keys::tombstone(name), &value);
                queues.deleted_at.insert(name.to_owned(), now);
            }
            let (leftover, ticket) = cell.delete(&mut batch)?;
            queues.by_name.remove(name);
            (leftover, ticket)
        };
        ticket.wait().await?;
        reclaim::start(&self.engine, leftover);
        Ok(())
    }

    /// The names of the queues that start with `prefix`, in order (rule Q9).
    pub fn list_queues(&self, prefix: &str) -> Vec<String> {
        let queues = self.queues.lock();
        let mut names: Vec<_> =
            queues.by_name.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        names.sort_unstable();
        names
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
    /// Later calls on any handle answer [`Error::Closed`], waiting receives included; closing again does too. Cancel
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

/// A queue about to be created or opened: see [`Broker::queue`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// use std::time::Duration;
///
/// let orders = broker.queue("orders").visibility_timeout(Duration::from_secs(60)).await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a builder does nothing until it is awaited"]
pub struct QueueBuilder {
    broker: Broker,
    name: String,
    settings: QueueSettings,
    tags: BTreeMap<String, String>,
}

impl QueueBuilder {
    /// All settings at once, in place of those given before.
    pub fn settings(self, settings: QueueSettings) -> Self {
        Self { settings, ..self }
    }

    /// How long a received message stays invisible: 0 to 12 hours, by default 30 seconds.
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { settings: self.settings.visibility_timeout(timeout), ..self }
    }

    /// How long a new message stays invisible: 0 to 15 minutes, by default zero.
    pub fn delay(self, delay: Duration) -> Self {
        Self { settings: self.settings.delay(delay), ..self }
    }

    /// How long a message is kept: 1 minute to 14 days, by default 4 days.
    pub fn retention(self, retention: Duration) -> Self {
        Self { settings: self.settings.retention(retention), ..self }
    }

    /// The largest message in bytes, attributes included: 1 KiB to 1 MiB, by default the most.
    pub fn max_message_size(self, bytes: usize) -> Self {
        Self { settings: self.settings.max_message_size(bytes), ..self }
    }

    /// How long a receive waits for a message if it does not say: 0 to 20 seconds, by default zero.
    pub fn receive_wait_time(self, wait: Duration) -> Self {
        Self { settings: self.settings.receive_wait_time(wait), ..self }
    }

    /// What a send or delete survives before it is answered, by default [`Durability::Synced`].
    pub fn durability(self, durability: Durability) -> Self {
        Self { settings: self.settings.durability(durability), ..self }
    }

    /// A tag, set if the queue is new.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl IntoFuture for QueueBuilder {
    type Output = Result<LocalQueue>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.broker.create_queue(&self.name, &self.settings, &self.tags).await })
    }
}
