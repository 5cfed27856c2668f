//! More than 8,192 messages that can be received again: the newest are put out of memory, and nobody can tell
//! (Q55, Q56, Q60, Q61, Q70).

use std::time::Duration;

use broker_core::{Broker, ChangeVisibility, Deleted, LocalQueue, Message, VisibilityChanged};

use crate::support::{World, advance, bulk, counts, ms, numbers, poll, poll_for, secs, send_numbers};

const MANY: usize = 9_000;

/// So many messages, all received once, whose leases have all ended: and their receipts.
async fn all_back(world: &World) -> (Broker, LocalQueue, Vec<Message>) {
    let (broker, queue) = world.queue().await;
    send_numbers(&queue, 0..MANY, |_| secs(0)).await;
    let received = poll_for(&queue, 10_000, secs(10)).await;
    assert_eq!(numbers(&received), (0..MANY).collect::<Vec<_>>());
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
    (broker, queue, received)
}

/// Q55, Q56, Q60.
async fn order_counts_and_receive_counts_are_kept(world: World) {
    let world = world.limits(bulk());
    let (broker, queue, first) = all_back(&world).await;
    let again = poll_for(&queue, 5_000, secs(100)).await;
    assert_eq!(numbers(&again), (0..5_000).collect::<Vec<_>>());
    assert_eq!(counts(&queue).await, [MANY as u64 - 5_000, 5_000, 0]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [MANY as u64 - 5_000, 5_000, 0]);
    let rest = poll_for(&queue, 10_000, secs(100)).await;
    assert_eq!(numbers(&rest), (5_000..MANY).collect::<Vec<_>>());
    for (message, first) in again.iter().chain(&rest).zip(&first) {
        assert_eq!((message.id, message.receive_count), (first.id, 2));
        assert_eq!(message.first_received_at, first.first_received_at);
        assert_ne!(message.receipt, first.receipt);
    }
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(100)).await;
    assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
}

/// Q70, IQ7.
async fn a_receipt_deletes_a_message_that_was_put_out(world: World) {
    let world = world.limits(bulk());
    let (broker, queue, received) = all_back(&world).await;
    for n in [MANY - 1, 4_500, 8_000] {
        assert_eq!(queue.delete(received[n].receipt).await.unwrap(), Deleted::Gone);
        assert_eq!(queue.delete(received[n].receipt).await.unwrap(), Deleted::Gone, "again");
    }
    let batch = [6_000, 6_001, 10].map(|n: usize| received[n].receipt);
    queue.delete_batch(batch.into_iter().collect()).await.unwrap().all().unwrap();
    assert_eq!(counts(&queue).await, [MANY as u64 - 6, 0, 0]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [MANY as u64 - 6, 0, 0]);
    let deleted = [10, 4_500, 6_000, 6_001, 8_000, MANY - 1];
    let left: Vec<_> = (0..MANY).filter(|n| !deleted.contains(n)).collect();
    assert_eq!(numbers(&poll(&queue, 10_000).await), left);
}

/// Q70.
async fn a_receipt_hides_a_message_that_was_put_out(world: World) {
    let world = world.limits(bulk());
    let (_broker, queue, received) = all_back(&world).await;
    let hide = |n: usize| ChangeVisibility { receipt: received[n].receipt, timeout: secs(5) };
    let changed = queue.change_visibility_batch([8_500, 3, 8_501].map(hide).into_iter().collect()).await;
    let changed = changed.unwrap().all().unwrap();
    assert!(changed.iter().all(|changed| matches!(changed, VisibilityChanged::Until(_))));
    assert_eq!(counts(&queue).await, [MANY as u64 - 3, 3, 0]);
    let hidden = [3, 8_500, 8_501];
    let others: Vec<_> = (0..MANY).filter(|n| !hidden.contains(n)).collect();
    assert_eq!(numbers(&poll_for(&queue, 10_000, secs(100)).await), others);
    advance(secs(5) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    let back = poll(&queue, 10).await;
    assert_eq!(numbers(&back), hidden);
    assert!(back.iter().all(|message| message.receive_count == 2));
}

/// Q71: the receipt is an old one once the message was received again.
async fn an_old_receipt_is_stale_for_a_message_that_was_put_out_twice(world: World) {
    let world = world.limits(bulk());
    let (_broker, queue, first) = all_back(&world).await;
    let second = poll_for(&queue, 10_000, secs(1)).await;
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
    assert_eq!(queue.delete(first[8_500].receipt).await.unwrap(), Deleted::Stale);
    assert_eq!(queue.delete(second[8_500].receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [MANY as u64 - 1, 0, 0]);
}

/// Q8, Q61.
async fn messages_that_were_put_out_are_purged_and_expire(world: World) {
    let world = world.limits(bulk());
    let (broker, queue, received) = all_back(&world).await;
    let settings = broker_core::QueueSettings::new().retention(secs(60));
    queue.set_attributes(settings).await.unwrap();
    let (broker, queue) = world.reopened(broker).await;
    advance(secs(50) - ms(1)).await;
    assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
    advance(ms(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert_eq!(queue.delete(received[8_500].receipt).await.unwrap(), Deleted::Gone);
    send_numbers(&queue, 0..MANY, |_| secs(0)).await;
    poll_for(&queue, 10_000, Duration::ZERO).await;
    assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
    queue.purge().await.unwrap();
    queue.send("7").await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(numbers(&poll(&queue, 10_000).await), [7]);
    assert_eq!(queue.delete(received[8_500].receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// Q54: a receive with a timeout of zero puts out what it returns, and returns it whole.
async fn a_receive_of_everything_with_a_timeout_of_zero_repeats(world: World) {
    let world = world.limits(bulk());
    let (_broker, queue) = world.queue().await;
    send_numbers(&queue, 0..MANY, |_| secs(0)).await;
    for round in 1..=3 {
        let received = poll_for(&queue, 10_000, Duration::ZERO).await;
        assert_eq!(numbers(&received), (0..MANY).collect::<Vec<_>>());
        assert!(received.iter().all(|message| message.receive_count == round));
        assert_eq!(counts(&queue).await, [MANY as u64, 0, 0]);
    }
}

/// Q70, IQ7: recalling one message must not put it out again before it is deleted.
async fn a_receipt_deletes_a_message_although_memory_is_full(world: World) {
    let world = world.limits(bulk());
    let (_broker, queue) = world.queue().await;
    send_numbers(&queue, 0..8_193 + 4_096, |_| secs(0)).await;
    // One more than may be ready in memory: half of them are put out, 4,096 stay.
    let received = poll_for(&queue, 8_193, secs(10)).await;
    poll_for(&queue, 4_096, secs(20)).await;
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [8_193, 4_096, 0]);
    // Now exactly as many as may be.
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [8_193 + 4_096, 0, 0]);
    assert_eq!(queue.delete(received[8_000].receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [8_192 + 4_096, 0, 0]);
}

everywhere! {
    order_counts_and_receive_counts_are_kept,
    a_receipt_deletes_a_message_that_was_put_out,
    a_receipt_hides_a_message_that_was_put_out,
    an_old_receipt_is_stale_for_a_message_that_was_put_out_twice,
    messages_that_were_put_out_are_purged_and_expire,
    a_receive_of_everything_with_a_timeout_of_zero_repeats,
    a_receipt_deletes_a_message_although_memory_is_full,
}
