//! Limits as data: raised, lowered, and values that no limit stops.

use std::time::Duration;

use broker_core::{
    AttributeValue, Broker, Error, Limits, ManualClock, QueueExt, QueueSettings, ReceiveOptions, SendMessage,
    Timestamp, VisibilityChanged,
};
use broker_mem::MemStorage;

use crate::support::{
    World, advance, assert_invalid, counts, poll, poll_for, refusal, secs, send_all, take, waiter,
};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Q20: bodies that only this broker takes.
async fn without_limits_a_body_is_any_bytes_but_none(world: World) {
    let world = world.limits(Limits::unlimited());
    let (broker, queue) = world.queue().await;
    let bytes: Vec<u8> = (0..=255).collect();
    queue.send(bytes.clone()).await.unwrap();
    let error = refusal(&queue, queue.send("")).await;
    assert!(matches!(error, Error::MissingParameter { field: "body" }));
    let message = take(&queue).await;
    assert_eq!(message.body, bytes);
    assert!(message.text().is_err());
    drop(broker);
}

/// Q21, Q30, Q40, Q50: a raised limit is a limit.
async fn raised_limits_are_taken_to_the_edge(world: World) {
    let limits = Limits {
        message_bytes_max: 3 << 20,
        batch_bytes_max: 4 << 20,
        attributes_max: 12,
        batch_entries_max: 12,
        receive_max: 11,
        ..Limits::aws()
    };
    let world = world.limits(limits);
    let (_broker, queue) = world.queue().await;
    queue.send("x".repeat(3 << 20)).await.unwrap();
    let error = refusal(&queue, queue.send("x".repeat((3 << 20) + 1))).await;
    assert!(matches!(error, Error::MessageTooLong { max: 0x30_0000, .. }));
    let with = |count: usize| SendMessage {
        attributes: (0..count).map(|n| (n.to_string(), AttributeValue::number(n))).collect(),
        ..SendMessage::from("m")
    };
    queue.send_batch((0..12).map(|_| with(12)).collect()).await.unwrap().all().unwrap();
    let error = refusal(&queue, queue.send(with(13))).await;
    assert_invalid(&error, "attributes", "13", "at most 12");
    let error = refusal(&queue, queue.send_batch((0..13).map(|_| with(1)).collect())).await;
    assert!(matches!(error, Error::TooManyEntriesInBatch { count: 13, max: 12 }));
    assert_eq!(poll(&queue, 11).await.len(), 11);
    let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(12))).await;
    assert_invalid(&error, "max_messages", "12", "between 1 and 11");
}

/// A hundred years of delay, visibility and waiting; nothing overflows.
async fn without_limits_times_may_be_a_hundred_years(world: World) {
    let world = world.limits(Limits::unlimited());
    let (broker, queue) = world.queue().await;
    let long = 100 * YEAR;
    let settings = QueueSettings::new().visibility_timeout(long).retention(long).receive_wait_time(long);
    queue.set_attributes(settings.clone()).await.unwrap();
    queue.send(SendMessage::from("later").delay(99 * YEAR)).await.unwrap();
    queue.send("now").await.unwrap();
    let message = take(&queue).await;
    advance(YEAR).await;
    queue.change_visibility(message.receipt, 99 * YEAR).await.unwrap();
    let error = refusal(&queue, queue.change_visibility(message.receipt, 99 * YEAR + secs(1))).await;
    assert!(matches!(error, Error::InvalidParameter { field: "timeout", .. }));
    let error = refusal(&queue, queue.set_attributes(settings.retention(Duration::MAX))).await;
    assert!(matches!(error, Error::InvalidParameter { field: "retention", .. }));
    let waiting = waiter(&queue, long).await;
    advance(secs(1)).await;
    queue.send("awaited").await.unwrap();
    assert_eq!(waiting.await.unwrap().0.unwrap()[0].text(), Ok("awaited"));
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 2, 1]);
}

/// Limits of for ever take durations of for ever.
#[tokio::test(start_paused = true)]
async fn with_limits_of_for_ever_a_duration_may_be_the_longest_there_is() {
    let limits = Limits {
        wait_max: Duration::MAX,
        visibility_timeout_max: Duration::MAX,
        delay_max: Duration::MAX,
        retention_max: Duration::MAX,
        ..Limits::aws()
    };
    let (_broker, queue) = World::in_memory().limits(limits).queue().await;
    queue.set_attributes(QueueSettings::new().retention(Duration::MAX)).await.unwrap();
    queue.send(SendMessage::from("never").delay(Duration::MAX)).await.unwrap();
    send_all(&queue, &["hidden", "visible"]).await;
    let [hidden] = &poll_for(&queue, 1, Duration::MAX).await[..] else { panic!() };
    assert_eq!(counts(&queue).await, [1, 1, 1]);
    let changed = queue.change_visibility(hidden.receipt, Duration::MAX).await.unwrap();
    assert_eq!(changed, VisibilityChanged::Until(Timestamp::from_millis(u64::MAX)));
    take(&queue).await;
    let waiting = waiter(&queue, Duration::MAX).await;
    advance(secs(20)).await;
    queue.send("m").await.unwrap();
    assert_eq!(waiting.await.unwrap().0.unwrap().len(), 1);
}

/// Limits are of the open broker, not of the store: lowered at the next open, what is stored stays.
async fn limits_lowered_at_the_next_open_leave_what_is_stored(world: World) {
    let mut world = world.limits(Limits::unlimited());
    let (broker, queue) = world.queue().await;
    queue.set_attributes(QueueSettings::new().delay(Duration::ZERO).visibility_timeout(YEAR)).await.unwrap();
    queue.send(vec![0, 255]).await.unwrap();
    queue.send(SendMessage::from("m").delay(secs(2_000))).await.unwrap();
    world.limits = Limits::aws();
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.attributes().await.unwrap().visibility_timeout, YEAR);
    assert_eq!(take(&queue).await.body, vec![0, 255]);
    assert_eq!(counts(&queue).await, [0, 1, 1]);
    assert!(queue.send(vec![0, 255]).await.is_err());
}

/// The conveniences ask for no more than the limits allow.
#[tokio::test(start_paused = true)]
async fn under_lowered_limits_recv_and_messages_work() {
    let limits = Limits { wait_max: secs(5), receive_max: 3, ..Limits::aws() };
    let (_broker, queue) = World::in_memory().limits(limits).queue().await;
    send_all(&queue, &["a", "b"]).await;
    assert_eq!(queue.recv().await.unwrap().text(), Ok("a"));
    let next = futures_util::StreamExt::next(&mut queue.messages()).await.unwrap();
    assert_eq!(next.unwrap().text(), Ok("b"));
}

/// A new queue's defaults are within the limits.
#[tokio::test(start_paused = true)]
async fn under_lowered_limits_the_defaults_of_a_queue_are_lowered() {
    let limits = Limits { visibility_timeout_max: secs(10), retention_max: secs(100), ..Limits::aws() };
    let (_broker, queue) = World::in_memory().limits(limits).queue().await;
    let described = queue.attributes().await.unwrap();
    assert!(described.visibility_timeout <= secs(10) && described.retention <= secs(100));
}

/// The end of time.
#[tokio::test]
async fn a_clock_at_its_end_breaks_nothing() {
    let clock = ManualClock::new(u64::MAX - 1_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    send_all(&queue, &["a", "b"]).await;
    queue.send(SendMessage::from("c").delay(secs(900))).await.unwrap();
    let message = take(&queue).await;
    assert!(matches!(
        queue.change_visibility(message.receipt, secs(43_200)).await,
        Ok(VisibilityChanged::Until(until)) if until.as_millis() == u64::MAX
    ));
    clock.advance(Duration::MAX);
    assert!(poll(&queue, 10).await.is_empty());
    assert_eq!(counts(&queue).await, [0, 0, 0], "all have expired");
    broker.close().await.unwrap();
}

/// Q8: the wait between purges holds on a clock that starts at zero, too.
#[tokio::test]
async fn a_purge_at_time_zero_is_a_purge() {
    let builder = Broker::builder(MemStorage::new()).clock(ManualClock::new(0));
    let broker = builder.limits(Limits::aws_with_waits()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.purge().await.unwrap();
    assert!(matches!(queue.purge().await, Err(Error::PurgeQueueInProgress { .. })));
}

everywhere! {
    without_limits_a_body_is_any_bytes_but_none,
    raised_limits_are_taken_to_the_edge,
    without_limits_times_may_be_a_hundred_years,
    limits_lowered_at_the_next_open_leave_what_is_stored,
}
