//! A group of which memory holds the beginning only, and messages that come back to it: IF1, IF6, IF7, F34, F40, F44.

use std::time::Duration;

use broker_core::{LocalQueue, MemoryBounds, Message};

use crate::{
    fifo_support::{NAME, TINY, delete, numbered, send_batch},
    support::{World, advance, bulk, counts, poll, poll_for, secs, texts},
};

/// F34, IF6: a long group, visible again at once: as much of it as memory holds, again and again.
async fn a_long_group_received_with_a_timeout_of_zero_repeats(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    let (_broker, queue) = world.fifo().await;
    send_batch(&queue, numbered("a", 0..30)).await;
    for round in 1..=5 {
        let received = poll_for(&queue, 30, Duration::ZERO).await;
        assert!(!received.is_empty());
        assert_eq!(texts(&received), numbered("a", 0..received.len()));
        assert_eq!(received[0].receive_count, round);
        assert_eq!(counts(&queue).await, [30, 0, 0]);
    }
}

/// Receives and deletes the beginning of group `a`, which must be these.
async fn comes_in_order(queue: &LocalQueue, expected: &[(String, u32)]) {
    let mut left = expected;
    while !left.is_empty() {
        let received = poll_for(queue, 30, secs(5)).await;
        assert!(!received.is_empty(), "{left:?} do not come");
        let with_count = |message: &Message| (message.text().unwrap().to_owned(), message.receive_count);
        assert_eq!(received.iter().map(with_count).collect::<Vec<_>>(), left[..received.len()]);
        delete(queue, &received).await;
        left = &left[received.len()..];
    }
}

/// F40, F44, IF7: a long group that came back, in the middle of which some were deleted and one was extended.
async fn a_group_that_was_put_out_keeps_order_and_counts(world: World) {
    let world = world.limits(bulk()).bounds(MemoryBounds { searched: 100, ..TINY });
    let (broker, queue) = world.fifo().await;
    send_batch(&queue, numbered("a", 0..30)).await;
    let received = poll_for(&queue, 30, secs(10)).await;
    assert_eq!(texts(&received), numbered("a", 0..30));
    for n in [3, 17, 29] {
        delete(&queue, &received[n..=n]).await;
    }
    queue.change_visibility(received[20].receipt, secs(50)).await.unwrap();
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [26, 1, 0]);
    broker.close().await.unwrap();
    drop((broker, queue));
    let world = world.bounds(TINY);
    let broker = world.broker().await;
    let queue = broker.open_queue(NAME).await.unwrap();
    assert_eq!(counts(&queue).await, [26, 1, 0]);
    assert!(queue.delete(received[0].receipt).await.is_err(), "expired");
    assert!(queue.delete(received[28].receipt).await.is_err(), "and not in memory");
    let left = |range: std::ops::Range<usize>| -> Vec<_> {
        range.filter(|n| ![3, 17, 29].contains(n)).map(|n| (format!("a{n}"), 2)).collect()
    };
    comes_in_order(&queue, &left(0..20)).await;
    assert!(poll(&queue, 30).await.is_empty(), "the next one was extended");
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(counts(&queue).await, [8, 1, 0]);
    advance(secs(40)).await;
    comes_in_order(&queue, &left(20..30)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// IF1: those before it have been put out of memory when a message comes back, by its timeout or by a change to zero.
async fn a_message_that_comes_back_overtakes_none_that_are_not_in_memory(world: World) {
    let world = world.limits(bulk()).bounds(MemoryBounds { searched: 100, ..TINY });
    for by_timeout in [true, false] {
        let (broker, queue) = world.fifo().await;
        send_batch(&queue, numbered("a", 0..20)).await;
        let received = poll_for(&queue, 20, secs(10)).await;
        let extended = received[15].receipt;
        queue.change_visibility(extended, secs(20)).await.unwrap();
        advance(secs(10)).await;
        assert_eq!(counts(&queue).await, [19, 1, 0]);
        if by_timeout {
            advance(secs(10)).await;
        } else {
            queue.change_visibility(extended, Duration::ZERO).await.unwrap();
        }
        assert_eq!(counts(&queue).await, [20, 0, 0]);
        comes_in_order(&queue, &(0..20).map(|n| (format!("a{n}"), 2)).collect::<Vec<_>>()).await;
        broker.delete_queue(NAME).await.unwrap();
        broker.close().await.unwrap();
    }
}

everywhere! {
    a_long_group_received_with_a_timeout_of_zero_repeats,
    a_group_that_was_put_out_keeps_order_and_counts,
    a_message_that_comes_back_overtakes_none_that_are_not_in_memory,
}
