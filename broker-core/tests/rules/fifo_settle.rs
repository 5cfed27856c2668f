//! What a consumer does with a message of a FIFO queue: rules F40 to F44.

use std::time::Duration;

use broker_core::{
    ChangeVisibility, Deleted, Entries, Error, LocalQueue, QueueSettings, ReceiptHandle, VisibilityChanged,
};

use crate::{
    fifo_support::{fifo, give_back, send},
    support::{World, advance, assert_invalid, counts, ms, poll, poll_for, refusal, secs, take, texts},
};

/// Checks that a receipt can do nothing any more.
async fn assert_expired(queue: &LocalQueue, receipt: ReceiptHandle) {
    let expired = |error: Error| match error {
        Error::ReceiptHandleExpired { receipt: named } => assert_eq!(named, receipt.to_string()),
        other => panic!("{other:?}"),
    };
    expired(refusal(queue, queue.delete(receipt)).await);
    expired(refusal(queue, queue.change_visibility(receipt, secs(5))).await);
    expired(refusal(queue, queue.change_visibility(receipt, Duration::ZERO)).await);
}

/// F40, F43. [`test_fifo_delete_after_visibility_timeout`] A standard queue would delete it (Q70).
async fn a_receipt_whose_timeout_has_ended_is_refused(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    let first = take(&queue).await;
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty(), "still in flight");
    advance(ms(1)).await;
    assert_expired(&queue, first.receipt).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_expired(&queue, first.receipt).await;
    let second = take(&queue).await;
    assert_eq!(second.receive_count, 2);
    assert_eq!(queue.delete(second.receipt).await.unwrap(), Deleted::Gone);
}

/// F40: to the millisecond.
async fn a_receipt_is_good_until_its_timeout_ends(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    let message = take(&queue).await;
    advance(secs(30) - ms(1)).await;
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// F40, IQ6: nor does it reach the lease of the next consumer.
async fn a_receipt_of_an_earlier_receive_is_refused(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let first = poll_for(&queue, 1, secs(1)).await[0].receipt;
    advance(secs(1)).await;
    let second = take(&queue).await;
    assert_expired(&queue, first).await;
    assert_eq!(counts(&queue).await, [1, 1, 0]);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_expired(&queue, first).await;
    assert_eq!(queue.delete(second.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(take(&queue).await.text(), Ok("a2"));
    assert_eq!(queue.delete(first).await.unwrap(), Deleted::Gone, "deleted, by whomever");
}

/// F40, F34: what is visible again at once has been given up.
async fn a_receipt_of_a_message_that_was_made_visible_is_refused(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    let given_back = poll(&queue, 1).await;
    give_back(&queue, &given_back).await;
    assert_expired(&queue, given_back[0].receipt).await;
    let never_hidden = poll_for(&queue, 1, Duration::ZERO).await[0].receipt;
    assert_expired(&queue, never_hidden).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    assert_eq!(take(&queue).await.receive_count, 3);
}

/// F41. [`test_fifo_delete_message_with_expired_receipt_handle`, `…_extended`]
async fn an_extended_receipt_is_good_past_its_first_timeout(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let message = poll_for(&queue, 1, secs(2)).await.remove(0);
    advance(secs(1)).await;
    let changed = queue.change_visibility(message.receipt, secs(10)).await.unwrap();
    let VisibilityChanged::Until(until) = changed else { panic!("{changed:?}") };
    assert_eq!(until.since(message.first_received_at), secs(11));
    advance(secs(5)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
    queue.change_visibility(message.receipt, secs(10)).await.unwrap();
    advance(secs(10) - ms(1)).await;
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(texts(&poll(&queue, 10).await), ["a2"]);
}

/// F41: and a shortened one is not.
async fn a_shortened_receipt_is_refused_after_its_new_timeout(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    let message = take(&queue).await;
    queue.change_visibility(message.receipt, secs(2)).await.unwrap();
    advance(secs(2)).await;
    assert_expired(&queue, message.receipt).await;
    assert_eq!(take(&queue).await.receive_count, 2);
}

/// F42, F43.
async fn a_deleted_message_of_a_fifo_queue_can_be_deleted_again(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let message = take(&queue).await;
    for _ in 0..3 {
        assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    }
    let changed = queue.change_visibility(message.receipt, secs(1)).await.unwrap();
    assert_eq!(changed, VisibilityChanged::Gone);
    advance(secs(60)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone, "long after its timeout too");
    assert_eq!(texts(&poll(&queue, 10).await), ["a2"]);
}

/// F42, Q61, Q8: so can one that has expired or was purged.
async fn an_expired_or_purged_message_can_be_deleted(world: World) {
    let (_broker, queue) = world.fifo().await;
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    send(&queue, &["a1", "b1"]).await;
    let [a, b] = &poll_for(&queue, 10, secs(100)).await[..] else { panic!() };
    advance(secs(60)).await;
    assert_eq!(queue.delete(a.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(queue.change_visibility(b.receipt, secs(1)).await.unwrap(), VisibilityChanged::Gone);
    send(&queue, &["c1"]).await;
    let c = take(&queue).await.receipt;
    queue.purge().await.unwrap();
    assert_eq!(queue.delete(c).await.unwrap(), Deleted::Gone);
    assert_eq!(queue.change_visibility(c, secs(1)).await.unwrap(), VisibilityChanged::Gone);
}

/// F42, IQ13: an expired receipt fails its own entry.
async fn expired_receipts_of_a_batch_fail_alone(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "b1", "c1"]).await;
    let a = poll_for(&queue, 1, secs(1)).await.remove(0);
    let [b, c] = &poll(&queue, 10).await[..] else { panic!("a is in flight") };
    queue.delete(c.receipt).await.unwrap();
    advance(secs(1)).await;
    let receipts: Entries<_> = [a.receipt, b.receipt, c.receipt].into_iter().collect();
    let change =
        |message: &broker_core::Message| ChangeVisibility { receipt: message.receipt, timeout: secs(9) };
    let entries = [change(&a), change(b), change(c)].into_iter().collect();
    let changed = queue.change_visibility_batch(entries).await.unwrap().0;
    assert!(matches!(changed[0].1, Err(Error::ReceiptHandleExpired { .. })));
    assert!(matches!(changed[1].1, Ok(VisibilityChanged::Until(_))));
    assert!(matches!(changed[2].1, Ok(VisibilityChanged::Gone)));
    let deleted = queue.delete_batch(receipts).await.unwrap().0;
    assert!(matches!(deleted[0].1, Err(Error::ReceiptHandleExpired { .. })));
    assert!(matches!(deleted[1].1, Ok(Deleted::Gone)) && matches!(deleted[2].1, Ok(Deleted::Gone)));
    assert_eq!(texts(&poll(&queue, 10).await), [a.text().unwrap()]);
}

/// F44, IF6.
async fn messages_deleted_out_of_order_leave_the_rest_in_order(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a3", "a4", "a5", "a6"]).await;
    let received = poll(&queue, 5).await;
    for n in [3, 1] {
        assert_eq!(queue.delete(received[n].receipt).await.unwrap(), Deleted::Gone);
        assert!(poll(&queue, 10).await.is_empty());
    }
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a3", "a5", "a6"]);
}

/// F44: in one batch, in any order, the last one first.
async fn a_batch_of_deletes_frees_its_groups(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "a3", "b2"]).await;
    let mut received = poll_for(&queue, 2, secs(100)).await;
    received.extend(poll(&queue, 1).await);
    assert_eq!(texts(&received), ["a1", "a2", "b1"]);
    let backwards = received.iter().rev().map(|message| message.receipt).collect();
    queue.delete_batch(backwards).await.unwrap().all().unwrap();
    let mut next = poll(&queue, 10).await;
    next.sort_by_key(|message| message.group_id.clone());
    assert_eq!(texts(&next), ["a3", "b2"]);
}

/// F43 with Q75 and Q76: the limits are those of standard queues.
async fn the_timeout_of_a_fifo_message_has_the_same_limits(world: World) {
    let (_broker, queue) = world.fifo().await;
    queue.send(fifo("a1")).await.unwrap();
    let receipt = take(&queue).await.receipt;
    let error = refusal(&queue, queue.change_visibility(receipt, secs(43_201))).await;
    assert_invalid(&error, "timeout", "43201s", "43200s");
    advance(secs(5)).await;
    let error = refusal(&queue, queue.change_visibility(receipt, secs(43_196))).await;
    assert_invalid(&error, "timeout", "43196000 ms", "at most 43200000 ms");
    queue.change_visibility(receipt, secs(43_195)).await.unwrap();
}

everywhere! {
    a_receipt_whose_timeout_has_ended_is_refused,
    a_receipt_is_good_until_its_timeout_ends,
    a_receipt_of_an_earlier_receive_is_refused,
    a_receipt_of_a_message_that_was_made_visible_is_refused,
    an_extended_receipt_is_good_past_its_first_timeout,
    a_shortened_receipt_is_refused_after_its_new_timeout,
    a_deleted_message_of_a_fifo_queue_can_be_deleted_again,
    an_expired_or_purged_message_can_be_deleted,
    expired_receipts_of_a_batch_fail_alone,
    messages_deleted_out_of_order_leave_the_rest_in_order,
    a_batch_of_deletes_frees_its_groups,
    the_timeout_of_a_fifo_message_has_the_same_limits,
}
