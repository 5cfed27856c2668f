//! The world that scripts run in: a broker with one queue, perhaps with a dead-letter queue, and a time to live in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker_core::{
    Broker, Clock, Error, LocalQueue, ManualClock, MemoryBounds, Message, MessageId, MoveTaskStatus,
    QueueCounters, ReceiveOptions, SendMessage, storage::Storage,
};

/// Bounds so small that paging, the time index and cold leases are part of every run.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 3, delayed: 2, staged: 2, staged_bytes: 64, searched: 6 };

/// Which queues there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A standard queue by itself.
    Standard,
    /// A standard queue with a dead-letter queue.
    DeadLetters,
    /// A FIFO queue with a dead-letter queue.
    Fifo,
}

/// How often a message is delivered before it is moved.
pub(crate) const DELIVERIES_MAX: u32 = 2;

/// How many message groups a FIFO queue is given.
pub(crate) const GROUPS: usize = 3;

/// A broker, its queues, and the time they live in.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) clock: ManualClock,
    pub(crate) broker: Broker,
    pub(crate) queue: LocalQueue,
    pub(crate) dead: Option<LocalQueue>,
}

impl World {
    pub(crate) async fn open(kind: Kind, store: Arc<dyn Storage>, millis: u64) -> Result<Self, Error> {
        let clock = ManualClock::new(millis);
        let broker = Broker::builder_on(store).clock(clock.clone()).seed(3).memory(TINY).open().await?;
        let timeout = Duration::from_secs(10);
        let (queue, dead) = match kind {
            Kind::Standard => (broker.queue("swept").visibility_timeout(timeout).await?, None),
            Kind::DeadLetters => {
                let dead = broker.queue("dead").visibility_timeout(timeout).await?;
                let queue = broker.queue("swept").dead_letter("dead", DELIVERIES_MAX);
                (queue.visibility_timeout(timeout).await?, Some(dead))
            }
            Kind::Fifo => {
                let dead = broker.queue("dead.fifo").fifo().visibility_timeout(timeout).await?;
                let queue = broker.queue("swept.fifo").fifo().dead_letter("dead.fifo", DELIVERIES_MAX);
                (queue.visibility_timeout(timeout).await?, Some(dead))
            }
        };
        Ok(Self { kind, clock, broker, queue, dead })
    }

    /// A message that the queue takes. On a FIFO queue the body is also its deduplication id.
    pub(crate) fn message(&self, body: &str, group: usize) -> SendMessage {
        let message = SendMessage::from(body);
        match self.kind {
            Kind::Fifo => message.group_id(format!("g{}", group % GROUPS)).deduplication_id(body),
            _ => message,
        }
    }

    /// The counters of the queue and of its dead-letter queue.
    pub(crate) async fn counters(&self) -> [QueueCounters; 2] {
        let dead = match &self.dead {
            Some(dead) => dead.counters().await.unwrap(),
            None => QueueCounters::default(),
        };
        [self.queue.counters().await.unwrap(), dead]
    }

    /// Waits until no move task runs.
    pub(crate) async fn moves_end(&self) -> Result<(), Error> {
        let Some(dead) = &self.dead else { return Ok(()) };
        loop {
            let tasks = self.broker.list_move_tasks(dead.name(), 1).await?;
            if tasks.iter().all(|task| task.status != MoveTaskStatus::Running) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// The time of the clock in milliseconds.
    pub(crate) fn millis(&self) -> u64 {
        self.clock.now().as_millis()
    }

    /// Takes everything out of the queues, by body. Every lease and delay is over by then.
    pub(crate) async fn drain(&self) -> BTreeMap<String, Found> {
        self.moves_end().await.unwrap();
        self.clock.advance(Duration::from_secs(13 * 3600));
        let total: u64 = self.counters().await.iter().map(QueueCounters::total).sum();
        let mut found = BTreeMap::new();
        for (queue, in_dead) in [(Some(&self.queue), false), (self.dead.as_ref(), true)] {
            let Some(queue) = queue else { continue };
            for message in empty(queue).await {
                let body = message.text().unwrap().to_owned();
                let one = Found { id: message.id, count: message.receive_count, in_dead };
                let twice = found.insert(body, one);
                assert!(twice.is_none(), "a message is stored once, and in one queue");
            }
        }
        assert_eq!(found.len() as u64, total, "the counters tell what is there");
        assert_eq!(self.counters().await, [QueueCounters::default(); 2]);
        found
    }
}

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) id: MessageId,
    pub(crate) count: u32,
    /// Whether it is in the dead-letter queue.
    pub(crate) in_dead: bool,
}

/// Receives and deletes until nothing comes any more.
async fn empty(queue: &LocalQueue) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let got = queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
        if got.is_empty() {
            return all;
        }
        for message in got {
            queue.delete(message.receipt).await.unwrap();
            let mut before = all.iter().filter(|other| other.group_id == message.group_id);
            let in_order = before.all(|other| other.sequence_number <= message.sequence_number);
            assert!(in_order, "the order of {:?}", message.group_id);
            all.push(message);
        }
    }
}
