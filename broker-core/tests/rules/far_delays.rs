//! More than 10,000 delayed messages: those beyond wait in an index in the store, and nobody can tell (Q22, Q61, IQ10).

use broker_core::{LocalQueue, QueueSettings, SendMessage};

use crate::support::{
    World, advance, bulk, counts, ms, numbers, poll, poll_for, secs, send_numbers, texts, waiter,
};

/// 12,000 messages whose delays end one after another, the last ones first: 100 of them each second from the 100th on.
async fn many_delayed(world: &World) -> (broker_core::Broker, LocalQueue) {
    let (broker, queue) = world.queue().await;
    for start in (0..12_000).step_by(3_000) {
        send_numbers(&queue, start..start + 3_000, |n| secs(100 + (11_999 - n as u64) / 100)).await;
    }
    (broker, queue)
}

/// Q22, IQ10: never early, never late, each once.
async fn far_delays_end_at_their_time(world: World) {
    let world = world.limits(bulk());
    let (broker, queue) = many_delayed(&world).await;
    assert_eq!(counts(&queue).await, [0, 0, 12_000]);
    advance(secs(100) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(numbers(&poll_for(&queue, 10_000, secs(9_999)).await), (11_900..12_000).collect::<Vec<_>>());
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [100, 100, 11_800]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [100, 100, 11_800]);
    let mut last = 11_900;
    for second in 101..220 {
        let received = numbers(&poll_for(&queue, 10_000, secs(9_999)).await);
        assert_eq!(received, (last - 100..last).collect::<Vec<_>>(), "second {second}");
        last -= 100;
        advance(secs(1)).await;
    }
    assert_eq!((last, counts(&queue).await), (0, [0, 12_000, 0]));
}

/// Q53: the end of a far delay ends a wait.
async fn the_end_of_a_far_delay_ends_a_wait(world: World) {
    let world = world.limits(bulk());
    let (broker, queue) = world.queue().await;
    send_numbers(&queue, 0..10_000, |_| secs(800)).await;
    queue.send(SendMessage::from("near").delay(secs(7))).await.unwrap();
    queue.send(SendMessage::from("nearer").delay(secs(5))).await.unwrap();
    let (received, waited) = waiter(&queue, secs(20)).await.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["nearer"], secs(5)));
    let (received, waited) = waiter(&queue, secs(20)).await.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["near"], secs(2)));
    drop(broker);
}

/// Messages without a delay pass those that wait.
async fn undelayed_messages_pass_far_delayed_ones(world: World) {
    let world = world.limits(bulk());
    let (broker, queue) = many_delayed(&world).await;
    send_numbers(&queue, 12_000..12_600, |_| secs(0)).await;
    assert_eq!(counts(&queue).await, [600, 0, 12_000]);
    assert_eq!(numbers(&poll(&queue, 300).await), (12_000..12_300).collect::<Vec<_>>());
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [300, 300, 12_000]);
    assert_eq!(numbers(&poll(&queue, 1_000).await), (12_300..12_600).collect::<Vec<_>>());
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(100)).await;
    assert_eq!(counts(&queue).await, [700, 0, 11_900]);
}

/// Q8.
async fn a_purge_removes_far_delayed_messages(world: World) {
    let world = world.limits(bulk());
    let (broker, queue) = many_delayed(&world).await;
    queue.purge().await.unwrap();
    queue.send("new").await.unwrap();
    advance(secs(300)).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["new"]);
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// Q61: a far delay beyond the retention, lowered after the send or not.
async fn far_delayed_messages_expire(world: World) {
    let broker = world.limits(bulk());
    let (broker, world) = (broker.broker().await, broker);
    let queue = broker.queue("orders").retention(secs(60)).await.unwrap();
    send_numbers(&queue, 0..10_500, |n| if n == 10_400 { secs(59) } else { secs(900) }).await;
    assert_eq!(counts(&queue).await, [0, 0, 10_500]);
    let (broker, queue) = world.reopened(broker).await;
    advance(secs(59)).await;
    assert_eq!(numbers(&poll_for(&queue, 10, secs(0)).await), [10_400]);
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    let (_broker, queue) = world.reopened(broker).await;
    advance(secs(900)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q4: what is not delivered any more, although its place in the index was made for the longer retention.
async fn a_lowered_retention_reaches_far_delayed_messages(world: World) {
    let world = world.limits(bulk());
    let (_broker, queue) = world.queue().await;
    send_numbers(&queue, 0..10_500, |_| secs(100)).await;
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    advance(secs(100)).await;
    assert!(poll(&queue, 10).await.is_empty());
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q4: and a raised one.
async fn a_raised_retention_reaches_far_delayed_messages(world: World) {
    let broker = world.limits(bulk());
    let (broker, world) = (broker.broker().await, broker);
    let queue = broker.queue("orders").retention(secs(60)).await.unwrap();
    send_numbers(&queue, 0..10_500, |_| secs(100)).await;
    queue.set_attributes(QueueSettings::new().retention(secs(120))).await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    advance(secs(100) - ms(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 10_500]);
    advance(ms(1)).await;
    assert_eq!(counts(&queue).await, [10_500, 0, 0]);
    assert_eq!(numbers(&poll(&queue, 10_000).await), (0..10_000).collect::<Vec<_>>());
    assert_eq!(numbers(&poll(&queue, 10_000).await), (10_000..10_500).collect::<Vec<_>>());
}

everywhere! {
    far_delays_end_at_their_time,
    the_end_of_a_far_delay_ends_a_wait,
    undelayed_messages_pass_far_delayed_ones,
    a_purge_removes_far_delayed_messages,
    far_delayed_messages_expire,
    a_lowered_retention_reaches_far_delayed_messages,
    a_raised_retention_reaches_far_delayed_messages,
}
