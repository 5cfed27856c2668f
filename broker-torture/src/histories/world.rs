//! The world of a history: a broker with one of everything, and what its operations know of each other.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Clock as _, DeadLetterTarget, Endpoint, Error, LocalQueue, LocalStream, ManualClock,
    MemoryBounds, MoveTask, MoveTaskInfo, MoveTaskStatus, PublishMessage, PutRecord, ReceiptHandle,
    ReceiveOptions, ReplayStatus, Result, SendMessage, StartingPosition, StreamQueueSettings,
    SubscriptionInfo,
    storage::{Durability, Storage},
};

/// Bounds so small that paging is part of every history.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 1, staged: 2, staged_bytes: 64, searched: 4 };
pub(super) const BEGIN_MS: u64 = 1_700_000_000_000;

pub(super) const ORDERS: &str = "orders";
pub(super) const LINE: &str = "line.fifo";
pub(super) const SCRATCH: &str = "scratch";
pub(super) const DEAD: &str = "dead";
/// Dead letters of `SCRATCH`, of which a slow move, if there is one, has taken one and not yet the other.
pub(super) const LOST: &str = "lost";
pub(super) const NEWS: &str = "news";
/// The name of a handler that gets the news.
pub(super) const AUDIT: &str = "audit";
/// A FIFO topic with an archive, in which there is something.
pub(super) const FEED: &str = "feed.fifo";
pub(super) const CLICKS: &str = "clicks";
/// Another stream, which nobody consumes.
pub(super) const LOGS: &str = "logs";
pub(super) const GROUP: &str = "billing";
pub(super) const WORK: &str = "work";
pub(super) const TOTALS: &str = "totals";

/// A world that does not come to rest in so many turns never does; it takes a minute to find out.
const TURNS_MAX: u32 = 20_000_000;

/// How long a receive hides a message.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How long the orders are kept.
pub(super) const RETENTION: Duration = Duration::from_secs(120);
const DELIVERIES_MAX: u32 = 1;

/// What the operations of a history know of each other; the program keeps it while the broker dies and comes back.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) now_ms: u64,
    /// The number of the next body.
    pub(super) next: u64,
    pub(super) orders: Vec<ReceiptHandle>,
    pub(super) line: Vec<ReceiptHandle>,
    pub(super) work: Vec<ReceiptHandle>,
    pub(super) dead: Vec<ReceiptHandle>,
    /// Of a subscription to be confirmed.
    pub(super) token: String,
}

impl Known {
    pub(crate) fn new() -> Self {
        Self {
            now_ms: BEGIN_MS,
            next: 0,
            orders: Vec::new(),
            line: Vec::new(),
            work: Vec::new(),
            dead: Vec::new(),
            token: String::new(),
        }
    }
}

/// A broker and what is known of it.
pub(crate) struct World {
    pub(super) store: Arc<dyn Storage>,
    pub(crate) broker: Broker,
    pub(crate) clock: ManualClock,
    pub(crate) known: Known,
}

impl World {
    /// Opens what is in the store, at the time that is known.
    pub(crate) async fn open(store: Arc<dyn Storage>, known: Known) -> Result<Self> {
        let clock = ManualClock::new(known.now_ms);
        let broker =
            Broker::builder_on(store.clone()).clock(clock.clone()).seed(3).memory(TINY).open().await?;
        let world = Self { store, broker, clock, known };
        world.settled().await?;
        Ok(world)
    }

    /// Opens again what this is on. The broker may be closed, or half-way.
    pub(crate) async fn again(self) -> Result<Self> {
        let (store, known) = (self.store.clone(), self.known_now());
        drop(self);
        Self::open(store, known).await
    }

    /// Waits until nothing goes on in the background: a move or a replay that was cut off goes on by itself.
    pub(crate) async fn settled(&self) -> Result<()> {
        for _ in 0..TURNS_MAX {
            if !(self.moves(DEAD).await? || self.moves(LOST).await? || self.replays().await?) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        Err(Error::InvalidState {
            name: "the world".into(),
            reason: "a move or a replay does not end".into(),
        })
    }

    /// Whether a move runs that does not wait for time to pass.
    async fn moves(&self, source: &str) -> Result<bool> {
        if !self.broker.list_queues(source).iter().any(|name| name == source) {
            return Ok(false);
        }
        // The slow one moves its first message at once, and the second when the clock has gone on; if it dies then, it finds out a
        // second later that it is done.
        let waits = |task: &MoveTaskInfo| {
            let slow = task.max_per_second.is_some();
            slow && (task.moved == 2 || task.moved == 1 && self.now_ms() == BEGIN_MS)
        };
        let runs = |task: &MoveTaskInfo| task.status == MoveTaskStatus::Running && !waits(task);
        Ok(self.broker.list_move_tasks(source, 1).await?.iter().any(runs))
    }

    async fn replays(&self) -> Result<bool> {
        if !self.broker.list_topics().iter().any(|name| name == FEED) {
            return Ok(false);
        }
        let runs = |there: &SubscriptionInfo| {
            let status = there.replay.as_ref().map(|replay| &replay.status);
            matches!(status, Some(ReplayStatus::Pending | ReplayStatus::InProgress))
        };
        Ok(self.broker.open_topic(FEED).await?.subscriptions().await?.iter().any(runs))
    }

    /// One of everything.
    pub(crate) async fn furnish(&mut self) -> Result<()> {
        let broker = &self.broker;
        broker.queue(DEAD).await?;
        let orders = broker.queue(ORDERS).visibility_timeout(LEASE).retention(RETENTION);
        let orders = orders.dead_letter(DEAD, DELIVERIES_MAX).await?;
        let line = broker.queue(LINE).fifo().visibility_timeout(LEASE).await?;
        line.send(SendMessage::new("first").group_id("a").deduplication_id("again")).await?;
        // One of the orders is dead, the next one would be at its next delivery, and one was never received.
        orders
            .send_batch(["dead", "spent", "new"].into_iter().map(SendMessage::from).collect())
            .await?
            .all()?;
        let got = orders.receive(ReceiveOptions::up_to(2).wait_time(Duration::ZERO)).await?;
        for (at, order) in got.iter().enumerate() {
            match at {
                0 => drop(orders.dead_letter(order.receipt, "a bad order").await?),
                _ => drop(orders.change_visibility(order.receipt, Duration::ZERO).await?),
            }
        }
        let lost = broker.queue(LOST).await?;
        broker.queue(SCRATCH).durability(Durability::Buffered).dead_letter(LOST, DELIVERIES_MAX).await?;
        lost.send_batch(["lost", "left"].into_iter().map(SendMessage::from).collect()).await?.all()?;
        let news = broker.topic(NEWS).await?;
        news.subscribe(&orders).raw_delivery(true).filter_attributes(r#"{"kind": ["order"]}"#).await?;
        news.subscribe(Endpoint::handler(AUDIT)).await?;
        let pending = news.subscribe(Endpoint::push("https", "https://news.example/take")).await?;
        self.known.token = pending.token.unwrap_or_default();
        let feed = broker.topic(FEED).fifo().archive_days(1).await?;
        feed.publish(PublishMessage::new("kept").group_id("c").deduplication_id("kept")).await?;
        feed.subscribe(&line).raw_delivery(true).await?;
        let clicks = broker.stream(CLICKS).shards(1).await?;
        clicks.put(PutRecord::new("k", "too often")).await?;
        drop(clicks.consumer(GROUP).start(StartingPosition::TrimHorizon).await?);
        self.work(&clicks).await?;
        clicks.put(PutRecord::new("k", "first")).await?;
        broker.stream(LOGS).shards(1).await?.put(PutRecord::new("k", "first")).await?;
        broker.space(TOTALS).await.map(drop)
    }

    /// A work queue with a dead letter.
    async fn work(&self, clicks: &LocalStream) -> Result<()> {
        let once = StreamQueueSettings {
            dead_letter: DeadLetterTarget::BuiltIn { max_receive_count: 1 },
            ..StreamQueueSettings::default()
        };
        let work = clicks.queue(WORK, StartingPosition::TrimHorizon, &once).await?;
        let at_once = ReceiveOptions::up_to(1).wait_time(Duration::ZERO);
        for message in work.receive(at_once.clone()).await? {
            work.update_visibility(message.receipt, Duration::ZERO).await?;
        }
        drop(work.receive(at_once).await?);
        work.set_settings(&StreamQueueSettings::default()).await
    }

    /// A move that takes its time: its second message goes when the clock has gone on. So it happens by itself, also to a broker that
    /// has lost what was done before, which no moment of a history then looks like: it is nothing for crashes.
    pub(crate) async fn move_slowly(&self) -> Result<()> {
        self.broker.start_move_task(MoveTask::from(LOST).to(DEAD).max_per_second(1)).await?;
        self.settled().await
    }

    /// What is known, at the time of the clock.
    pub(crate) fn known_now(&self) -> Known {
        Known { now_ms: self.now_ms(), ..self.known.clone() }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now().as_millis()
    }

    /// A body that no other message has.
    pub(super) fn body(&mut self) -> String {
        self.known.next += 1;
        format!("m{}", self.known.next)
    }

    pub(super) async fn queue(&self, name: &str) -> Result<LocalQueue> {
        self.broker.open_queue(name).await
    }
}
