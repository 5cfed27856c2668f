//! What happens to a message between the moment in which a move task has read it and the moment in which it takes it
//! (Q86, IQ7, IQ9): here the first lasts as long as a test wants.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Deleted, LocalQueue, MemoryBounds, MoveTask, SendMessage,
    storage::{
        Storage,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;

use crate::{
    held_reads::HeldReads,
    moves::{ended, newest},
    support::{advance, counts, held_at, ms, numbers, poll, poll_for, secs, send_all, texts},
};

/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 1, staged: 1, staged_bytes: 1, searched: 2 };

async fn open(store: impl Storage) -> (Broker, LocalQueue, LocalQueue) {
    let broker = Broker::builder(store).memory(TINY).open().await.unwrap();
    let dead = broker.queue("dead").await.unwrap();
    broker.queue("source").dead_letter("dead", 1).await.unwrap();
    let to = broker.queue("to").await.unwrap();
    (broker, dead, to)
}

fn task() -> MoveTask {
    MoveTask::from("dead").to("to")
}

/// Starts a task and returns when it has read and not moved.
async fn start_and_hold(broker: &Broker, store: &HeldReads) {
    store.hold_next_rows();
    broker.start_move_task(task()).await.unwrap();
    store.held().await;
}

/// Lets the task go on, to its end: so many messages are moved, and nothing is left.
async fn go_on(broker: &Broker, store: &HeldReads, [dead, to]: [&LocalQueue; 2], moved: &[usize]) {
    store.release();
    assert_eq!(ended(broker, "dead").await.failure(), None);
    assert_eq!(newest(broker, "dead").await.moved, moved.len() as u64);
    assert_eq!((counts(dead).await, counts(to).await), ([0, 0, 0], [moved.len() as u64, 0, 0]));
    assert_eq!(numbers(&poll(to, 10).await), moved);
    assert!(poll(dead, 10).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_received_and_deleted_meanwhile_is_not_moved() {
    let store = HeldReads::new(&MemStorage::new());
    let (broker, dead, to) = open(store.clone()).await;
    send_all(&dead, &["0", "1", "2", "3"]).await;
    start_and_hold(&broker, &store).await;
    for message in poll(&dead, 3).await {
        assert_eq!(dead.delete(message.receipt).await.unwrap(), Deleted::Gone);
    }
    go_on(&broker, &store, [&dead, &to], &[3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_lease_has_ended_and_that_is_deleted_meanwhile_is_not_moved() {
    let memory = MemStorage::new();
    let (broker, dead, _) = open(HeldReads::new(&memory)).await;
    send_all(&dead, &["0", "1", "2"]).await;
    let received = poll_for(&dead, 2, secs(1)).await;
    broker.close().await.unwrap();
    // Now they are live beyond all that has been read.
    let store = HeldReads::new(&memory);
    let (broker, dead, to) = open(store.clone()).await;
    advance(secs(2)).await;
    start_and_hold(&broker, &store).await;
    assert_eq!(dead.delete(received[1].receipt).await.unwrap(), Deleted::Gone);
    go_on(&broker, &store, [&dead, &to], &[0, 2]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_recalled_and_deleted_meanwhile_is_not_moved() {
    let store = HeldReads::new(&MemStorage::new());
    let (broker, dead, to) = open(store.clone()).await;
    send_all(&dead, &["0", "1", "2", "3", "4", "5"]).await;
    let received = poll_for(&dead, 6, Duration::ZERO).await;
    assert_eq!(counts(&dead).await, [6, 0, 0]);
    start_and_hold(&broker, &store).await;
    for n in [5, 4, 0] {
        assert_eq!(dead.delete(received[n].receipt).await.unwrap(), Deleted::Gone);
    }
    go_on(&broker, &store, [&dead, &to], &[1, 2, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_in_flight_behind_what_was_read_and_deleted_meanwhile_is_not_moved() {
    let store = HeldReads::new(&MemStorage::new());
    let (broker, dead, to) = open(store.clone()).await;
    send_all(&dead, &["0", "1", "2", "3", "4", "5"]).await;
    let received = poll_for(&dead, 6, Duration::ZERO).await;
    assert_eq!(counts(&dead).await, [6, 0, 0]);
    // It was put out of memory, and comes back for this.
    dead.change_visibility(received[5].receipt, secs(100)).await.unwrap();
    start_and_hold(&broker, &store).await;
    assert_eq!(dead.delete(received[5].receipt).await.unwrap(), Deleted::Gone);
    go_on(&broker, &store, [&dead, &to], &[0, 1, 2, 3, 4]).await;
}

#[tokio::test(start_paused = true)]
async fn messages_whose_far_delays_end_meanwhile_are_moved_as_they_are_then() {
    let store = HeldReads::new(&MemStorage::new());
    let (broker, dead, to) = open(store.clone()).await;
    for n in 0..5 {
        dead.send(SendMessage::from(n.to_string()).delay(secs(5))).await.unwrap();
    }
    start_and_hold(&broker, &store).await;
    advance(secs(5)).await;
    go_on(&broker, &store, [&dead, &to], &[0, 1, 2, 3, 4]).await;
}

#[tokio::test(start_paused = true)]
async fn a_purge_meanwhile_leaves_nothing_to_move() {
    let store = HeldReads::new(&MemStorage::new());
    let (broker, dead, to) = open(store.clone()).await;
    send_all(&dead, &["0", "1"]).await;
    start_and_hold(&broker, &store).await;
    dead.purge().await.unwrap();
    go_on(&broker, &store, [&dead, &to], &[]).await;
}

/// The other way round: the task has taken them, and that is not committed.
#[tokio::test(start_paused = true)]
async fn messages_that_are_being_moved_are_not_read_by_others() {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let (broker, dead, to) = open(store).await;
    send_all(&dead, &["0", "1", "2", "3", "4", "5"]).await;
    let filter = broker_core::MoveFilter::new().body_contains("3");
    broker.start_move_task(task().filter(filter)).await.unwrap();
    gate.hold();
    held_at(&gate).await;
    let consumer = dead.clone();
    let receiving = tokio::spawn(async move { poll(&consumer, 6).await });
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    gate.open();
    let mut received = receiving.await.unwrap();
    received.extend(poll(&dead, 6).await);
    received.extend(poll(&dead, 6).await);
    assert_eq!(texts(&received), ["0", "1", "2", "4", "5"]);
    tokio::time::sleep(ms(1)).await;
    assert_eq!((counts(&dead).await, counts(&to).await), ([0, 5, 0], [1, 0, 0]));
}
