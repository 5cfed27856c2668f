//! The world of a queue: slow calls to be dropped in, and a log of what was handled and acknowledged in which order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{
    Broker, ChangeVisibility, Clock, DeadLettered, Deleted, Entries, LocalQueue, Message, Outcomes, Queue,
    QueueAttributes, QueueExt as _, QueueSettings, ReceiptHandle, ReceiveOptions, Result, SendMessage, Sent,
    TokioClock, VisibilityChanged,
};
use broker_mem::MemStorage;
use broker_worker::{
    Handler,
    handler::each,
    queue::{Batch, Pollers, QueueMapping, Received},
};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{ms, secs};

/// The visibility timeout of the queue.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(30);

/// How often a thread that is to end is waited for: seconds at least.
const YIELDS_MAX: usize = 10_000_000;

/// Something that takes a moment, before and after it happens.
pub(crate) async fn pause() {
    sleep(ms(1)).await;
}

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    Begun(String),
    Handled(String),
    Acknowledged(String),
}

/// What happened, in its order. Each handler has a clone: when none is left but that of the world, no handler can run any more.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Did>>>);

impl Log {
    pub(crate) fn note(&self, did: Did) {
        self.0.lock().push(did);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether nobody can write to it any more but its world: `slow` queues have it too.
    pub(crate) fn is_idle(&self, slow: usize) -> bool {
        Arc::strong_count(&self.0) == 1 + slow
    }

    /// Each of these was handled, and not begun again after it was acknowledged.
    pub(crate) fn check<'a>(&self, bodies: impl IntoIterator<Item = &'a str>) {
        let log = self.0.lock();
        for body in bodies {
            let at = |did: &Did| log.iter().position(|other| other == did);
            assert!(at(&Did::Handled(body.into())).is_some(), "{body} was never handled: {log:?}");
            let last = log.iter().rposition(|did| *did == Did::Begun(body.into()));
            let acknowledged = at(&Did::Acknowledged(body.into()));
            assert!(
                acknowledged.is_none_or(|acknowledged| last.is_none_or(|last| last < acknowledged)),
                "{body} was begun after it was acknowledged: {log:?}"
            );
        }
    }

    /// How often this happened.
    pub(crate) fn times(&self, did: &Did) -> usize {
        self.0.lock().iter().filter(|other| *other == did).count()
    }
}

/// A queue whose calls take a moment, so that there is something to drop, and that notes what it was told is done.
#[derive(Clone)]
pub(crate) struct Slow {
    queue: LocalQueue,
    log: Log,
    received: Arc<Mutex<Vec<(ReceiptHandle, String)>>>,
}

impl Slow {
    pub(crate) fn new(queue: LocalQueue, log: Log) -> Self {
        Self { queue, log, received: Arc::default() }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Queue for Slow {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn largest_receive(&self) -> ReceiveOptions {
        self.queue.largest_receive()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.queue.clock()
    }

    async fn send_batch(&self, entries: Entries<SendMessage>) -> Result<Outcomes<Sent>> {
        pause().await;
        let sent = self.queue.send_batch(entries).await;
        pause().await;
        sent
    }

    async fn receive(&self, options: ReceiveOptions) -> Result<Vec<Message>> {
        pause().await;
        // Nothing after it: a receive that was dropped may not have taken anything.
        let messages = self.queue.receive(options).await?;
        let received = messages.iter().map(|message| (message.receipt, body_of(message)));
        self.received.lock().extend(received);
        Ok(messages)
    }

    async fn delete_batch(&self, mut entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        pause().await;
        let receipts: Vec<_> = entries.requests_mut().map(|receipt| *receipt).collect();
        let outcomes = self.queue.delete_batch(entries).await?;
        for (receipt, (_, outcome)) in receipts.iter().zip(&outcomes.0) {
            if let Ok(Deleted::Gone) = outcome
                && let Some((_, body)) = self.received.lock().iter().find(|(other, _)| other == receipt)
            {
                self.log.note(Did::Acknowledged(body.clone()));
            }
        }
        pause().await;
        Ok(outcomes)
    }

    async fn change_visibility_batch(
        &self,
        entries: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>> {
        pause().await;
        let changed = self.queue.change_visibility_batch(entries).await;
        pause().await;
        changed
    }

    async fn dead_letter(&self, receipt: ReceiptHandle, reason: String) -> Result<DeadLettered> {
        pause().await;
        let moved = self.queue.dead_letter(receipt, reason).await;
        pause().await;
        moved
    }

    async fn purge(&self) -> Result<()> {
        self.queue.purge().await
    }

    async fn attributes(&self) -> Result<QueueAttributes> {
        pause().await;
        let attributes = self.queue.attributes().await;
        pause().await;
        attributes
    }

    async fn set_attributes(&self, change: QueueSettings) -> Result<()> {
        self.queue.set_attributes(change).await
    }
}

fn body_of(message: &Message) -> String {
    String::from_utf8(message.body.to_vec()).unwrap()
}

/// A broker with a queue of messages.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) queue: LocalQueue,
    pub(crate) slow: Slow,
    pub(crate) log: Log,
    /// Mappings have it, and the threads of theirs.
    clock: Arc<TokioClock>,
    bodies: Vec<String>,
}

impl World {
    /// A world with so many messages.
    pub(crate) async fn new(messages: usize) -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let queue = broker.queue("orders").visibility_timeout(VISIBILITY).await.unwrap();
        let log = Log::default();
        let slow = Slow::new(queue.clone(), log.clone());
        let clock = Arc::new(TokioClock::new());
        let mut world = Self { broker, queue, slow, log, clock, bodies: Vec::new() };
        for number in 0..messages {
            world.send(&format!("message {number}")).await;
        }
        world
    }

    pub(crate) async fn send(&mut self, body: &str) {
        self.queue.send_one(SendMessage::from(body.to_owned())).await.unwrap();
        self.bodies.push(body.into());
    }

    /// A handler that takes so long for each message.
    pub(crate) fn handler(&self, takes: Duration) -> impl Handler<Batch> + use<> {
        let log = self.log.clone();
        each(move |body: String, _: Received| {
            let log = log.clone();
            async move {
                log.note(Did::Begun(body.clone()));
                sleep(takes).await;
                log.note(Did::Handled(body));
            }
        })
    }

    /// A handler of which another log knows too.
    pub(crate) fn noting(&self, other: &Log) -> impl Handler<Batch> + use<> {
        let logs = [self.log.clone(), other.clone()];
        each(move |body: String, _: Received| {
            for log in &logs {
                log.note(Did::Begun(body.clone()));
                log.note(Did::Handled(body.clone()));
            }
            sleep(ms(10))
        })
    }

    /// Two workers that take so long for each message.
    pub(crate) fn mapping(&self, takes: Duration) -> QueueMapping {
        let mapping = QueueMapping::new(self.slow.clone(), self.handler(takes));
        mapping.clock(self.clock.clone()).batch_size(2).pollers(Pollers::Fixed(2))
    }

    /// Whether no handler can run any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.log.is_idle(1)
    }

    /// Nothing runs: no handler is held by anybody, and nothing happens for longer than a visibility timeout.
    pub(crate) async fn nothing_runs(&self) {
        sleep(ms(1)).await;
        assert!(self.is_idle(), "somebody still has the handler");
        // A thread ends in a time of its own.
        let ended = || Arc::strong_count(&self.clock) == 1;
        let mut waited = std::iter::repeat_with(std::thread::yield_now).take(YIELDS_MAX);
        assert!(waited.any(|()| ended()), "a thread is left");
        let before = self.log.len();
        sleep(VISIBILITY * 2).await;
        assert_eq!(self.log.len(), before, "something has happened");
    }

    /// What is in the queue is handled by a new mapping, so that everything was handled, and nothing after it was acknowledged.
    pub(crate) async fn all_is_handled(&self) {
        let running = self.mapping(ms(10)).start().await.unwrap();
        sleep(VISIBILITY + secs(5)).await;
        assert!(running.stop(secs(5)).await.drained);
        self.is_done().await;
    }

    /// Everything was handled and acknowledged.
    pub(crate) async fn is_done(&self) {
        let counters = self.queue.counters().await.unwrap();
        assert_eq!((counters.visible, counters.in_flight, counters.delayed), (0, 0, 0));
        self.log.check(self.bodies.iter().map(String::as_str));
    }
}
