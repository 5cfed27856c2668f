//! Receives that wait: each message wakes one of them, whatever becomes of the others. A wake-up that is lost leaves a task that
//! nobody wakes, and Shuttle reports a deadlock.

use std::time::Duration;

use broker_core::{Entries, LocalQueue, Message, ReceiveOptions, SendMessage};
use broker_shuttle::{Store, all, random};
use shuttle::future::{JoinHandle, spawn};

use crate::world::{TINY, World, receive_one, texts};

type Receiver = JoinHandle<Result<Vec<Message>, broker_core::Error>>;

fn receivers<const N: usize>(queue: &LocalQueue) -> [Receiver; N] {
    std::array::from_fn(|_| spawn(receive_one(queue.clone())))
}

/// What a receiver got: none if it was dropped before.
async fn got(receiver: Receiver) -> Option<Vec<String>> {
    receiver.await.ok().map(|received| texts(&received.expect("nothing fails here")))
}

fn batch(texts: &[&str]) -> Entries<SendMessage> {
    texts.iter().map(|text| SendMessage::from(*text)).collect()
}

/// Two wait, two messages come at once: each gets one.
async fn a_batch(store: Store) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    let [first, second] = receivers(&queue);
    let _ = queue.send_batch(batch(&["one", "two"])).await.expect("nothing fails here");
    let mut all: Vec<String> =
        [got(first).await, got(second).await].into_iter().flatten().flatten().collect();
    all.sort();
    assert_eq!(all, ["one", "two"]);
}

/// Two wait, one of them is dropped at any time, and one message comes: if the dropped one has not got it, the other one does.
async fn a_drop(store: Store) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    let [dropped, other] = receivers(&queue);
    let sender = spawn({
        let queue = queue.clone();
        async move { queue.send("one").await }
    });
    dropped.abort();
    let _ = sender.await.expect("nobody drops it").expect("nothing fails here");
    if got(dropped).await.is_some() {
        queue.send("two").await.expect("nothing fails here");
    }
    let got = got(other).await.expect("nobody drops it");
    assert_eq!(got.len(), 1);
}

/// Three wait for messages of which only one is in memory, and one of them is dropped while it may be reading.
async fn a_drop_while_paging(store: Store) {
    let world = World::with_memory(store, TINY).await;
    let queue = world.queue().await;
    let [dropped, second, third] = receivers(&queue);
    let sender = spawn({
        let queue = queue.clone();
        async move { queue.send_batch(batch(&["one", "two"])).await }
    });
    dropped.abort();
    let _ = sender.await.expect("nobody drops it").expect("nothing fails here");
    if got(dropped).await.is_some() {
        queue.send("three").await.expect("nothing fails here");
    }
    for receiver in [second, third] {
        assert_eq!(got(receiver).await.expect("nobody drops it").len(), 1);
    }
}

/// One waits, and a message in flight comes back: given back by hand, or by a receive that is dropped.
async fn one_comes_back(store: Store) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    queue.send("one").await.expect("nothing fails here");
    let held = receive_one(queue.clone()).await.expect("nothing fails here").remove(0);
    let [waits] = receivers(&queue);
    queue.change_visibility(held.receipt, Duration::ZERO).await.expect("nothing fails here");
    assert_eq!(got(waits).await, Some(vec!["one".to_owned()]));
}

/// Two wait while the only message is in flight, and its time is up: the timekeeper may be the one that is dropped.
async fn time_is_up(store: Store) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    queue.send("one").await.expect("nothing fails here");
    let short = ReceiveOptions::up_to(1).visibility_timeout(Duration::from_secs(5));
    assert_eq!(queue.receive(short).await.expect("nothing fails here").len(), 1);
    let [dropped, other] = receivers(&queue);
    dropped.abort();
    world.clock.advance(Duration::from_secs(5));
    if got(dropped).await.is_some_and(|texts| !texts.is_empty()) {
        queue.send("two").await.expect("nothing fails here");
    }
    assert_eq!(got(other).await.map(|texts| texts.len()), Some(1));
}

/// One waits for the end of a long lease, and another message is given a shorter one meanwhile.
async fn sooner_than_thought(store: Store) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    queue.send("one").await.expect("nothing fails here");
    let held = receive_one(queue.clone()).await.expect("nothing fails here").remove(0);
    let [waits] = receivers(&queue);
    queue.change_visibility(held.receipt, Duration::from_secs(5)).await.expect("nothing fails here");
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(got(waits).await, Some(vec!["one".to_owned()]));
}

/// Two wait when the broker is closed, or the queue deleted: both return.
async fn the_end(store: Store, close: bool) {
    let world = World::open(store).await;
    let queue = world.queue().await;
    let waits: [Receiver; 2] = receivers(&queue);
    if close {
        world.broker.close().await.expect("nothing fails here");
    } else {
        world.broker.delete_queue("q").await.expect("nothing fails here");
    }
    for receiver in waits {
        assert!(receiver.await.expect("nobody drops it").is_err());
    }
}

#[test]
fn each_message_of_a_batch_wakes_one() {
    all("waiters, a batch", 2, || a_batch(Store::inline()));
    all("waiters, a batch, grouped", 0, || a_batch(Store::grouped()));
    random("waiters, a batch, grouped", 1_000, || a_batch(Store::grouped()));
}

#[test]
fn a_receiver_that_is_dropped_passes_its_wake_up_on() {
    all("waiters, a drop", 1, || a_drop(Store::inline()));
    all("waiters, a drop, grouped", 0, || a_drop(Store::grouped()));
    random("waiters, a drop, grouped", 1_000, || a_drop(Store::grouped()));
}

#[test]
fn a_receiver_that_is_dropped_while_it_reads_passes_its_wake_up_on() {
    random("waiters, a drop while paging", 2_000, || a_drop_while_paging(Store::grouped()));
}

#[test]
fn a_message_that_comes_back_wakes_one() {
    all("waiters, one comes back", 2, || one_comes_back(Store::inline()));
    all("waiters, one comes back, grouped", 1, || one_comes_back(Store::grouped()));
}

#[test]
fn somebody_keeps_the_time() {
    all("waiters, time is up", 2, || time_is_up(Store::inline()));
    all("waiters, sooner than thought", 2, || sooner_than_thought(Store::inline()));
}

#[test]
fn nobody_waits_beyond_the_end() {
    all("waiters, closed", 1, || the_end(Store::inline(), true));
    all("waiters, deleted", 1, || the_end(Store::inline(), false));
}
