//! Receiving without waiting: rules Q50, Q52, Q54 to Q57, Q59, Q60.

use std::time::Duration;

use broker_core::{Error, Limits, ReceiveOptions, SendMessage};

use crate::support::{
    World, advance, assert_invalid, counts, ms, poll, poll_for, refusal, secs, send_all, take, texts,
};

/// Q50.
async fn a_receive_returns_1_to_10_messages_by_default_1(world: World) {
    let (_broker, queue) = world.queue().await;
    for n in 0..25 {
        queue.send(n.to_string()).await.unwrap();
    }
    assert_eq!(texts(&queue.receive(ReceiveOptions::default()).await.unwrap()), ["0"]);
    assert_eq!(poll(&queue, 10).await.len(), 10);
    assert_eq!(poll(&queue, 10).await.len(), 10);
    assert_eq!(texts(&poll(&queue, 10).await), ["21", "22", "23", "24"], "what there is");
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q50.
async fn other_numbers_of_messages_are_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    for max in [0, 11, usize::MAX] {
        let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(max))).await;
        assert_invalid(&error, "max_messages", &max.to_string(), "between 1 and 10");
    }
}

/// Q52: what was sent is there; nothing is sampled.
async fn a_short_poll_finds_every_message_at_once(world: World) {
    let (_broker, queue) = world.queue().await;
    for _ in 0..20 {
        queue.send("m").await.unwrap();
        take(&queue).await;
    }
}

/// Q54.
async fn a_visibility_timeout_of_the_call_overrides_that_of_the_queue(world: World) {
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b"]).await;
    assert_eq!(texts(&poll_for(&queue, 1, secs(43_200)).await), ["a"]);
    assert_eq!(texts(&poll_for(&queue, 1, secs(2)).await), ["b"]);
    advance(secs(2)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["b"]);
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["b"], "the queue's timeout again");
    advance(secs(43_200 - 32)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a", "b"]);
}

/// Q54.
async fn with_a_timeout_of_zero_a_message_is_visible_again_at_once(world: World) {
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b", "c"]).await;
    for round in 1..=3 {
        let received = poll_for(&queue, 10, Duration::ZERO).await;
        assert_eq!(texts(&received), ["a", "b", "c"], "none twice in one receive");
        assert!(received.iter().all(|message| message.receive_count == round));
        assert_eq!(counts(&queue).await, [3, 0, 0]);
    }
}

/// Q54.
async fn a_visibility_timeout_above_12_hours_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    for timeout in [secs(43_200) + Duration::from_nanos(1), secs(43_201), Duration::MAX] {
        let options = ReceiveOptions::up_to(1).visibility_timeout(timeout);
        let error = refusal(&queue, queue.receive(options)).await;
        assert_invalid(&error, "visibility_timeout", &format!("{timeout:?}"), "between 0ns and 43200s");
    }
}

/// Q55, Q57, IQ8.
async fn each_receive_has_a_new_receipt_and_counts_one_more(world: World) {
    let (broker, mut queue) = world.queue().await;
    let sent = queue.send("m").await.unwrap();
    advance(secs(5)).await;
    let first = take(&queue).await;
    assert_eq!((first.id, first.receive_count), (sent.id, 1));
    assert_eq!(first.first_received_at.since(first.sent_at), secs(5));
    let mut receipts = vec![first.receipt];
    let mut broker = broker;
    for count in 2..=4 {
        advance(secs(30)).await;
        let again = take(&queue).await;
        assert_eq!(again.receive_count, count);
        assert_eq!((again.sent_at, again.first_received_at), (first.sent_at, first.first_received_at));
        assert!(!receipts.contains(&again.receipt) && again.receipt.to_string().len() <= 1024);
        receipts.push(again.receipt);
        (broker, queue) = world.reopened(broker).await;
        assert_eq!(counts(&queue).await, [0, 1, 0], "the lease survives");
    }
}

/// Q55: the count that a killed process leaves is that of the hand-outs.
async fn a_hand_out_is_counted_although_its_consumer_never_came_back(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    drop(take(&queue).await);
    let (_broker, queue) = world.reopened(broker).await;
    advance(secs(30)).await;
    assert_eq!(take(&queue).await.receive_count, 2);
}

/// Q56. [`test_inflight_message_requeue`]
async fn a_message_that_returns_keeps_its_place_by_the_time_it_was_sent(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("older").await.unwrap();
    let older = take(&queue).await;
    queue.send("newer").await.unwrap();
    queue.change_visibility(older.receipt, Duration::ZERO).await.unwrap();
    assert_eq!(texts(&poll(&queue, 10).await), ["older", "newer"]);
}

/// Q56.
async fn messages_come_in_the_order_in_which_they_were_sent(world: World) {
    let (broker, queue) = world.queue().await;
    let bodies: Vec<String> = (0..700).map(|n| n.to_string()).collect();
    for chunk in bodies.chunks(10) {
        queue
            .send_batch(chunk.iter().cloned().map(SendMessage::from).collect())
            .await
            .unwrap()
            .all()
            .unwrap();
    }
    let mut received = Vec::new();
    for _ in 0..35 {
        received.extend(poll(&queue, 10).await);
    }
    let (_broker, queue) = world.reopened(broker).await;
    for _ in 0..35 {
        received.extend(poll(&queue, 10).await);
    }
    assert_eq!(texts(&received), bodies);
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 2).await), ["0", "1"], "all are back, the oldest first");
}

/// IQ4: while a message is in flight no other receive returns it.
async fn a_message_in_flight_is_handed_to_nobody_else(world: World) {
    let (_broker, queue) = world.queue().await;
    for n in 0..100 {
        queue.send(n.to_string()).await.unwrap();
    }
    let consumers = (0..20).map(|_| poll(&queue, 10));
    let received: Vec<_> = futures_util::future::join_all(consumers).await.into_iter().flatten().collect();
    let mut numbers: Vec<u32> = received.iter().map(|m| m.text().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q59: a short poll at the limit.
async fn at_the_in_flight_limit_a_short_poll_is_refused(world: World) {
    let world = world.limits(Limits { in_flight_max: 3, ..Limits::aws() });
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b", "c", "d", "e"]).await;
    let received = poll(&queue, 10).await;
    assert_eq!(texts(&received), ["a", "b", "c"], "up to the limit");
    let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(1))).await;
    assert!(matches!(error, Error::OverLimit { in_flight: 3, max: 3 }));
    queue.send("f").await.expect("sending works at the limit");
    queue.delete(received[0].receipt).await.expect("so does deleting");
    assert_eq!(texts(&poll(&queue, 10).await), ["d"]);
    queue.change_visibility(received[1].receipt, Duration::ZERO).await.unwrap();
    assert_eq!(texts(&poll(&queue, 10).await), ["b"]);
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["b", "c", "d"]);
}

/// Q60: the sum is what is stored.
async fn counters_follow_every_step_of_a_message(world: World) {
    let (broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b", "c"]).await;
    queue.send(SendMessage::from("later").delay(secs(10))).await.unwrap();
    assert_eq!(counts(&queue).await, [3, 0, 1]);
    let received = poll(&queue, 2).await;
    assert_eq!(counts(&queue).await, [1, 2, 1]);
    queue.delete(received[0].receipt).await.unwrap();
    assert_eq!(counts(&queue).await, [1, 1, 1]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [1, 1, 1]);
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [2, 1, 0]);
    advance(secs(20)).await;
    assert_eq!(counts(&queue).await, [3, 0, 0]);
    assert_eq!(queue.attributes().await.unwrap().counters.total(), 3);
}

everywhere! {
    a_receive_returns_1_to_10_messages_by_default_1,
    other_numbers_of_messages_are_refused,
    a_short_poll_finds_every_message_at_once,
    a_visibility_timeout_of_the_call_overrides_that_of_the_queue,
    with_a_timeout_of_zero_a_message_is_visible_again_at_once,
    a_visibility_timeout_above_12_hours_is_refused,
    each_receive_has_a_new_receipt_and_counts_one_more,
    a_hand_out_is_counted_although_its_consumer_never_came_back,
    a_message_that_returns_keeps_its_place_by_the_time_it_was_sent,
    messages_come_in_the_order_in_which_they_were_sent,
    a_message_in_flight_is_handed_to_nobody_else,
    at_the_in_flight_limit_a_short_poll_is_refused,
    counters_follow_every_step_of_a_message,
}
