//! Messages that are too much for the store, and stored ones that are damaged: the broker goes on (IG3, IG10, IT5).

use std::sync::Arc;

use broker_core::{
    Broker, DeliveryOrder, DeliveryOutcome, Endpoint, Limits, LocalQueue, Notification, PublishMessage,
    storage::{Batch, Durability, Storage},
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::{
    narrow::Narrow,
    support::{counts, secs},
    topic_support::{Log, counters, drain},
};

const NARROW: usize = 64 * 1024;

/// A broker on a narrow store, and a queue for what nobody takes.
async fn narrow() -> (Broker, LocalQueue) {
    let broker =
        Broker::builder(Narrow(MemStorage::new(), NARROW)).limits(Limits::unlimited()).open().await.unwrap();
    let dead = broker.queue("dead").await.unwrap();
    (broker, dead)
}

/// In JSON each of these characters takes six bytes.
fn swelling() -> String {
    "\u{1}".repeat(20_000)
}

/// N40, IG10: what only its envelope makes too large is not deliverable, and harms nobody else.
#[tokio::test(start_paused = true)]
async fn an_envelope_that_the_store_cannot_take_does_not_stop_the_broker() {
    let (broker, dead) = narrow().await;
    let topic = broker.topic("news").await.unwrap();
    let (raw, wrapped) = (broker.queue("raw").await.unwrap(), broker.queue("wrapped").await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    let with = topic.subscribe(&wrapped).dead_letter("dead").await.unwrap().id;
    let without = topic.subscribe(Endpoint::queue("gone")).await.unwrap().id;
    topic.publish(swelling()).await.unwrap();
    topic.publish("small").await.unwrap();
    assert_eq!((counts(&raw).await, counts(&wrapped).await), ([2, 0, 0], [1, 0, 0]));
    assert_eq!(counts(&dead).await, [0, 0, 0], "its envelope has no place there either");
    let (with, without) = (counters(&topic, with).await, counters(&topic, without).await);
    assert_eq!((with.delivered, with.dead_lettered, with.dropped), (1, 0, 1));
    assert_eq!((without.delivered, without.dropped), (0, 2));
}

/// N56, IG10: the same when a push subscriber gives up.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_the_store_cannot_take_does_not_stop_the_broker() {
    let (broker, dead) = narrow().await;
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).dead_letter("dead").await.unwrap().id;
    let log = Log::new();
    let refuses = log.answering(|_| DeliveryOutcome::ClientError("no".into()));
    let _attached = topic.attach(id, refuses).await.unwrap();
    topic.publish(swelling()).await.unwrap();
    topic.publish("small").await.unwrap();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(log.attempts().len(), 2);
    assert_eq!(drain(&dead).await.len(), 1);
    let seen = counters(&topic, id).await;
    assert_eq!((seen.dead_lettered, seen.dropped, seen.waiting), (1, 1, 0));
}

/// N56, IG11: what a subscriber says may be a megabyte; a part of it is kept.
#[tokio::test(start_paused = true)]
async fn a_long_reason_is_cut() {
    let (broker, dead) = narrow().await;
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).dead_letter("dead").await.unwrap().id;
    let reason = format!("x{}", "ü".repeat(1_000_000));
    let refuses = move |_: Notification| std::future::ready(DeliveryOutcome::ClientError(reason.clone()));
    let _attached = topic.attach(id, refuses).await.unwrap();
    topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(10)).await;
    let why = drain(&dead).await.remove(0).dead_letter.unwrap();
    assert_eq!(why.reason, Some(format!("x{}", "ü".repeat(511))));
}

/// IG3, IG10: a message that cannot be read is kept, its subscriber goes on with the others, and not in circles.
#[tokio::test(start_paused = true)]
async fn a_damaged_message_that_waits_for_a_subscriber_is_kept_and_does_not_spin() {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let order = DeliveryOrder::Independent(1);
    let id = topic.subscribe(Endpoint::handler("h")).order(order).await.unwrap().id;
    for body in ["m0", "m1", "m2"] {
        topic.publish(PublishMessage::new(body)).await.unwrap();
    }
    drop((topic, broker));
    let partition = (0..100).find(|partition| store.row(*partition, 1).unwrap().is_some()).unwrap();
    let row = store.row(partition, 1).unwrap().unwrap();
    // The first byte of the body of the row says what the notification has: now something unknown.
    let begin = row.len() - (1 + 16 + 8 + "m1".len());
    let damaged = [&row[..begin], &[0x80], &row[begin + 1..]].concat();
    let mut batch = Batch::new();
    batch.put_row(partition, 1, Bytes::from(damaged));
    store.commit(&batch, Durability::Memory).unwrap();

    let broker = Broker::builder_on(Arc::new(store)).open().await.unwrap();
    let topic = broker.open_topic("news").await.unwrap();
    let log = Log::new();
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    topic.publish("m3").await.unwrap();
    log.until(3).await;
    tokio::time::sleep(secs(10)).await;
    assert_eq!(log.texts(), ["m0", "m2", "m3"]);
    let seen = counters(&topic, id).await;
    assert_eq!((seen.waiting, seen.delivered, seen.dropped), (1, 3, 0));
}
