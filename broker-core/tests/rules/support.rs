//! What the rule tests share: a world to run a scenario in, and short spellings.

use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

use broker_core::{
    Broker, Certainty, Clock, Error, Limits, LocalQueue, MemoryBounds, Message, QueueCounters,
    ReceiveOptions, Result, Timestamp, TokioClock,
    storage::{
        Durability, Storage,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};

use crate::disk::Disk;

/// Runs a scenario on a runtime of its own with paused time. Boxed, so that there is one way to drive a future in this
/// crate and not one for each of its thousand tests.
pub(crate) fn on_paused_time(scenario: Pin<Box<dyn Future<Output = ()>>>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(scenario);
}

/// How commits reach the store.
enum Kind {
    /// On the caller's thread.
    InMemory,
    /// On a thread that may block.
    Threaded,
    /// The same, and to a disk.
    OnDisk(Disk, TempDir),
}

/// A store, the clock of its brokers, and their limits and bounds.
pub(crate) struct World {
    kind: Kind,
    memory: MemStorage,
    clock: TokioClock,
    pub(crate) limits: Limits,
    bounds: MemoryBounds,
}

impl World {
    fn new(kind: Kind) -> Self {
        let (memory, clock) = (MemStorage::new(), TokioClock::new());
        Self { kind, memory, clock, limits: Limits::aws(), bounds: MemoryBounds::default() }
    }

    pub(crate) fn in_memory() -> Self {
        Self::new(Kind::InMemory)
    }

    pub(crate) fn threaded() -> Self {
        Self::new(Kind::Threaded)
    }

    pub(crate) fn on_sled() -> Self {
        Self::new(Kind::OnDisk(Disk::Sled, tempfile::tempdir().unwrap()))
    }

    pub(crate) fn on_log() -> Self {
        Self::new(Kind::OnDisk(Disk::Log, tempfile::tempdir().unwrap()))
    }

    /// The same world with other limits.
    pub(crate) fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same world with so little memory that nearly everything waits in storage.
    pub(crate) fn with_little_memory(self) -> Self {
        self.bounds(MemoryBounds { ready: 2, delayed: 1, staged: 4, staged_bytes: 512, searched: 40 })
    }

    /// The time of its brokers.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The same world with other bounds of memory.
    pub(crate) fn bounds(self, bounds: MemoryBounds) -> Self {
        Self { bounds, ..self }
    }

    /// The store, opened once more: all its data, whoever wrote them.
    fn store(&self) -> Arc<dyn Storage> {
        match &self.kind {
            Kind::InMemory => Arc::new(self.memory.clone()),
            Kind::Threaded => Arc::new(SlowStorage::new(Arc::new(self.memory.clone()))),
            Kind::OnDisk(disk, dir) => disk.open(&dir.path().join("store")),
        }
    }

    /// A broker on the world's store. One at a time.
    pub(crate) async fn broker(&self) -> Broker {
        let builder = Broker::builder_on(self.store()).clock(self.clock.clone()).limits(self.limits.clone());
        builder.memory(self.bounds).seed(7).open().await.unwrap()
    }

    /// A broker and a queue with the defaults.
    pub(crate) async fn queue(&self) -> (Broker, LocalQueue) {
        let broker = self.broker().await;
        let queue = broker.queue("orders").await.unwrap();
        (broker, queue)
    }

    /// The broker closed and opened again, at the same time of the same clock, and its queue.
    pub(crate) async fn reopened(&self, broker: Broker) -> (Broker, LocalQueue) {
        broker.close().await.unwrap();
        drop(broker);
        let broker = self.broker().await;
        let queue = broker.open_queue("orders").await.unwrap();
        (broker, queue)
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// So much later.
pub(crate) fn later(time: Timestamp, seconds: u64) -> Timestamp {
    Timestamp::from_millis(time.as_millis() + 1_000 * seconds)
}

/// Moves virtual time.
pub(crate) async fn advance(by: Duration) {
    tokio::time::advance(by).await;
}

/// Lets every task run until it waits for something: virtual time moves only then, and by one millisecond here.
pub(crate) async fn settle_down() {
    tokio::time::sleep(ms(1)).await;
}

/// Waits until a commit is at the gate. Time stands still there.
pub(crate) async fn held_at(gate: &Gate) {
    while gate.waiting() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Lets tasks and threads run for a while, with time standing still behind a gate: long enough to see, most of the time,
/// what must not happen. What must happen is to be waited for.
pub(crate) async fn others_run() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

/// A short poll for up to `max` messages.
pub(crate) async fn poll(queue: &LocalQueue, max: usize) -> Vec<Message> {
    queue.receive(ReceiveOptions::up_to(max).wait_time(Duration::ZERO)).await.unwrap()
}

/// A short poll that keeps its messages invisible for `timeout`.
pub(crate) async fn poll_for(queue: &LocalQueue, max: usize, timeout: Duration) -> Vec<Message> {
    let options = ReceiveOptions::up_to(max).wait_time(Duration::ZERO).visibility_timeout(timeout);
    queue.receive(options).await.unwrap()
}

/// The one message that a short poll must find.
pub(crate) async fn take(queue: &LocalQueue) -> Message {
    let [message] = poll(queue, 1).await.try_into().expect("one message is visible");
    message
}

pub(crate) fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text().unwrap()).collect()
}

/// Sends these bodies in order.
pub(crate) async fn send_all(queue: &LocalQueue, bodies: &[&str]) {
    for body in bodies {
        queue.send(*body).await.unwrap();
    }
}

/// Visible, in flight, delayed.
pub(crate) async fn counts(queue: &LocalQueue) -> [u64; 3] {
    let QueueCounters { visible, in_flight, delayed } = queue.counters().await.unwrap();
    [visible, in_flight, delayed]
}

/// A long poll for one message in a task of its own, already waiting, and what it returns with the time that it took.
pub(crate) async fn waiter(
    queue: &LocalQueue,
    wait: Duration,
) -> JoinHandle<(Result<Vec<Message>>, Duration)> {
    let queue = queue.clone();
    let waiting = tokio::spawn(async move {
        let begin = Instant::now();
        let received = queue.receive(ReceiveOptions::up_to(1).wait_time(wait)).await;
        (received, begin.elapsed())
    });
    settle_down().await;
    waiting
}

/// The error of a call that must be refused, and must leave the queue as it was.
pub(crate) async fn refusal<T: Debug>(queue: &LocalQueue, call: impl Future<Output = Result<T>>) -> Error {
    let before = queue.attributes().await.unwrap();
    let error = call.await.unwrap_err();
    assert_eq!(error.certainty(), Certainty::Rejected);
    assert_eq!(queue.attributes().await.unwrap(), before, "{error}");
    error
}

/// Checks that a parameter was refused, which, with what value, and that the reason names this limit.
#[track_caller]
pub(crate) fn assert_invalid(error: &Error, field: &str, value: &str, limit: &str) {
    let Error::InvalidParameter { field: f, value: v, reason } = error else { panic!("{error:?}") };
    assert_eq!((*f, v.as_str()), (field, value));
    assert!(reason.contains(limit), "{reason:?} names {limit:?}");
}

/// Limits under which thousands of messages go in one call, for scenarios with many.
pub(crate) fn bulk() -> Limits {
    Limits { batch_entries_max: 20_000, receive_max: 20_000, ..Limits::aws() }
}

/// Sends `range` as bodies in one batch, each delayed as `delay` says.
pub(crate) async fn send_numbers(
    queue: &LocalQueue,
    range: std::ops::Range<usize>,
    delay: impl Fn(usize) -> Duration,
) {
    let message = |n: usize| broker_core::SendMessage::from(n.to_string()).delay(delay(n));
    let entries: broker_core::Entries<_> = range.map(message).collect();
    let sent = queue.send_batch(entries.durability(Durability::Buffered)).await.unwrap();
    assert_eq!(sent.failed().count(), 0);
}

/// The bodies of [`send_numbers`] again.
pub(crate) fn numbers(messages: &[Message]) -> Vec<usize> {
    messages.iter().map(|message| message.text().unwrap().parse().unwrap()).collect()
}
