//! What a consumer does with a message: the table Q70 to Q72, and rules Q75 to Q77.

use std::time::Duration;

use broker_core::{Deleted, VisibilityChanged};

use crate::support::{World, advance, assert_invalid, counts, ms, poll, poll_for, refusal, secs, take};

/// The first line of the table, IQ7.
async fn a_message_in_flight_is_deleted_for_good(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let message = take(&queue).await;
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    advance(secs(43_200)).await;
    assert!(poll(&queue, 10).await.is_empty());
    let (_broker, queue) = world.reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q70. [`test_delete_after_visibility_timeout`]
async fn a_receipt_whose_timeout_has_ended_still_deletes(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let [message] = &poll_for(&queue, 1, secs(1)).await[..] else { panic!() };
    advance(secs(2)).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert!(poll(&queue, 1).await.is_empty());
}

/// Q70. [`test_change_message_visibility_after_visibility_timeout_expiration`]
async fn a_receipt_whose_timeout_has_ended_still_hides(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let [message] = &poll_for(&queue, 1, secs(1)).await[..] else { panic!() };
    advance(secs(2)).await;
    let changed = queue.change_visibility(message.receipt, secs(2)).await.unwrap();
    let VisibilityChanged::Until(until) = changed else { panic!("{changed:?}") };
    assert_eq!(until.since(message.first_received_at), secs(4));
    assert_eq!(counts(&queue).await, [0, 1, 0]);
    advance(secs(2) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(take(&queue).await.receive_count, 2);
}

/// Q71, IQ6: the newer lease is left alone.
async fn an_old_receipt_neither_deletes_nor_hides_a_message_received_again(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let [old] = &poll_for(&queue, 1, secs(1)).await[..] else { panic!() };
    advance(secs(1)).await;
    let new = take(&queue).await;
    assert_eq!(queue.delete(old.receipt).await.unwrap(), Deleted::Stale);
    assert_eq!(queue.change_visibility(old.receipt, secs(100)).await.unwrap(), VisibilityChanged::Stale);
    assert_eq!(counts(&queue).await, [0, 1, 0]);
    let (broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.delete(old.receipt).await.unwrap(), Deleted::Stale);
    advance(secs(30)).await;
    assert_eq!(counts(&queue).await, [1, 0, 0], "the lease ended at its own time");
    assert_eq!(queue.delete(old.receipt).await.unwrap(), Deleted::Stale, "still not the latest");
    assert_eq!(queue.delete(new.receipt).await.unwrap(), Deleted::Gone);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.delete(old.receipt).await.unwrap(), Deleted::Gone);
}

/// Q71. [`test_terminate_visibility_timeout_after_receive`]
async fn an_old_receipt_can_make_a_message_received_again_visible(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let [old] = &poll_for(&queue, 1, Duration::ZERO).await[..] else { panic!() };
    take(&queue).await;
    assert_eq!(counts(&queue).await, [0, 1, 0]);
    let changed = queue.change_visibility(old.receipt, Duration::ZERO).await.unwrap();
    assert!(matches!(changed, VisibilityChanged::Until(_)));
    assert_eq!(take(&queue).await.receive_count, 3);
}

/// Q72.
async fn a_deleted_message_can_be_deleted_again_and_not_be_hidden(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    queue.send("other").await.unwrap();
    let message = take(&queue).await;
    for _ in 0..3 {
        assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    }
    for timeout in [Duration::ZERO, secs(1)] {
        let changed = queue.change_visibility(message.receipt, timeout).await.unwrap();
        assert_eq!(changed, VisibilityChanged::Gone);
    }
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
}

/// Q75. [`test_change_message_visibility_not_permanent`]
async fn a_changed_timeout_counts_from_the_call_and_is_not_remembered(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let message = take(&queue).await;
    advance(secs(20)).await;
    queue.change_visibility(message.receipt, secs(60)).await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    advance(secs(60) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(take(&queue).await.receive_count, 2);
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty(), "the queue's own timeout again");
    advance(ms(1)).await;
    assert_eq!(take(&queue).await.receive_count, 3);
}

/// Q75: the change may also shorten.
async fn a_shortened_timeout_ends_earlier(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let message = take(&queue).await;
    queue.change_visibility(message.receipt, ms(1)).await.unwrap();
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    take(&queue).await;
}

/// Q75.
async fn a_timeout_above_12_hours_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let receipt = take(&queue).await.receipt;
    for timeout in [secs(43_200) + Duration::from_nanos(1), secs(43_201), Duration::MAX] {
        let error = refusal(&queue, queue.change_visibility(receipt, timeout)).await;
        assert_invalid(&error, "timeout", &format!("{timeout:?}"), "between 0ns and 43200s");
    }
    advance(secs(30)).await;
    assert_eq!(counts(&queue).await, [1, 0, 0], "the lease is as it was");
}

/// Q76: counted from the receive, refused beyond, not cut.
async fn a_message_is_invisible_for_12_hours_at_most_since_it_was_received(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let receipt = take(&queue).await.receipt;
    advance(secs(5)).await;
    let beyond = secs(43_195) + ms(1);
    let error = refusal(&queue, queue.change_visibility(receipt, beyond)).await;
    assert_invalid(&error, "timeout", "43195001 ms", "at most 43200000 ms");
    queue.change_visibility(receipt, secs(43_195)).await.unwrap();
    advance(secs(10_000)).await;
    let (_broker, queue) = world.reopened(broker).await;
    let error = refusal(&queue, queue.change_visibility(receipt, secs(33_196))).await;
    assert_invalid(&error, "timeout", "33196000 ms", "at most 43200000 ms");
    queue.change_visibility(receipt, secs(33_195)).await.unwrap();
    advance(secs(33_195) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    let again = take(&queue).await;
    assert_eq!(again.receive_count, 2);
    queue.change_visibility(again.receipt, secs(43_200)).await.expect("a new receive counts anew");
}

/// Q76, Q77: zero is always possible.
async fn a_message_can_be_made_visible_however_long_ago_it_was_received(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let receipt = take(&queue).await.receipt;
    advance(secs(50_000)).await;
    let error = refusal(&queue, queue.change_visibility(receipt, ms(1))).await;
    assert_invalid(&error, "timeout", "1 ms", "at most 43200000 ms");
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    queue.change_visibility(receipt, Duration::ZERO).await.unwrap();
    assert_eq!(queue.delete(receipt).await.unwrap(), Deleted::Gone);
}

/// Q77: at once, and the receive stays counted.
async fn a_timeout_of_zero_makes_a_message_visible_at_once(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    for count in 1..=5 {
        let message = take(&queue).await;
        assert_eq!(message.receive_count, count);
        queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
        queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
        assert_eq!(counts(&queue).await, [1, 0, 0]);
    }
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(take(&queue).await.receive_count, 6);
}

everywhere! {
    a_message_in_flight_is_deleted_for_good,
    a_receipt_whose_timeout_has_ended_still_deletes,
    a_receipt_whose_timeout_has_ended_still_hides,
    an_old_receipt_neither_deletes_nor_hides_a_message_received_again,
    an_old_receipt_can_make_a_message_received_again_visible,
    a_deleted_message_can_be_deleted_again_and_not_be_hidden,
    a_changed_timeout_counts_from_the_call_and_is_not_remembered,
    a_shortened_timeout_ends_earlier,
    a_timeout_above_12_hours_is_refused,
    a_message_is_invisible_for_12_hours_at_most_since_it_was_received,
    a_message_can_be_made_visible_however_long_ago_it_was_received,
    a_timeout_of_zero_makes_a_message_visible_at_once,
}
