//! Purging, and what a purge and a deletion leave in the store: rules Q7 and Q8, IQ14, IQ19.

use std::sync::Arc;

use broker_core::{
    Broker, Error, Limits, LocalQueue, SendMessage,
    storage::{Page, Storage},
};
use broker_mem::MemStorage;

use crate::support::{
    World, advance, bulk, counts, ms, poll, poll_for, refusal, secs, send_all, send_numbers, settle_down,
    take, texts,
};

/// Q8.
async fn a_purge_removes_visible_delayed_and_in_flight_messages(world: World) {
    let (broker, queue) = world.queue().await;
    send_all(&queue, &["in flight", "visible again", "visible"]).await;
    queue.send(SendMessage::from("delayed").delay(secs(10))).await.unwrap();
    poll_for(&queue, 1, secs(20)).await;
    poll_for(&queue, 1, secs(1)).await;
    advance(secs(1)).await;
    assert_eq!(counts(&queue).await, [2, 1, 1]);
    queue.purge().await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    advance(secs(30)).await;
    assert!(poll(&queue, 10).await.is_empty());
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert!(poll(&queue, 10).await.is_empty());
}

/// Q8, IQ14: an emulator may keep them, and this one does.
async fn what_is_sent_after_a_purge_stays(world: World) {
    let (broker, queue) = world.queue().await;
    let old = queue.send("old").await.unwrap();
    queue.purge().await.unwrap();
    let new = queue.send("new").await.unwrap();
    assert_ne!(old.id, new.id);
    advance(secs(60)).await;
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["new"]);
}

/// Q8: settings, tags and times stay.
async fn a_purge_leaves_the_queue_as_it_was_otherwise(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").visibility_timeout(secs(3)).tag("a", "b").await.unwrap();
    let before = queue.attributes().await.unwrap();
    queue.send("m").await.unwrap();
    queue.purge().await.unwrap();
    assert_eq!(queue.attributes().await.unwrap(), before);
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.attributes().await.unwrap(), before);
}

/// Q8: by default a purge takes no time.
async fn a_purge_can_follow_a_purge(world: World) {
    let (_broker, queue) = world.queue().await;
    for _ in 0..3 {
        queue.send("m").await.unwrap();
        queue.purge().await.unwrap();
        assert_eq!(counts(&queue).await, [0, 0, 0]);
    }
}

/// Q8. [`test_purge_queue`] The wait of SQS is an option.
async fn with_waits_a_purge_within_60_seconds_of_another_is_refused(world: World) {
    let world = world.limits(Limits::aws_with_waits());
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    queue.purge().await.unwrap();
    queue.send("m").await.unwrap();
    for (passed, left) in [(secs(0), secs(60)), (secs(59), secs(1)), (ms(999), ms(1))] {
        advance(passed).await;
        let error = refusal(&queue, queue.purge()).await;
        let Error::PurgeQueueInProgress { name, wait } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), wait), ("orders", left));
        assert_eq!(counts(&queue).await, [1, 0, 0]);
    }
    other.purge().await.expect("each queue has a wait of its own");
    advance(ms(1)).await;
    queue.purge().await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// All rows and the number of meta entries in a store.
fn content(store: &dyn Storage) -> (usize, usize) {
    let page = Page { entries: usize::MAX, bytes: usize::MAX };
    let rows = (0..50).map(|partition| store.rows(partition, 0..u64::MAX, page).unwrap().len()).sum();
    (rows, store.meta_range(&[0], &[255; 100], page).unwrap().len())
}

/// A queue with messages in every state, in memory and out of it.
async fn fill(queue: &LocalQueue) {
    send_numbers(queue, 0..2000, |_| secs(0)).await;
    send_numbers(queue, 2000..4000, |_| secs(100)).await;
    poll_for(queue, 1500, secs(200)).await;
}

/// Q8, Q7: the space of what was purged or deleted comes back, in the background.
#[tokio::test(start_paused = true)]
async fn a_purge_and_a_deletion_give_the_space_back() {
    let store = Arc::new(MemStorage::new());
    let broker = Broker::builder_on(store.clone()).limits(bulk()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.purge().await.unwrap();
    settle_down().await;
    let empty = content(&*store);
    assert_eq!(empty.0, 0);
    fill(&queue).await;
    assert_eq!(content(&*store).0, 4000);
    queue.purge().await.unwrap();
    settle_down().await;
    assert_eq!(content(&*store), empty);
    fill(&queue).await;
    broker.delete_queue("orders").await.unwrap();
    settle_down().await;
    assert_eq!(content(&*store).0, 0);
    assert!(content(&*store).1 < empty.1, "the definition and the record are gone too");
}

/// Q8: the same after a restart before the space was given back.
#[tokio::test(start_paused = true)]
async fn a_purge_gives_the_space_back_after_a_restart_too() {
    let store = Arc::new(MemStorage::new());
    let broker = Broker::builder_on(store.clone()).limits(bulk()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    fill(&queue).await;
    queue.purge().await.unwrap();
    broker.close().await.unwrap();
    assert!(content(&*store).0 > 0, "the background has not had its turn");
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    settle_down().await;
    assert_eq!(content(&*store).0, 0);
    assert_eq!(counts(&broker.open_queue("orders").await.unwrap()).await, [0, 0, 0]);
}

/// Q8: a queue of which nothing but the time index is left, when more than 10,000 messages were delayed.
#[tokio::test(start_paused = true)]
async fn a_purge_gives_the_space_of_far_delayed_messages_back() {
    let store = Arc::new(MemStorage::new());
    let broker = Broker::builder_on(store.clone()).limits(bulk()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    send_numbers(&queue, 0..10_000, |_| secs(1)).await;
    send_numbers(&queue, 10_000..10_010, |_| secs(900)).await;
    advance(secs(1)).await;
    for message in poll(&queue, 10_000).await {
        queue.delete(message.receipt).await.unwrap();
    }
    assert_eq!(counts(&queue).await, [0, 0, 10]);
    queue.purge().await.unwrap();
    settle_down().await;
    assert_eq!(content(&*store).0, 0);
}

/// IQ14: with senders and receivers at work, a purge removes a prefix of what was sent.
async fn a_purge_amid_traffic_loses_nothing_that_was_sent_after_it(world: World) {
    let (_broker, queue) = world.queue().await;
    let sender = tokio::spawn({
        let queue = queue.clone();
        async move {
            for n in 0..200 {
                queue.send(n.to_string()).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..5 {
        tokio::task::yield_now().await;
        poll(&queue, 3).await;
        queue.purge().await.unwrap();
    }
    queue.send("marker").await.unwrap();
    sender.await.unwrap();
    let mut left = Vec::new();
    loop {
        let received = poll(&queue, 10).await;
        if received.is_empty() {
            break;
        }
        left.extend(received.iter().map(|message| message.text().unwrap().to_owned()));
    }
    assert!(left.contains(&"marker".to_owned()));
    let numbers: Vec<u32> = left.iter().filter_map(|text| text.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&199));
    assert_eq!(take_none(&queue).await, 0);
}

async fn take_none(queue: &LocalQueue) -> usize {
    queue.purge().await.unwrap();
    poll(queue, 1).await.len()
}

/// Q7: other queues do not notice.
async fn the_end_of_a_queue_leaves_the_others_alone(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    queue.send("m").await.unwrap();
    other.send("x").await.unwrap();
    other.purge().await.unwrap();
    other.send("x").await.unwrap();
    broker.delete_queue("other").await.unwrap();
    settle_down().await;
    let (broker, queue) = world.reopened(broker).await;
    assert_eq!(take(&queue).await.text(), Ok("m"));
    assert_eq!(broker.list_queues(""), ["orders"]);
}

everywhere! {
    a_purge_removes_visible_delayed_and_in_flight_messages,
    what_is_sent_after_a_purge_stays,
    a_purge_leaves_the_queue_as_it_was_otherwise,
    a_purge_can_follow_a_purge,
    with_waits_a_purge_within_60_seconds_of_another_is_refused,
    a_purge_amid_traffic_loses_nothing_that_was_sent_after_it,
    the_end_of_a_queue_leaves_the_others_alone,
}
