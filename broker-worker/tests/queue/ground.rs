//! What the tests stand on: a broker in memory, and a log of what handlers saw at which millisecond.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{Broker, LocalQueue, QueueExt, SendMessage};
use broker_mem::MemStorage;
use broker_worker::{
    concurrency::{Gate, Permit, ThrottleReason, Throttled},
    queue::Running,
};
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) async fn broker() -> Broker {
    Broker::open(MemStorage::new()).await.unwrap()
}

/// A queue with a visibility timeout of 30 seconds.
pub(crate) async fn queue() -> LocalQueue {
    broker().await.queue("orders").await.unwrap()
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Sends each of these bodies.
pub(crate) async fn send(queue: &LocalQueue, bodies: impl IntoIterator<Item = impl Into<String>>) {
    for body in bodies {
        queue.send_one(SendMessage::from(body.into())).await.unwrap();
    }
}

/// Sends to a FIFO queue: `group` and body.
pub(crate) async fn send_fifo(queue: &LocalQueue, messages: &[(&str, &str)]) {
    for (group, body) in messages {
        let message = SendMessage::from(*body).group_id(*group).deduplication_id(*body);
        queue.send_one(message).await.unwrap();
    }
}

/// What happened, and how many milliseconds after the log began.
#[derive(Clone)]
pub(crate) struct Log {
    start: Instant,
    lines: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), lines: Arc::default() }
    }

    pub(crate) fn note(&self, what: impl Into<String>) {
        self.lines.lock().push((self.now(), what.into()));
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<(u64, String)> {
        self.lines.lock().clone()
    }

    /// Only what happened, in the order in which it did.
    pub(crate) fn words(&self) -> Vec<String> {
        self.lines().into_iter().map(|(_, what)| what).collect()
    }

    /// Only when.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.lines().into_iter().map(|(when, _)| when).collect()
    }
}

/// Lets a mapping run for a time, and stops it.
pub(crate) async fn run_for(running: Running, time: Duration) -> broker_worker::shutdown::Report {
    sleep(time).await;
    running.stop(Duration::ZERO).await
}

/// A gate that is closed to the first who asks, for so long.
pub(crate) fn late(wait: Duration) -> Arc<dyn Gate> {
    struct Late(Duration, AtomicBool);
    impl Gate for Late {
        fn try_enter(&self) -> Result<Permit, Throttled> {
            if self.1.swap(true, Ordering::SeqCst) {
                Ok(Permit::uncounted())
            } else {
                Err(Throttled { reason: ThrottleReason::Concurrency, retry_after: Some(self.0) })
            }
        }
    }
    Arc::new(Late(wait, AtomicBool::new(false)))
}

/// Visible, in flight and delayed messages.
pub(crate) async fn counters(queue: &LocalQueue) -> (u64, u64, u64) {
    let counters = queue.counters().await.unwrap();
    (counters.visible, counters.in_flight, counters.delayed)
}
