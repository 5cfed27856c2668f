//! What the tests of FIFO queues share: a queue, and messages whose bodies say their group.

use std::time::Duration;

use broker_core::{
    Broker, LocalQueue, MemoryBounds, Message, ReceiveOptions, SendMessage, Sent, storage::Durability,
};
use tokio::time::Instant;

use crate::support::World;

/// The queue of most scenarios.
pub(crate) const NAME: &str = "orders.fifo";

/// Bounds with which next to nothing stays in memory.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 4, delayed: 4, staged: 3, staged_bytes: 64, searched: 6 };

impl World {
    /// A broker and a FIFO queue with the defaults.
    pub(crate) async fn fifo(&self) -> (Broker, LocalQueue) {
        let broker = self.broker().await;
        let queue = broker.queue(NAME).fifo().await.unwrap();
        (broker, queue)
    }

    /// The broker closed and opened again, at the same time of the same clock, and its FIFO queue.
    pub(crate) async fn fifo_reopened(&self, broker: Broker) -> (Broker, LocalQueue) {
        broker.close().await.unwrap();
        drop(broker);
        let broker = self.broker().await;
        let queue = broker.open_queue(NAME).await.unwrap();
        (broker, queue)
    }
}

/// The group of a body such as `a12`: what comes before the number.
pub(crate) fn group_of(body: &str) -> &str {
    body.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// `a0` to `a9` and so on.
pub(crate) fn numbered(group: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{group}{n}")).collect()
}

/// The message `a12`: of group `a`, and its body is its deduplication id too.
pub(crate) fn fifo(body: &str) -> SendMessage {
    SendMessage::from(body).group_id(group_of(body)).deduplication_id(body)
}

/// Sends these messages one by one.
pub(crate) async fn send(queue: &LocalQueue, bodies: &[&str]) -> Vec<Sent> {
    let mut sent = Vec::new();
    for body in bodies {
        sent.push(queue.send(fifo(body)).await.unwrap());
    }
    sent
}

/// Sends these messages in one batch, which the limits must allow.
pub(crate) async fn send_batch(queue: &LocalQueue, bodies: impl IntoIterator<Item = String>) -> Vec<Sent> {
    let entries: broker_core::Entries<_> = bodies.into_iter().map(|body| fifo(&body)).collect();
    queue.send_batch(entries.durability(Durability::Buffered)).await.unwrap().all().unwrap()
}

/// Deletes these messages, whose receipts must be good, one by one.
pub(crate) async fn delete(queue: &LocalQueue, messages: &[Message]) {
    for message in messages {
        queue.delete(message.receipt).await.unwrap();
    }
}

/// Makes these messages visible now.
pub(crate) async fn give_back(queue: &LocalQueue, messages: &[Message]) {
    for message in messages {
        queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
    }
}

/// A short poll for up to `max` messages under the id of an attempt.
pub(crate) async fn attempt(queue: &LocalQueue, id: &str, max: usize) -> Vec<Message> {
    let options = ReceiveOptions::up_to(max).wait_time(Duration::ZERO).attempt_id(id);
    queue.receive(options).await.unwrap()
}

/// A long poll for up to `max` messages, which must find something, and how long it waited.
pub(crate) async fn long_poll(queue: &LocalQueue, max: usize) -> (Vec<Message>, Duration) {
    let begin = Instant::now();
    let options = ReceiveOptions::up_to(max).wait_time(Duration::from_secs(20));
    let received = queue.receive(options).await.unwrap();
    assert!(!received.is_empty(), "the wait was in vain");
    (received, begin.elapsed())
}
