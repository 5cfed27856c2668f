//! Retention: rule Q61, IQ11.

use std::time::Duration;

use broker_core::{Deleted, QueueSettings, SendMessage, VisibilityChanged};

use crate::support::{World, advance, counts, ms, poll, poll_for, secs, send_all, take, texts, waiter};

fn minute() -> QueueSettings {
    QueueSettings::new().retention(secs(60))
}

/// Q61: from the moment of the send, to the millisecond.
async fn a_message_is_kept_for_the_retention_and_not_longer(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    send_all(&queue, &["a", "b"]).await;
    advance(secs(60) - ms(1)).await;
    assert_eq!(texts(&poll_for(&queue, 1, Duration::ZERO).await), ["a"]);
    assert_eq!(counts(&queue).await, [2, 0, 0]);
    advance(ms(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert!(poll(&queue, 10).await.is_empty());
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q61. [`test_message_retention_with_inflight`]
async fn a_message_in_flight_expires_too_and_its_receipt_deletes_silently(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    queue.send("m").await.unwrap();
    let [message] = &poll_for(&queue, 1, secs(1000)).await[..] else { panic!() };
    advance(secs(60)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
    let changed = queue.change_visibility(message.receipt, secs(1)).await.unwrap();
    assert_eq!(changed, VisibilityChanged::Gone);
    advance(secs(1000)).await;
    assert!(poll(&queue, 1).await.is_empty());
}

/// Q61: the clock starts at the send, not at the end of the delay.
async fn a_delay_longer_than_the_retention_ends_with_it(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    queue.send(SendMessage::from("never seen").delay(secs(900))).await.unwrap();
    queue.send(SendMessage::from("just in time").delay(secs(59))).await.unwrap();
    queue.send(SendMessage::from("too late").delay(secs(60))).await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 3]);
    advance(secs(59)).await;
    assert_eq!(texts(&poll_for(&queue, 10, Duration::ZERO).await), ["just in time"]);
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    advance(secs(900)).await;
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q4, the table of A2: lowered below their age, messages expire at once, in flight and delayed ones included.
async fn a_lowered_retention_expires_older_messages_at_once(world: World) {
    let (broker, queue) = world.queue().await;
    send_all(&queue, &["in flight", "visible"]).await;
    queue.send(SendMessage::from("delayed").delay(secs(900))).await.unwrap();
    let [in_flight] = &poll_for(&queue, 1, secs(1000)).await[..] else { panic!() };
    advance(secs(90)).await;
    queue.send("young").await.unwrap();
    assert_eq!(counts(&queue).await, [2, 1, 1]);
    queue.set_attributes(minute()).await.unwrap();
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    assert_eq!(queue.delete(in_flight.receipt).await.unwrap(), Deleted::Gone);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["young"]);
}

/// Q4: raised, messages stay longer, whatever they are doing.
async fn a_raised_retention_keeps_messages_longer(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    send_all(&queue, &["in flight", "visible"]).await;
    queue.send(SendMessage::from("delayed").delay(secs(100))).await.unwrap();
    poll_for(&queue, 1, secs(100)).await;
    advance(secs(59)).await;
    queue.set_attributes(QueueSettings::new().retention(secs(120))).await.unwrap();
    advance(secs(41)).await;
    assert_eq!(texts(&poll_for(&queue, 10, Duration::ZERO).await), ["in flight", "visible", "delayed"]);
    advance(secs(20) - ms(1)).await;
    assert_eq!(counts(&queue).await, [3, 0, 0]);
    advance(ms(1)).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q61: expiry makes nothing visible, so a wait goes on.
async fn an_expiry_ends_no_wait(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    queue.send("m").await.unwrap();
    poll_for(&queue, 1, secs(65)).await;
    advance(secs(50)).await;
    let (received, waited) = waiter(&queue, secs(20)).await.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (0, secs(20)));
}

/// Q61, IQ11: also in a backlog that was never read, and after a restart.
async fn a_backlog_expires_from_its_old_end(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").settings(minute()).await.unwrap();
    for second in 0..30 {
        let batch = (0..10).map(|n| SendMessage::from(format!("{second}.{n}"))).collect();
        queue.send_batch(batch).await.unwrap().all().unwrap();
        advance(secs(1)).await;
    }
    advance(secs(40)).await;
    let (broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [190, 0, 0], "seconds 0 to 10 have expired");
    assert_eq!(texts(&poll(&queue, 1).await), ["11.0"]);
    advance(secs(18)).await;
    assert_eq!(counts(&queue).await, [10, 0, 0]);
    assert_eq!(take(&queue).await.text(), Ok("29.0"));
    advance(secs(1)).await;
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

everywhere! {
    a_message_is_kept_for_the_retention_and_not_longer,
    a_message_in_flight_expires_too_and_its_receipt_deletes_silently,
    a_delay_longer_than_the_retention_ends_with_it,
    a_lowered_retention_expires_older_messages_at_once,
    a_raised_retention_keeps_messages_longer,
    an_expiry_ends_no_wait,
    a_backlog_expires_from_its_old_end,
}
