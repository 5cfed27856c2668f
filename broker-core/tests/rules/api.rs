//! The surface around the rules: the trait, deliveries, the stream, durability, flush and close.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Deleted, Entries, Error, LocalQueue, Message, Queue, QueueExt, ReceiveOptions, SendMessage,
    VisibilityChanged,
    storage::{
        Durability,
        faults::{CrashStorage, Survive},
    },
};
use broker_mem::MemStorage;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::support::{World, advance, counts, ms, poll, secs, send_all, settle_down, take, texts};

/// Virtual time without asking: the default clock follows tokio's.
#[tokio::test(start_paused = true)]
async fn the_broker_runs_on_virtual_time_with_no_extra_call() {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send(SendMessage::from("m").delay(secs(900))).await.unwrap();
    let begin = Instant::now();
    let delivery = queue.recv().await.unwrap();
    assert_eq!((delivery.text(), begin.elapsed()), (Ok("m"), secs(900)));
}

/// A broker needs a runtime, and says so.
#[test]
fn outside_a_runtime_a_broker_is_not_opened() {
    let opened = futures_util::FutureExt::now_or_never(Broker::open(MemStorage::new()));
    assert!(matches!(opened, Some(Err(Error::NoRuntime))));
}

/// Clones and reopened handles are the same queue.
async fn all_handles_of_a_queue_are_one_queue(world: World) {
    let (broker, queue) = world.queue().await;
    let (clone, opened) = (queue.clone(), broker.clone().open_queue("orders").await.unwrap());
    send_all(&clone, &["m"]).await;
    let receipt = take(&opened).await.receipt;
    assert_eq!(queue.delete(receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&clone).await, [0, 0, 0]);
}

/// The trait is all that generic code needs, as an object too.
async fn every_operation_works_through_the_trait(world: World) {
    let (_broker, queue) = world.queue().await;
    let queue: Arc<dyn Queue> = Arc::new(queue);
    assert_eq!(queue.name(), "orders");
    queue.set_attributes(broker_core::QueueSettings::new().visibility_timeout(secs(3))).await.unwrap();
    queue.send_batch(["a", "b"].into_iter().map(SendMessage::from).collect()).await.unwrap().all().unwrap();
    let received: Vec<Message> = queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
    let change = broker_core::ChangeVisibility { receipt: received[0].receipt, timeout: Duration::ZERO };
    queue.change_visibility_batch(Entries::one(change)).await.unwrap().all().unwrap();
    queue.delete_batch(Entries::one(received[1].receipt)).await.unwrap().all().unwrap();
    let described = queue.attributes().await.unwrap();
    assert_eq!((described.counters.total(), described.visibility_timeout), (1, secs(3)));
    queue.purge().await.unwrap();
    assert_eq!(queue.attributes().await.unwrap().counters.total(), 0);
}

/// One message in, one out, acknowledged.
async fn a_delivery_settles_itself(world: World) {
    let (_broker, queue) = world.queue().await;
    let sent = queue.send_one(SendMessage::json(&[1, 2, 3]).unwrap()).await.unwrap();
    assert!(queue.send_one(SendMessage::from("")).await.is_err());
    let delivery = queue.recv().await.unwrap();
    assert_eq!((delivery.id, delivery.json::<Vec<u32>>().unwrap()), (sent.id, vec![1, 2, 3]));
    assert!(matches!(delivery.retry_in(secs(5)).await.unwrap(), VisibilityChanged::Until(_)));
    let begin = Instant::now();
    let again = queue.recv().await.unwrap();
    assert_eq!((again.receive_count, begin.elapsed()), (2, secs(5)));
    again.extend(secs(60)).await.unwrap();
    advance(secs(60) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    assert!(again.extend(Duration::MAX).await.is_err());
    assert_eq!(delivery.ack().await.unwrap(), Deleted::Stale);
    assert_eq!(again.ack().await.unwrap(), Deleted::Gone);
    assert_eq!(again.retry_in(secs(1)).await.unwrap(), VisibilityChanged::Gone);
    assert_eq!(again.into_message().receive_count, 2);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Dropping a delivery leaves it to its visibility timeout, as SQS does.
async fn a_dropped_delivery_comes_back_after_its_timeout(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    drop(queue.recv().await.unwrap());
    assert_eq!(counts(&queue).await, [0, 1, 0]);
    let begin = Instant::now();
    assert_eq!(queue.recv().await.unwrap().receive_count, 2);
    assert_eq!(begin.elapsed(), secs(30));
}

/// `recv` waits however long it takes, well beyond one long poll.
async fn recv_waits_for_hours(world: World) {
    let (_broker, queue) = world.queue().await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.recv().await.unwrap() }
    });
    for _ in 0..100 {
        tokio::time::sleep(secs(100)).await;
    }
    queue.send("m").await.unwrap();
    assert_eq!(waiting.await.unwrap().text(), Ok("m"));
}

/// The stream yields every message once, waits for more, and ends after an error.
async fn the_stream_of_messages_goes_on_until_an_error(world: World) {
    let (broker, queue) = world.queue().await;
    let bodies: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    send_all(&queue, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut messages = queue.messages();
    for body in &bodies {
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(delivery.text(), Ok(body.as_str()));
        delivery.ack().await.unwrap();
    }
    queue.send(SendMessage::from("late").delay(secs(100))).await.unwrap();
    let late = messages.next().await.unwrap().unwrap();
    assert_eq!((late.text(), late.ack().await.unwrap()), (Ok("late"), Deleted::Gone));
    let ended = tokio::spawn(async move { (messages.next().await, messages.next().await.is_none()) });
    settle_down().await;
    broker.delete_queue("orders").await.unwrap();
    let (error, ended) = ended.await.unwrap();
    assert!(matches!(error, Some(Err(Error::QueueDoesNotExist { .. }))));
    assert!(ended);
}

/// What a flush says is what the store can do.
#[tokio::test(start_paused = true)]
async fn a_flush_says_what_everything_before_it_survives() {
    for (world, durability) in [
        (World::in_memory(), Durability::Memory),
        (World::threaded(), Durability::Memory),
        (World::on_sled(), Durability::Synced),
    ] {
        let (broker, queue) = world.queue().await;
        queue.send("m").await.unwrap();
        let flushed = broker.flush().await.unwrap();
        assert_eq!((flushed.durability, flushed.batches_waiting), (durability, 0));
    }
}

/// The order of durabilities: the call's, else the queue's, else synced; what survives a power cut says which it was.
#[tokio::test(start_paused = true)]
async fn a_durability_of_the_call_overrides_that_of_the_queue() {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    let queue = broker.queue("orders").durability(Durability::Buffered).await.unwrap();
    let batch = |body: &str| Entries::one(SendMessage::from(body));
    queue.send_batch(batch("synced").durability(Durability::Synced)).await.unwrap().all().unwrap();
    queue.send("buffered").await.unwrap();
    queue.send_batch(batch("memory").durability(Durability::Memory)).await.unwrap().all().unwrap();
    let left = async |survive: Survive| {
        let store = store.restart(survive, Arc::new(MemStorage::new())).unwrap();
        let queue = Broker::open(store).await.unwrap().open_queue("orders").await.unwrap();
        poll(&queue, 10).await.iter().map(|m| m.text().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(left(Survive::PowerCut { unsynced: 0 }).await, ["synced"]);
    assert_eq!(left(Survive::Kill).await, ["synced", "buffered"]);
    broker.flush().await.unwrap();
    assert_eq!(left(Survive::PowerCut { unsynced: 0 }).await, ["synced", "buffered", "memory"]);
}

/// Every call on a closed broker says so, and closing again too; the store can be opened at once.
async fn after_close_every_call_says_that_the_broker_is_closed(world: World) {
    let (broker, queue) = world.queue().await;
    send_all(&queue, &["m", "n"]).await;
    let receipt = take(&queue).await.receipt;
    broker.close().await.unwrap();
    let closed = |error: Error| assert!(matches!(error, Error::Closed), "{error:?}");
    closed(queue.send("m").await.unwrap_err());
    closed(queue.receive(ReceiveOptions::default()).await.unwrap_err());
    closed(queue.delete(receipt).await.unwrap_err());
    closed(queue.change_visibility(receipt, secs(1)).await.unwrap_err());
    closed(queue.purge().await.unwrap_err());
    closed(queue.attributes().await.unwrap_err());
    closed(queue.tag([("a", "b")]).await.unwrap_err());
    closed(broker.queue("orders").await.unwrap_err());
    closed(broker.queue("other").await.unwrap_err());
    closed(broker.open_queue("orders").await.unwrap_err());
    closed(broker.delete_queue("orders").await.unwrap_err());
    closed(broker.flush().await.unwrap_err());
    closed(broker.close().await.unwrap_err());
    let again: LocalQueue = world.broker().await.open_queue("orders").await.unwrap();
    assert_eq!(counts(&again).await, [1, 1, 0]);
    assert_eq!(texts(&poll(&again, 10).await), ["n"]);
}

everywhere! {
    all_handles_of_a_queue_are_one_queue,
    every_operation_works_through_the_trait,
    a_delivery_settles_itself,
    a_dropped_delivery_comes_back_after_its_timeout,
    recv_waits_for_hours,
    the_stream_of_messages_goes_on_until_an_error,
    after_close_every_call_says_that_the_broker_is_closed,
}

/// What was in flight when a process died can be released at once, since its consumers died with it.
#[tokio::test(start_paused = true)]
async fn in_flight_messages_can_be_released_at_open() {
    let store = MemStorage::new();
    let broker = Broker::open(store.clone()).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    send_all(&queue, &["in flight", "visible"]).await;
    queue.send(SendMessage::from("delayed").delay(secs(60))).await.unwrap();
    let first = take(&queue).await;
    broker.close().await.unwrap();

    let broker = Broker::builder(store.clone()).release_in_flight().open().await.unwrap();
    let queue = broker.open_queue("orders").await.unwrap();
    assert_eq!(counts(&queue).await, [2, 0, 1], "what is delayed stays so");
    let again = take(&queue).await;
    assert_eq!((again.id, again.receive_count), (first.id, 2), "it keeps its place and its count");
    assert_eq!(queue.delete(first.receipt).await.unwrap(), Deleted::Stale);
    broker.close().await.unwrap();

    let broker = Broker::open(store).await.unwrap();
    let queue = broker.open_queue("orders").await.unwrap();
    assert_eq!(counts(&queue).await, [1, 1, 1], "without asking, leases go on");
}
