//! The delay of a FIFO queue: rule F3, and what F30 says of delayed messages.

use std::time::Duration;

use broker_core::{Broker, LocalQueue, QueueSettings};

use crate::{
    fifo_support::{NAME, long_poll, send},
    support::{World, advance, counts, ms, poll, poll_for, secs, texts, waiter},
};

async fn delayed(world: &World, delay: Duration) -> (Broker, LocalQueue) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().delay(delay).await.unwrap();
    (broker, queue)
}

async fn set_delay(queue: &LocalQueue, delay: Duration) {
    queue.set_attributes(QueueSettings::new().delay(delay)).await.unwrap();
}

/// Every message waits for the delay of the queue, from its own send.
async fn messages_become_visible_one_delay_after_they_were_sent(world: World) {
    let (broker, queue) = delayed(&world, secs(10)).await;
    for body in ["a1", "b1", "a2"] {
        send(&queue, &[body]).await;
        advance(secs(1)).await;
    }
    assert_eq!(counts(&queue).await, [0, 0, 3]);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    advance(secs(7)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1"]);
    assert_eq!(counts(&queue).await, [0, 1, 2]);
    advance(secs(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["b1"]);
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [1, 2, 0], "a2 is visible, and blocked by a1");
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(28)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F3: shortened, and across a restart.
async fn a_shortened_delay_reaches_the_messages_in_the_queue(world: World) {
    let (broker, queue) = delayed(&world, secs(100)).await;
    send(&queue, &["a1"]).await;
    advance(secs(3)).await;
    send(&queue, &["a2", "b1"]).await;
    set_delay(&queue, secs(5)).await;
    assert_eq!(counts(&queue).await, [0, 0, 3]);
    advance(secs(2) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 0, 3]);
    advance(ms(1)).await;
    assert_eq!(texts(&poll_for(&queue, 10, secs(3)).await), ["a1"], "five seconds after its send");
    assert_eq!(counts(&queue).await, [0, 1, 2]);
    advance(secs(3)).await;
    let mut received = poll(&queue, 10).await;
    received.sort_by_key(|message| message.sequence_number);
    assert_eq!(texts(&received), ["a1", "a2", "b1"]);
}

/// F3: lengthened.
async fn a_lengthened_delay_reaches_the_messages_in_the_queue(world: World) {
    let (broker, queue) = delayed(&world, secs(5)).await;
    send(&queue, &["a1", "a2"]).await;
    advance(secs(4)).await;
    set_delay(&queue, secs(60)).await;
    advance(secs(56) - ms(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 2]);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F3: to zero, at once.
async fn a_delay_set_to_zero_ends_every_delay(world: World) {
    let (_broker, queue) = delayed(&world, secs(900)).await;
    send(&queue, &["a1", "a2", "b1"]).await;
    set_delay(&queue, Duration::ZERO).await;
    assert_eq!(counts(&queue).await, [3, 0, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "b1"]);
}

/// F3, IQ16: and who waits for them is woken then, not at the old end.
async fn a_changed_delay_ends_a_wait_at_its_new_end(world: World) {
    let (_broker, queue) = delayed(&world, secs(900)).await;
    send(&queue, &["a1"]).await;
    let waiting = waiter(&queue, secs(20)).await;
    set_delay(&queue, secs(8)).await;
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["a1"], secs(8)));
    send(&queue, &["b1"]).await;
    let waiting = waiter(&queue, secs(20)).await;
    set_delay(&queue, Duration::ZERO).await;
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["b1"], ms(1)));
    send(&queue, &["c1"]).await;
    set_delay(&queue, secs(7)).await;
    let (received, waited) = long_poll(&queue, 10).await;
    assert_eq!((texts(&received), waited), (vec!["c1"], secs(7)), "it had been visible, and is not any more");
}

/// Q53: a wait that began before the send ends with the delay, and so does one that finds the delayed message.
async fn the_end_of_the_delay_of_a_fifo_queue_ends_a_wait(world: World) {
    let (broker, queue) = delayed(&world, secs(5)).await;
    let waiting = waiter(&queue, secs(20)).await;
    send(&queue, &["a1", "a2"]).await;
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["a1"], secs(5) + ms(1)));
    send(&queue, &["b1"]).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    let (received, waited) = long_poll(&queue, 10).await;
    assert_eq!((texts(&received), waited), (vec!["b1"], secs(5)));
}

/// F3: what has been received has its delay behind it.
async fn a_changed_delay_leaves_received_messages_alone(world: World) {
    let (_broker, queue) = delayed(&world, Duration::ZERO).await;
    send(&queue, &["a1", "b1"]).await;
    poll_for(&queue, 1, Duration::ZERO).await;
    poll_for(&queue, 2, secs(5)).await;
    set_delay(&queue, secs(900)).await;
    assert_eq!(counts(&queue).await, [0, 2, 0]);
    advance(secs(5)).await;
    let received = poll(&queue, 10).await;
    assert_eq!(received.len(), 2);
}

/// F30: a delayed message blocks those behind it, should the delay have been shortened for new ones only.
async fn a_delayed_head_blocks_its_group(world: World) {
    let (_broker, queue) = delayed(&world, secs(10)).await;
    send(&queue, &["a1"]).await;
    set_delay(&queue, secs(20)).await;
    send(&queue, &["a2"]).await;
    advance(secs(10)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(10)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// Many delayed messages of many groups, more than memory keeps.
async fn many_delayed_messages_come_in_the_order_of_their_groups(world: World) {
    use crate::{fifo_support::send_batch, support::bulk};
    let bounds = broker_core::MemoryBounds { delayed: 20, staged: 10, ready: 20, ..Default::default() };
    let world = world.limits(bulk()).bounds(bounds);
    let (broker, queue) = delayed(&world, secs(50)).await;
    let group = |n: usize| ["a", "b", "c", "d", "e", "f", "g"][n % 7];
    for second in 0..10 {
        send_batch(&queue, (0..30).map(|n| second * 30 + n).map(|n| format!("{}{n}", group(n)))).await;
        advance(secs(1)).await;
    }
    assert_eq!(counts(&queue).await, [0, 0, 300]);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    advance(secs(39)).await;
    assert!(poll(&queue, 300).await.is_empty());
    for second in 0..10 {
        advance(secs(1)).await;
        assert_eq!(counts(&queue).await, [30, 0, 300 - 30 * (second + 1)]);
        let mut received = poll(&queue, 300).await;
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            let of_group = received.iter().filter(|message| message.group_id.as_deref() == Some(name));
            assert!(of_group.is_sorted_by_key(|message| message.sequence_number));
        }
        queue.delete_batch(received.drain(..).map(|m| m.receipt).collect()).await.unwrap().all().unwrap();
        assert_eq!(counts(&queue).await, [0, 0, 300 - 30 * (second + 1)]);
    }
}

everywhere! {
    messages_become_visible_one_delay_after_they_were_sent,
    a_shortened_delay_reaches_the_messages_in_the_queue,
    a_lengthened_delay_reaches_the_messages_in_the_queue,
    a_delay_set_to_zero_ends_every_delay,
    a_changed_delay_ends_a_wait_at_its_new_end,
    the_end_of_the_delay_of_a_fifo_queue_ends_a_wait,
    a_changed_delay_leaves_received_messages_alone,
    a_delayed_head_blocks_its_group,
    many_delayed_messages_come_in_the_order_of_their_groups,
}
