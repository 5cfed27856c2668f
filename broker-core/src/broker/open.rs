//! How a broker is opened: a new store is made, an old one is read.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    Broker, Entities,
    cells::{hidden, stream_cell, topic_cell},
    moves::{self, Moves},
};
use crate::{
    catalog::{self, Definition, Stored},
    clock::{Clock, Timeline, TokioClock},
    engine::{Engine, Ids},
    error::{Error, Result},
    ids::{NUMBER_MAX, Seed},
    keys,
    limits::{Limits, MemoryBounds},
    pipeline::Pipeline,
    queue::{
        observe::Observer,
        record::Record,
        recovery,
        shell::QueueCell,
        state::{Leftover, QueueState},
    },
    reclaim,
    space::{self, History, SpaceCell, SpaceDefinition},
    storage::{Batch, Durability, Storage, StorageError},
    stream::{self, recovery::LoadedStream},
    sync::{Mutex, Runtime},
    topic::{
        self,
        envelope::{CurrentEnvelope, Envelope, PlainEnvelope},
        recovery::LoadedTopic,
    },
};

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
    release_in_flight: bool,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    bytes_in_flight_max: usize,
    envelope: Arc<dyn Envelope>,
    observer: Option<Arc<dyn Observer>>,
}

/// By default this much may wait for its commit before senders have to wait: a few hundred large messages.
const BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;

impl BrokerBuilder {
    pub(super) fn new(store: Arc<dyn Storage>) -> Self {
        Self {
            store,
            limits: Limits::aws(),
            memory: MemoryBounds::default(),
            release_in_flight: false,
            clock: None,
            seed: None,
            bytes_in_flight_max: BYTES_IN_FLIGHT_MAX,
            envelope: Arc::new(PlainEnvelope),
            observer: None,
        }
    }

    /// What the broker refuses; by default [`Limits::aws`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How much of each queue stays in memory; the default suits all but tests and the smallest devices.
    pub fn memory(self, memory: MemoryBounds) -> Self {
        Self { memory, ..self }
    }

    /// Makes visible at once what was in flight when the store was last open. The receive counts stay.
    ///
    /// Right where consumers live in this process, and so have died with the last broker. Otherwise a message that was
    /// in flight is visible again after its visibility timeout, which goes on across a restart.
    pub fn release_in_flight(self) -> Self {
        Self { release_in_flight: true, ..self }
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

    /// What the JSON envelope of topics says beyond the message: see [`Envelope`].
    pub fn envelope(self, envelope: impl Envelope) -> Self {
        Self { envelope: Arc::new(envelope), ..self }
    }

    /// Tells `observer` what happens to messages; by default nobody is told.
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }

    /// Opens the store and makes a new one of an empty one. Costs a few small reads per queue, whatever its backlog.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. The broker works on that runtime and ends with it:
    /// when it has shut down, calls from another one fail, so a broker that tests share needs a runtime of its own.
    /// Commits and reads of a store that can block take the runtime's blocking threads; if all of those wait for the
    /// broker (`block_on` inside `spawn_blocking`), none is left to commit. Cancel safe.
    pub async fn open(self) -> Result<Broker> {
        let runtime = Runtime::try_current().map_err(|_| Error::NoRuntime)?;
        let pipeline = Pipeline::new(self.store, runtime, self.bytes_in_flight_max);
        let seed = self.seed;
        let stored = match pipeline.read(catalog::read).await? {
            Some(stored) => stored,
            None => create(&pipeline, seed.map_or_else(Seed::random, |seed| Some(Seed(seed)))).await?,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(TokioClock::new()));
        let (memory, release_in_flight) = (self.memory, self.release_in_flight);
        let load =
            move |store: &dyn Storage| load(store, &stored, memory, clock).map(|loaded| (stored, loaded));
        let (stored, mut loaded) = pipeline.read(load).await?;
        if release_in_flight {
            let now = loaded.timeline.now();
            loaded.states.iter_mut().for_each(|state| state.release_in_flight(now));
        }
        let engine = Arc::new(Engine {
            pipeline,
            timeline: Arc::new(loaded.timeline),
            limits: self.limits,
            memory,
            envelope: CurrentEnvelope::new(self.envelope),
            observer: self.observer,
            seed: stored.seed,
            ids: Mutex::new(Ids::new(stored.next_id)),
            user_keys: Mutex::new(History::default()),
            spare_batch: Mutex::new(Batch::new()),
        });
        let cell = |((name, definition), state): ((String, Definition), QueueState)| {
            let cell = QueueCell::new(name.clone(), engine.clone(), state, definition.description());
            cell.inner.lock().moves = loaded.moves.remove(&definition.id).unwrap_or_default();
            (name, cell)
        };
        let queues = stored.queues.into_iter().zip(loaded.states).map(cell).collect();
        for leftover in loaded.leftovers {
            reclaim::start(&engine, leftover);
        }
        let mut streams = HashMap::new();
        for stream in loaded.streams {
            let (name, cell) = stream_cell(stream, &engine)?;
            streams.insert(name, cell);
        }
        let topics = loaded.topics.into_iter().map(|topic| topic_cell(topic, &engine)).collect();
        let space = |(name, definition): (String, SpaceDefinition)| {
            (name.clone(), SpaceCell::new(name, definition.id, engine.clone()))
        };
        let spaces = loaded.spaces.into_iter().map(space).collect();
        let hidden = hidden(&streams);
        let deleted_at = stored.tombstones.into_iter().collect();
        let entities = Entities { queues, topics, streams, spaces, hidden, deleted_at };
        let broker = Broker { engine, entities: Arc::new(Mutex::new(entities)) };
        moves::resume(&broker);
        let topics: Vec<_> = broker.entities.lock().topics.values().cloned().collect();
        for cell in &topics {
            topic::shell::resume(&broker, cell);
        }
        let streams: Vec<_> = broker.entities.lock().streams.values().cloned().collect();
        for cell in &streams {
            stream::shell::retain::resume(&broker, cell);
        }
        Ok(broker)
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
    /// By the id of the source queue.
    moves: HashMap<u64, Moves>,
    topics: Vec<LoadedTopic>,
    streams: Vec<LoadedStream>,
    spaces: Vec<(String, SpaceDefinition)>,
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
    let mut topics = topic::recovery::read(store)?;
    let mut streams = stream::recovery::read(store)?;
    let times = records.iter().map(|record| record.as_of);
    let times = times.chain(topics.iter().map(LoadedTopic::as_of));
    let times = times.chain(streams.iter().map(LoadedStream::as_of));
    let newest = times.max().unwrap_or(0);
    let leftovers = reclaim::noted(store)?;
    let spaces = space::stored(store)?;
    check_ids(stored, &records, (&topics, &streams, &spaces), &leftovers)?;
    let timeline = Timeline::new(clock, newest);
    let now = timeline.now();
    let state = |((_, definition), record): (&(String, Definition), &Record)| {
        recovery::load(store, definition.id, definition.settings.clone(), memory, record, now)
    };
    let states = stored.queues.iter().zip(&records).map(state).collect::<Result<_, _>>()?;
    topics.iter_mut().try_for_each(|topic| topic.load_backlogs(store, memory, now))?;
    streams.iter_mut().try_for_each(|stream| stream.load_queues(store, memory, now))?;
    Ok(Loaded { timeline, states, leftovers, moves: moves::stored(store)?, topics, streams, spaces })
}

/// Each id is given out once. If it seems otherwise, two queues would write over each other, or the messages of one
/// would be cleared away as leftovers: better not to open.
fn check_ids(
    stored: &Stored,
    records: &[Record],
    (topics, streams, spaces): (&[LoadedTopic], &[LoadedStream], &[(String, SpaceDefinition)]),
    leftovers: &[Leftover],
) -> Result<(), StorageError> {
    let damaged = |place: String, what: &str| Err(StorageError::corrupt(place, what));
    if stored.next_id > NUMBER_MAX {
        return damaged("the next id".into(), "is larger than an id can be");
    }
    let mut given_out = HashSet::new();
    for ((name, definition), record) in stored.queues.iter().zip(records) {
        for id in [definition.id, record.partition] {
            if id >= stored.next_id || !given_out.insert(id) {
                return damaged(format!("the definition of queue {name:?}"), "has an id that is not its own");
            }
        }
    }
    for topic in topics {
        if topic.ids().any(|id| id >= stored.next_id || !given_out.insert(id)) {
            let place = format!("the definition of topic {:?}", topic.name);
            return damaged(place, "or of what belongs to it has an id that is not its own");
        }
    }
    for stream in streams {
        if stream.ids().any(|id| id >= stored.next_id || !given_out.insert(id)) {
            let place = format!("the definition of stream {:?}", stream.name);
            return damaged(place, "or of a shard of it has an id that is not its own");
        }
    }
    for (name, definition) in spaces {
        if definition.id >= stored.next_id || !given_out.insert(definition.id) {
            return damaged(format!("the definition of space {name:?}"), "has an id that is not its own");
        }
    }
    match leftovers.iter().find(|left| given_out.contains(&left.partition)) {
        Some(left) => damaged(format!("the note on partition {}", left.partition), "would clear what exists"),
        None => Ok(()),
    }
}
