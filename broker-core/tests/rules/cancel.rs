//! Calls that are dropped, and reads that race with commits, on a store whose commits wait at a gate: IQ7, IQ18, Q53.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Deleted, LocalQueue, ReceiveOptions,
    storage::faults::{FailingStorage, Gate, SlowStorage},
};
use broker_mem::MemStorage;
use futures_util::FutureExt;

use crate::support::{
    bulk, counts, held_at, numbers, others_run, poll, poll_for, secs, send_numbers, take, texts,
};

/// A queue on a store in memory whose commits can be held, and that counts its reads.
async fn gated() -> (Gate, Arc<FailingStorage>, LocalQueue) {
    let gate = Gate::new();
    let slow = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let store = Arc::new(FailingStorage::new(Arc::new(slow)));
    let broker = Broker::builder_on(store.clone()).limits(bulk()).open().await.unwrap();
    (gate, store, broker.queue("orders").await.unwrap())
}

/// IQ18: what it had leased is visible now, not after the timeout, and not counted.
#[tokio::test(start_paused = true)]
async fn a_receive_dropped_before_it_returns_gives_its_messages_back() {
    let (gate, _, queue) = gated().await;
    queue.send("m").await.unwrap();
    gate.hold();
    let mut receive = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    assert!(receive.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    drop(receive);
    gate.open();
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let message = take(&queue).await;
    assert_eq!((message.receive_count, message.first_received_at), (1, message.sent_at));
}

/// Q53, IQ16: and another receive that waits for it gets it.
#[tokio::test(start_paused = true)]
async fn a_receive_dropped_before_it_returns_ends_the_wait_of_another() {
    let (gate, _, queue) = gated().await;
    queue.send("m").await.unwrap();
    gate.hold();
    let mut dropped = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    assert!(dropped.as_mut().now_or_never().is_none());
    let options = ReceiveOptions::up_to(1).wait_time(secs(20));
    let mut waiting = Box::pin(queue.receive(options));
    assert!(waiting.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    gate.open();
    others_run().await;
    assert!(waiting.as_mut().now_or_never().is_none(), "it has looked in vain");
    drop(dropped);
    let begin = tokio::time::Instant::now();
    assert_eq!(texts(&waiting.await.unwrap()), ["m"]);
    assert!(begin.elapsed() < secs(1));
}

/// IQ18: dropped, a send has happened or not; here it has.
#[tokio::test(start_paused = true)]
async fn a_send_dropped_before_it_returns_is_whole_or_absent() {
    let (gate, _, queue) = gated().await;
    gate.hold();
    let mut send = Box::pin(queue.send("m"));
    assert!(send.as_mut().now_or_never().is_none());
    drop(send);
    drop(queue.send("never polled"));
    gate.open();
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["m"]);
}

/// IQ18.
#[tokio::test(start_paused = true)]
async fn a_delete_dropped_before_it_returns_has_happened() {
    let (gate, _, queue) = gated().await;
    queue.send("m").await.unwrap();
    let receipt = take(&queue).await.receipt;
    gate.hold();
    assert!(Box::pin(queue.delete(receipt)).now_or_never().is_none());
    gate.open();
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert_eq!(queue.delete(receipt).await.unwrap(), Deleted::Gone);
}

/// An answer is given out only when what it saw is committed: a receive waits for the send that it found.
#[tokio::test(start_paused = true)]
async fn a_receive_does_not_return_a_message_before_it_is_committed() {
    let (gate, _, queue) = gated().await;
    gate.hold();
    let sending = tokio::spawn({
        let queue = queue.clone();
        async move { queue.send("m").await.unwrap() }
    });
    held_at(&gate).await;
    let mut receiving = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    for _ in 0..3 {
        assert!(receiving.as_mut().now_or_never().is_none());
        others_run().await;
    }
    gate.open();
    assert_eq!(receiving.await.unwrap()[0].id, sending.await.unwrap().id);
}

/// IQ7: a page read while a delete waits for its commit still has the row, which must not come back to life.
#[tokio::test(start_paused = true)]
async fn a_message_being_deleted_is_not_read_back() {
    let (gate, store, queue) = gated().await;
    send_numbers(&queue, 0..9_000, |_| Duration::ZERO).await;
    let received = poll_for(&queue, 9_000, secs(1)).await;
    crate::support::advance(secs(1)).await;
    // More than memory keeps: the newest are in the store only. This one comes back to memory, and is in flight.
    let receipt = received[8_000].receipt;
    queue.change_visibility(receipt, secs(100)).await.unwrap();
    gate.hold();
    let deleting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.delete(receipt).await.unwrap() }
    });
    held_at(&gate).await;
    let reads = store.reads();
    let receiving = tokio::spawn({
        let queue = queue.clone();
        async move { poll(&queue, 20_000).await }
    });
    others_run().await;
    gate.open();
    assert_eq!(deleting.await.unwrap(), Deleted::Gone);
    let expected: Vec<_> = (0..9_000).filter(|n| *n != 8_000).collect();
    assert_eq!(numbers(&receiving.await.unwrap()), expected);
    assert_eq!(counts(&queue).await, [0, 8_999, 0]);
    assert!(store.reads() > reads, "pages were read");
}

/// Q8: what expires while its hand-out waits for its commit has no row any more. It is gone, and not damaged.
#[tokio::test(start_paused = true)]
async fn a_message_that_expires_while_it_is_handed_out_is_gone() {
    let (gate, _, queue) = gated().await;
    queue.send("old").await.unwrap();
    let receipt = take(&queue).await.receipt;
    queue.change_visibility(receipt, Duration::ZERO).await.unwrap();
    crate::support::advance(secs(60)).await;
    gate.hold();
    let sending = tokio::spawn({
        let queue = queue.clone();
        async move { queue.send("new").await.unwrap() }
    });
    held_at(&gate).await;
    // This and what follows are one commit, behind the one that is held.
    let mut receiving = Box::pin(queue.receive(ReceiveOptions::up_to(1)));
    assert!(receiving.as_mut().now_or_never().is_none());
    crate::support::advance(secs(4 * 86_400 - 30)).await;
    let mut counting = Box::pin(queue.counters());
    assert!(counting.as_mut().now_or_never().is_none());
    gate.open();
    sending.await.unwrap();
    let received = receiving.await.unwrap();
    assert!(texts(&received).iter().all(|text| *text == "new"));
    assert_eq!(counting.await.unwrap().total(), 1);
}
