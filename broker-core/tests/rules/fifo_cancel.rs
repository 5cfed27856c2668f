//! Message groups when calls are dropped, commits wait and a broker is opened anew: IF1, IF2, IF5, IQ18.

use std::sync::Arc;

use broker_core::{
    Broker, Deleted, Error, LocalQueue, ReceiveOptions,
    storage::faults::{Gate, SlowStorage},
};
use broker_mem::MemStorage;
use futures_util::FutureExt;

use crate::{
    fifo_support::{NAME, fifo, send},
    support::{World, advance, counts, ms, others_run, poll, poll_for, secs, take, texts},
};

/// A FIFO queue on a store in memory whose commits can be held.
async fn gated() -> (Gate, LocalQueue) {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let broker = Broker::open(store).await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    (gate, queue)
}

/// IF2, IQ18: the group is free at once, in order, and nothing was counted.
#[tokio::test(start_paused = true)]
async fn a_dropped_receive_frees_its_groups() {
    let (gate, queue) = gated().await;
    send(&queue, &["a1", "b1", "a2", "a3"]).await;
    gate.hold();
    let mut receive = Box::pin(queue.receive(ReceiveOptions::up_to(3)));
    assert!(receive.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    drop(receive);
    gate.open();
    assert_eq!(counts(&queue).await, [4, 0, 0]);
    let mut received = poll(&queue, 10).await;
    received.sort_by_key(|message| message.group_id.clone());
    assert_eq!(texts(&received), ["a1", "a2", "a3", "b1"]);
    assert!(received.iter().all(|m| (m.receive_count, m.first_received_at) == (1, m.sent_at)));
}

/// IF1, IF2, IQ16: another receive waits for the group, and gets all of it, from its head.
#[tokio::test(start_paused = true)]
async fn a_dropped_receive_ends_the_wait_of_another_for_its_group() {
    let (gate, queue) = gated().await;
    send(&queue, &["a1", "a2"]).await;
    gate.hold();
    let mut dropped = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    assert!(dropped.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(queue.receive(ReceiveOptions::up_to(10).wait_time(secs(20))));
    assert!(waiting.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    gate.open();
    others_run().await;
    assert!(waiting.as_mut().now_or_never().is_none(), "a1 is in flight, and a2 behind it");
    drop(dropped);
    let begin = tokio::time::Instant::now();
    assert_eq!(texts(&waiting.await.unwrap()), ["a1", "a2"]);
    assert!(begin.elapsed() < secs(1));
}

/// IF1: a receive that follows a delete returns the next message when the delete is committed, not before. After a
/// crash between the two the order would be broken.
#[tokio::test(start_paused = true)]
async fn the_next_message_is_not_handed_out_before_the_delete_is_committed() {
    let (gate, queue) = gated().await;
    send(&queue, &["a1", "a2"]).await;
    let head = poll(&queue, 1).await.remove(0);
    gate.hold();
    let mut deleting = Box::pin(queue.delete(head.receipt));
    assert!(deleting.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    let mut receiving = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    for _ in 0..3 {
        assert!(receiving.as_mut().now_or_never().is_none());
        others_run().await;
    }
    gate.open();
    assert_eq!(texts(&receiving.await.unwrap()), ["a2"]);
    assert_eq!(deleting.await.unwrap(), Deleted::Gone);
}

/// IF2, IQ18: a dropped delete has happened, and its group is free.
#[tokio::test(start_paused = true)]
async fn a_dropped_delete_frees_its_group() {
    let (gate, queue) = gated().await;
    send(&queue, &["a1", "a2"]).await;
    let head = poll(&queue, 1).await.remove(0);
    gate.hold();
    assert!(Box::pin(queue.delete(head.receipt)).now_or_never().is_none());
    gate.open();
    assert_eq!(texts(&poll(&queue, 10).await), ["a2"]);
    assert_eq!(queue.delete(head.receipt).await.unwrap(), Deleted::Gone);
}

/// IF5, IQ18: a dropped send has happened or not, and its repeat leaves one message.
#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_dropped_send_leaves_one_message() {
    let (gate, queue) = gated().await;
    gate.hold();
    let mut dropped = Box::pin(queue.send(fifo("a1")));
    assert!(dropped.as_mut().now_or_never().is_none());
    drop(dropped);
    drop(queue.send(fifo("a2")));
    gate.open();
    let repeated = send(&queue, &["a1", "a2"]).await;
    assert!(repeated[0].duplicate, "it had happened");
    assert!(!repeated[1].duplicate, "it was never polled");
    let received = poll(&queue, 10).await;
    assert_eq!((texts(&received), received[0].id), (vec!["a1", "a2"], repeated[0].id));
}

/// IF1, IF2: groups are as blocked after a restart as before, for as long.
async fn a_restart_leaves_groups_blocked(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "b2"]).await;
    let first = poll_for(&queue, 1, secs(10)).await.remove(0);
    let second = poll_for(&queue, 1, secs(20)).await.remove(0);
    let rest = |head: &broker_core::Message| head.text().unwrap().replace('1', "2");
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
    queue.delete(second.receipt).await.unwrap();
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(take(&queue).await.text(), Ok(rest(&second).as_str()));
    advance(secs(10) - ms(1)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), [first.text().unwrap(), &rest(&first)]);
}

everywhere! {
    a_restart_leaves_groups_blocked,
}

/// IF2: unless what was in flight is released; then its receipts are worth nothing.
#[tokio::test(start_paused = true)]
async fn released_messages_are_first_in_their_groups() {
    let store = MemStorage::new();
    let broker = Broker::open(store.clone()).await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    send(&queue, &["a1", "a2", "a3"]).await;
    let head = poll_for(&queue, 2, secs(1_000)).await.remove(0);
    broker.close().await.unwrap();
    let broker = Broker::builder(store).release_in_flight().open().await.unwrap();
    let queue = broker.open_queue(NAME).await.unwrap();
    assert_eq!(counts(&queue).await, [3, 0, 0]);
    assert!(matches!(queue.delete(head.receipt).await, Err(Error::ReceiptHandleExpired { .. })));
    let received = poll(&queue, 10).await;
    assert_eq!(texts(&received), ["a1", "a2", "a3"]);
    assert_eq!(received.iter().map(|message| message.receive_count).collect::<Vec<_>>(), [2, 2, 1]);
}
