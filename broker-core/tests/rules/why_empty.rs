//! Seeing inside: why a receive finds nothing. What it says agrees with what a receive does.

use std::time::Duration;

use broker_core::{
    EmptyReason, Error, Limits, LocalQueue, QueueCounters, QueueSettings, ReceiveOptions, SendMessage,
    WhyEmpty,
};

use crate::support::{World, advance, counts, later, ms, poll, poll_for, secs, send_all, take};

/// Asks why, and whether a short poll agrees.
async fn why(queue: &LocalQueue) -> WhyEmpty {
    let why = queue.why_empty().await.unwrap();
    let QueueCounters { visible, in_flight, delayed } = why.counters;
    assert_eq!(counts(queue).await, [visible, in_flight, delayed]);
    let options = ReceiveOptions::up_to(1).wait_time(Duration::ZERO);
    match queue.receive(options).await {
        Ok(received) => assert_eq!(!received.is_empty(), why.is_receivable(), "{why}"),
        Err(Error::OverLimit { .. }) => assert!(!why.is_receivable()),
        Err(error) => panic!("{error}"),
    }
    why
}

async fn each_reason_of_a_standard_queue(world: World) {
    let world = world.limits(Limits { in_flight_max: 2, ..Limits::aws() });
    let (_broker, queue) = world.queue().await;
    let empty = why(&queue).await;
    assert_eq!((empty.reason, empty.next_visible), (EmptyReason::NoMessages, None));
    queue.send(SendMessage::from("delayed").delay(secs(10))).await.unwrap();
    let delayed = why(&queue).await;
    assert_eq!(delayed.reason, EmptyReason::NoneVisible);
    send_all(&queue, &["a"]).await;
    assert_eq!(queue.why_empty().await.unwrap().next_visible, None);
    let a = take(&queue).await;
    let at = |seconds| Some(later(a.sent_at, seconds));
    let in_flight = why(&queue).await;
    assert_eq!((in_flight.reason, in_flight.next_visible), (EmptyReason::NoneVisible, at(10)));
    send_all(&queue, &["b", "c"]).await;
    assert!(why(&queue).await.is_receivable());
    let limit = why(&queue).await;
    assert_eq!((&limit.reason, limit.next_visible), (&EmptyReason::InFlightLimit { max: 2 }, at(30)));
    let words = format!(
        "2 messages are in flight, no more may be: 1 visible, 2 in flight, 1 delayed; this may change at {}",
        later(a.sent_at, 30)
    );
    assert_eq!(limit.to_string(), words);
    advance(secs(30)).await;
    assert!(why(&queue).await.is_receivable());
}

async fn a_blocked_group_is_named(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().await.unwrap();
    let send =
        async |body: &str, group: &str| queue.send(SendMessage::from(body).group_id(group)).await.unwrap().id;
    send("1", "a").await;
    let first = take(&queue).await;
    assert_eq!(why(&queue).await.reason, EmptyReason::NoneVisible);
    advance(secs(1)).await;
    let b1 = send("2", "b").await;
    poll_for(&queue, 1, secs(5)).await;
    send("3", "a").await;
    send("4", "b").await;
    let blocked = why(&queue).await;
    let until = later(first.sent_at, 6);
    let reason = EmptyReason::Blocked { group_id: "b".into(), behind: b1, until, unsearched: 0 };
    assert_eq!((blocked.reason, blocked.groups_blocked), (reason, 2));
    assert_eq!(blocked.next_visible, Some(until));
    advance(secs(5) - ms(1)).await;
    assert!(!why(&queue).await.is_receivable());
    advance(ms(1)).await;
    assert!(why(&queue).await.is_receivable());
}

/// One large group stands before all others (rule F36).
async fn what_is_too_deep_to_be_searched_is_said(world: World) {
    let world = world.with_little_memory();
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().await.unwrap();
    let send = async |n: usize, group: &str| {
        queue.send(SendMessage::from(n.to_string()).group_id(group)).await.unwrap().id
    };
    let head = send(0, "a").await;
    take(&queue).await;
    for n in 1..60 {
        send(n, "a").await;
    }
    send(60, "b").await;
    let EmptyReason::Blocked { behind, unsearched, .. } = why(&queue).await.reason else { panic!() };
    assert_eq!(behind, head);
    assert!((1..=20).contains(&unsearched), "{unsearched}");
}

async fn spent_messages_are_nothing_to_receive(world: World) {
    let world = world.with_little_memory();
    let broker = world.broker().await;
    broker.queue("dead").await.unwrap();
    let queue = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    send_all(&queue, &["a", "b", "c", "d", "e"]).await;
    poll_for(&queue, 10, secs(1)).await;
    advance(secs(1)).await;
    let spent = queue.why_empty().await.unwrap();
    assert_eq!(spent.reason, EmptyReason::OnlySpent { queue: "dead".into() });
    assert_eq!(spent.counters.visible, 5, "asking has moved nothing");
    send_all(&queue, &["behind them"]).await;
    assert!(why(&queue).await.is_receivable());
    assert_eq!(why(&queue).await.reason, EmptyReason::NoneVisible);
    assert_eq!(counts(&broker.open_queue("dead").await.unwrap()).await, [5, 0, 0]);
}

async fn nothing_is_leased_by_asking(world: World) {
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a"]).await;
    for _ in 0..3 {
        assert!(queue.why_empty().await.unwrap().is_receivable());
        assert_eq!(counts(&queue).await, [1, 0, 0]);
    }
    queue.set_attributes(QueueSettings::new().visibility_timeout(secs(1))).await.unwrap();
    assert_eq!(poll(&queue, 1).await[0].receive_count, 1);
}

everywhere!(
    each_reason_of_a_standard_queue,
    a_blocked_group_is_named,
    what_is_too_deep_to_be_searched_is_said,
    spent_messages_are_nothing_to_receive,
    nothing_is_leased_by_asking,
);
