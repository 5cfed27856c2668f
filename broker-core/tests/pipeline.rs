//! The commit pipeline, from outside: what is committed together, how durably, and when answers come.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    ops::Range,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use broker_core::{
    Broker, Certainty, ChangeVisibility, Entries, Error, LocalQueue, ReceiveOptions, SendMessage,
    storage::{
        Batch, Durability, Op, Page, Profile, Storage, StorageError,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;

/// Memory that notes each commit: its durability and how many rows it stores. Panics when told to.
#[derive(Clone, Default)]
struct Noting {
    inner: MemStorage,
    commits: Arc<Mutex<Vec<(Durability, usize)>>>,
    panics: Arc<AtomicBool>,
}

impl Storage for Noting {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        assert!(!self.panics.load(Ordering::SeqCst), "the engine has a bug");
        let rows = batch.ops().filter(|op| matches!(op, Op::PutRow { .. })).count();
        self.commits.lock().push((durability, rows));
        self.inner.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.inner.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.inner.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.inner.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        self.inner.profile()
    }
}

/// A broker on a store that blocks behind a gate, and the notes of what was committed.
async fn gated(bytes_in_flight_max: usize) -> (Gate, Noting, Broker, LocalQueue) {
    let (gate, notes) = (Gate::new(), Noting::default());
    let store = SlowStorage::new(Arc::new(notes.clone())).gated(&gate);
    let broker = Broker::builder(store).bytes_in_flight_max(bytes_in_flight_max).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    notes.commits.lock().clear();
    (gate, notes, broker, queue)
}

const MIB: usize = 1024 * 1024;

/// Starts so many sends of a kilobyte, the first of which is being committed when this returns.
async fn start_sends(gate: &Gate, queue: &LocalQueue, count: usize) -> Vec<tokio::task::JoinHandle<()>> {
    gate.hold();
    let mut sends = Vec::new();
    for number in 0..count {
        let queue = queue.clone();
        sends.push(tokio::spawn(async move { _ = queue.send("x".repeat(1_000)).await.unwrap() }));
        tokio::task::yield_now().await;
        if number == 0 {
            gate.until_waiting(1);
        }
    }
    sends
}

#[tokio::test]
async fn what_waits_is_committed_in_one_group() {
    let (gate, notes, _broker, queue) = gated(MIB).await;
    let sends = start_sends(&gate, &queue, 65).await;
    assert!(sends.iter().all(|send| !send.is_finished()), "no answer before its commit");
    gate.open();
    for send in sends {
        send.await.unwrap();
    }
    assert_eq!(*notes.commits.lock(), [(Durability::Synced, 1), (Durability::Synced, 64)]);
}

#[tokio::test]
async fn a_group_is_as_durable_as_its_most_demanding_member() {
    let (gate, notes, _broker, queue) = gated(MIB).await;
    let first = start_sends(&gate, &queue, 1).await;
    let buffered = Entries::one(SendMessage::from("b")).durability(Durability::Buffered);
    let (one, two) = (queue.clone(), queue.clone());
    let buffered = tokio::spawn(async move { drop(one.send_batch(buffered).await.unwrap()) });
    let synced = tokio::spawn(async move { _ = two.send("s").await.unwrap() });
    tokio::task::yield_now().await;
    gate.open();
    for send in first.into_iter().chain([buffered, synced]) {
        send.await.unwrap();
    }
    assert_eq!(*notes.commits.lock(), [(Durability::Synced, 1), (Durability::Synced, 2)]);
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_and_nothing_is_refused() {
    let (gate, notes, _broker, queue) = gated(10_000).await;
    let sends = start_sends(&gate, &queue, 40).await;
    gate.open();
    for send in sends {
        send.await.unwrap();
    }
    let commits = notes.commits.lock().clone();
    assert_eq!(commits.iter().map(|(_, rows)| rows).sum::<usize>(), 40);
    assert!(commits.iter().all(|(_, rows)| *rows <= 10), "{commits:?}");
}

#[tokio::test]
async fn transactions_take_their_share_of_the_bytes_in_flight() {
    let (gate, notes, broker, queue) = gated(10_000).await;
    gate.hold();
    let mut commits = Vec::new();
    for number in 0..40 {
        let mut tx = broker.transaction();
        tx.send(&queue, "x".repeat(1_000)).unwrap();
        commits.push(tokio::spawn(tx.commit()));
        tokio::task::yield_now().await;
        if number == 0 {
            gate.until_waiting(1);
        }
    }
    gate.open();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    let commits = notes.commits.lock().clone();
    assert_eq!(commits.iter().map(|(_, rows)| rows).sum::<usize>(), 40);
    assert!(commits.iter().all(|(_, rows)| *rows <= 10), "{commits:?}");
}

#[tokio::test]
async fn a_message_larger_than_the_bytes_in_flight_is_sent_alone() {
    let (_gate, _notes, _broker, queue) = gated(100).await;
    queue.send("x".repeat(100_000)).await.unwrap();
    queue.send("y").await.unwrap();
    assert_eq!(queue.counters().await.unwrap().visible, 2);
}

#[tokio::test]
async fn each_operation_has_the_durability_that_is_documented() {
    let notes = Noting::default();
    let broker = Broker::open(notes.clone()).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    let last = || notes.commits.lock().last().unwrap().0;
    queue.send("a").await.unwrap();
    assert_eq!(last(), Durability::Synced);
    let buffered = Entries::one(SendMessage::from("b")).durability(Durability::Buffered);
    let _ = queue.send_batch(buffered).await.unwrap();
    assert_eq!(last(), Durability::Buffered);
    let got = queue.receive(ReceiveOptions::up_to(2)).await.unwrap();
    assert_eq!(last(), Durability::Buffered, "the delivery count, before the hand-out");
    queue.change_visibility(got[1].receipt, Duration::from_secs(9)).await.unwrap();
    assert_eq!(last(), Durability::Buffered);
    let synced = ChangeVisibility { receipt: got[1].receipt, timeout: Duration::from_secs(8) };
    let synced = Entries::one(synced).durability(Durability::Synced);
    let _ = queue.change_visibility_batch(synced).await.unwrap();
    assert_eq!(last(), Durability::Synced);
    queue.delete(got[0].receipt).await.unwrap();
    assert_eq!(last(), Durability::Synced);
    let buffered = broker.queue("buffered").durability(Durability::Buffered).await.unwrap();
    buffered.send("c").await.unwrap();
    assert_eq!(last(), Durability::Buffered, "a queue's own");
    broker.flush().await.unwrap();
    assert_eq!(last(), Durability::Synced);
}

#[tokio::test]
async fn on_a_store_that_cannot_block_nothing_waits() {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send("a").now_or_never().expect("ready at once").unwrap();
    let got = queue.receive(ReceiveOptions::default()).now_or_never().expect("ready at once").unwrap();
    queue.delete(got[0].receipt).now_or_never().expect("ready at once").unwrap();
}

#[tokio::test]
async fn a_panic_of_the_engine_stops_the_broker_like_an_error() {
    let (_gate, notes, _broker, queue) = gated(MIB).await;
    notes.panics.store(true, Ordering::SeqCst);
    let sent = queue.send("a").await.unwrap_err();
    assert_eq!(sent.certainty(), Certainty::Indeterminate, "{sent}");
    notes.panics.store(false, Ordering::SeqCst);
    assert!(matches!(queue.send("b").await, Err(Error::Poisoned(_))));
    assert!(notes.commits.lock().is_empty(), "once stopped, always stopped");
}

#[tokio::test]
async fn a_flush_says_how_much_waited_and_what_is_certain_now() {
    let (gate, _notes, broker, queue) = gated(MIB).await;
    let sends = start_sends(&gate, &queue, 4).await;
    let mut flush = pin!(broker.flush());
    assert!(flush.as_mut().now_or_never().is_none());
    gate.open();
    let flushed = flush.await.unwrap();
    assert_eq!(flushed.batches_waiting, 3, "one of the four was being committed");
    assert_eq!(flushed.durability, Durability::Memory, "memory survives nothing, and says so");
    assert!(sends.iter().all(tokio::task::JoinHandle::is_finished) || gate.waiting() == 0);
}

#[tokio::test]
async fn closing_waits_for_what_was_sent_and_refuses_the_rest() {
    let (gate, notes, broker, queue) = gated(MIB).await;
    let sends = start_sends(&gate, &queue, 4).await;
    let closing = tokio::spawn({
        let broker = broker.clone();
        async move { broker.close().await }
    });
    tokio::task::yield_now().await;
    gate.open();
    closing.await.unwrap().unwrap();
    for send in sends {
        send.await.unwrap();
    }
    assert_eq!(notes.commits.lock().iter().map(|(_, rows)| rows).sum::<usize>(), 4);
    assert!(matches!(queue.send("late").await, Err(Error::Closed)));
    assert!(matches!(broker.close().await, Err(Error::Closed)));
}

/// Counts how often a future is polled until it is ready.
async fn polls<T>(future: impl Future<Output = T>) -> (T, usize) {
    let count = AtomicUsize::new(0);
    let mut future = pin!(future);
    let output = std::future::poll_fn(|context| {
        count.fetch_add(1, Ordering::SeqCst);
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => Poll::Pending,
        }
    });
    (output.await, count.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_waits_on_an_idle_queue_is_woken_once_at_its_deadline() {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let queue = broker.queue("idle").await.unwrap();
    queue.send("in flight for longer than the wait").await.unwrap();
    queue.receive(ReceiveOptions::default()).await.unwrap();
    let (got, polls) =
        polls(queue.receive(ReceiveOptions::default().wait_time(Duration::from_secs(20)))).await;
    assert!(got.unwrap().is_empty());
    assert_eq!(polls, 2, "once to begin, once at its end");
}
