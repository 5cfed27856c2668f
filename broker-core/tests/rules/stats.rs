//! Seeing inside: the stats of a queue, asked for and watched.

use std::time::Duration;

use broker_core::{LocalQueue, QueueCounters, QueueSettings, QueueStats, SendMessage};
use tokio::{sync::watch, time::Instant};

use crate::support::{
    World, advance, bulk, counts, ms, poll, poll_for, secs, send_all, send_numbers, settle_down, take,
};

/// How long ago the oldest message came.
async fn oldest_age(world: &World, queue: &LocalQueue) -> Option<Duration> {
    queue.stats().await.unwrap().oldest_age(world.now())
}

async fn stats_tell_counters_and_the_age_of_the_oldest_message(world: World) {
    let (_broker, queue) = world.queue().await;
    assert_eq!(queue.stats().await.unwrap(), QueueStats::default());
    queue.send("a").await.unwrap();
    advance(secs(7)).await;
    send_all(&queue, &["b"]).await;
    queue.send(SendMessage::from("c").delay(secs(60))).await.unwrap();
    assert_eq!(oldest_age(&world, &queue).await, Some(secs(7)));
    let oldest = take(&queue).await;
    let counters = QueueCounters { visible: 1, in_flight: 1, delayed: 1 };
    assert_eq!(queue.stats().await.unwrap().counters, counters);
    assert_eq!(oldest_age(&world, &queue).await, Some(secs(7)), "in flight it is still there");
    queue.delete(oldest.receipt).await.unwrap();
    assert_eq!(oldest_age(&world, &queue).await, Some(secs(0)));
}

/// Whatever is in memory and what is not: with little memory, after a restart, and when only far delays are left.
async fn the_oldest_message_is_found_wherever_it_is(world: World) {
    let world = world.with_little_memory().limits(bulk());
    let (mut broker, mut queue) = world.queue().await;
    send_numbers(&queue, 0..20, |_| secs(0)).await;
    advance(secs(1)).await;
    send_numbers(&queue, 20..25, |n| secs(40 - n as u64)).await;
    advance(secs(1)).await;
    send_numbers(&queue, 25..26, |_| secs(0)).await;
    let mut expected = secs(2);
    for _ in 0..4 {
        assert_eq!(oldest_age(&world, &queue).await, Some(expected));
        poll_for(&queue, 3, secs(1)).await;
        assert_eq!(oldest_age(&world, &queue).await, Some(expected));
        advance(secs(1)).await;
        expected += secs(1);
        (broker, queue) = world.reopened(broker).await;
    }
    for message in poll(&queue, 21).await {
        queue.delete(message.receipt).await.unwrap();
    }
    assert_eq!(counts(&queue).await, [0, 0, 5]);
    assert_eq!(oldest_age(&world, &queue).await, Some(expected - secs(1)));
}

/// Q83.
async fn the_oldest_dead_letter_counts_from_its_move(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 3).await.unwrap();
    orders.send("poison").await.unwrap();
    advance(secs(100)).await;
    orders.dead_letter(take(&orders).await.receipt, "no").await.unwrap();
    advance(secs(3)).await;
    assert_eq!(oldest_age(&world, &dead).await, Some(secs(3)));
    assert_eq!(oldest_age(&world, &orders).await, None);
}

async fn a_group_is_blocked_while_others_of_it_wait_behind_one_in_flight(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().await.unwrap();
    for (n, group) in ["a", "a", "b", "c", "c"].into_iter().enumerate() {
        let message = SendMessage::from("m").group_id(group).deduplication_id(n.to_string());
        queue.send(message).await.unwrap();
    }
    let blocked = async || queue.stats().await.unwrap().groups_blocked;
    assert_eq!(blocked().await, 0);
    let first = take(&queue).await;
    assert_eq!(blocked().await, 1);
    take(&queue).await;
    assert_eq!(blocked().await, 1, "nothing waits in group b");
    take(&queue).await;
    assert_eq!(blocked().await, 2);
    queue.delete(first.receipt).await.unwrap();
    assert_eq!(blocked().await, 1);
    advance(secs(30)).await;
    assert_eq!(blocked().await, 0);
}

async fn delayed_messages_of_a_fifo_queue_are_the_oldest_too(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().delay(secs(60)).await.unwrap();
    queue.send(SendMessage::from("m").group_id("a")).await.unwrap();
    advance(secs(9)).await;
    assert_eq!(oldest_age(&world, &queue).await, Some(secs(9)));
    broker.close().await.unwrap();
    let broker = world.broker().await;
    let queue = broker.open_queue("orders.fifo").await.unwrap();
    assert_eq!(oldest_age(&world, &queue).await, Some(secs(9)));
    assert_eq!(counts(&queue).await, [0, 0, 1]);
}

/// The counters when they change next, and after how long.
async fn next(watch: &mut watch::Receiver<QueueStats>) -> ([u64; 3], Duration) {
    let begin = Instant::now();
    watch.changed().await.unwrap();
    let QueueCounters { visible, in_flight, delayed } = watch.borrow_and_update().counters;
    ([visible, in_flight, delayed], begin.elapsed())
}

async fn a_watcher_sees_what_others_do(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("a").await.unwrap();
    let mut watch = queue.watch().await.unwrap();
    assert_eq!(*watch.borrow(), queue.stats().await.unwrap());
    queue.send("b").await.unwrap();
    assert_eq!(next(&mut watch).await.0, [2, 0, 0]);
    let message = take(&queue).await;
    assert_eq!(next(&mut watch).await.0, [1, 1, 0]);
    queue.delete(message.receipt).await.unwrap();
    assert_eq!(next(&mut watch).await.0, [1, 0, 0]);
    assert_eq!(*watch.borrow(), queue.stats().await.unwrap());
    queue.purge().await.unwrap();
    assert_eq!(next(&mut watch).await.0, [0, 0, 0]);
}

/// Nobody does anything: delays and leases end, messages expire, in memory and in storage.
async fn a_watcher_sees_what_time_does(world: World) {
    let world = world.with_little_memory().limits(bulk());
    let (_broker, queue) = world.queue().await;
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    send_numbers(&queue, 0..9, |n| secs(if n < 7 { 0 } else { 5 * n as u64 })).await;
    poll_for(&queue, 2, secs(10)).await;
    let mut watch = queue.watch().await.unwrap();
    let expected =
        [([7, 0, 2], secs(10)), ([8, 0, 1], secs(25)), ([9, 0, 0], secs(5)), ([0, 0, 0], secs(20))];
    for (counters, waited) in expected {
        let (seen, after) = next(&mut watch).await;
        assert_eq!(seen, counters);
        assert!(after >= waited - ms(1) && after <= waited + ms(2), "{after:?}, not {waited:?}");
    }
}

/// What is to happen comes closer, and until then nothing changes that is counted.
async fn a_watcher_sees_what_happens_earlier_than_it_was_to(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("a").await.unwrap();
    let message = take(&queue).await;
    let mut watch = queue.watch().await.unwrap();
    settle_down().await;
    queue.change_visibility(message.receipt, secs(5)).await.unwrap();
    let (seen, after) = next(&mut watch).await;
    assert_eq!(seen, [1, 0, 0]);
    assert!(after <= secs(5) + ms(1), "{after:?}");
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    let (seen, after) = next(&mut watch).await;
    assert_eq!(seen, [0, 0, 0]);
    assert!(after <= secs(60), "{after:?}");
}

/// Some wait for the end of the queue's delay behind others that do not.
async fn a_watcher_sees_each_delay_of_a_fifo_queue_end(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().delay(secs(10)).await.unwrap();
    let mut watch = queue.watch().await.unwrap();
    for n in 0..4 {
        queue.send(SendMessage::from(n.to_string()).group_id("a")).await.unwrap();
        assert_eq!(next(&mut watch).await.0, [0, 0, n + 1]);
        advance(secs(1)).await;
    }
    for n in 1..=4 {
        assert_eq!(next(&mut watch).await.0, [n, 0, 4 - n]);
    }
}

async fn a_watcher_is_not_told_twice(world: World) {
    let (_broker, queue) = world.queue().await;
    let mut watch = queue.watch().await.unwrap();
    send_all(&queue, &["a", "b"]).await;
    settle_down().await;
    assert_eq!(next(&mut watch).await.0, [2, 0, 0]);
    queue.stats().await.unwrap();
    queue.why_empty().await.unwrap();
    let message = take(&queue).await;
    queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
    settle_down().await;
    watch.borrow_and_update();
    queue.tag([("key", "value")]).await.unwrap();
    settle_down().await;
    assert!(!watch.has_changed().unwrap());
}

async fn a_watch_ends_with_the_queue_and_with_the_broker(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    let third = broker.queue("third").await.unwrap();
    let mut ending = queue.watch().await.unwrap();
    let mut closing = other.watch().await.unwrap();
    let abandoned = third.watch().await.unwrap();
    drop(abandoned);
    broker.delete_queue("orders").await.unwrap();
    ending.changed().await.unwrap_err();
    queue.watch().await.unwrap_err();
    assert!(!closing.has_changed().unwrap());
    broker.close().await.unwrap();
    closing.changed().await.unwrap_err();
    drop((broker, queue, other, third));
    // Nothing holds the store open.
    settle_down().await;
    let broker = world.broker().await;
    let mut watch = broker.queue("other").await.unwrap().watch().await.unwrap();
    drop(broker);
    watch.changed().await.unwrap_err();
}

everywhere!(
    stats_tell_counters_and_the_age_of_the_oldest_message,
    the_oldest_message_is_found_wherever_it_is,
    the_oldest_dead_letter_counts_from_its_move,
    a_group_is_blocked_while_others_of_it_wait_behind_one_in_flight,
    delayed_messages_of_a_fifo_queue_are_the_oldest_too,
    a_watcher_sees_what_others_do,
    a_watcher_sees_what_time_does,
    a_watcher_sees_what_happens_earlier_than_it_was_to,
    a_watcher_sees_each_delay_of_a_fifo_queue_end,
    a_watcher_is_not_told_twice,
    a_watch_ends_with_the_queue_and_with_the_broker,
);
