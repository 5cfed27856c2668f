//! What topics leave in the store: nothing, once they are gone (IG7), and what they never write into it.

use std::collections::BTreeSet;

use broker_core::{
    Broker, DeliveryOrder, Endpoint, LocalTopic, PublishMessage, SubscriptionSettings, TokioClock,
    storage::{Page, Storage},
};
use broker_mem::MemStorage;

use crate::{
    support::{advance, secs, settle_down},
    topic_support::{Log, fifo, numbered, publish_all},
};

const EVERYTHING: Page = Page { entries: usize::MAX, bytes: usize::MAX };

/// How many rows there are, whatever they belong to.
pub(crate) fn rows(store: &MemStorage) -> usize {
    (0..1_000).map(|partition| store.rows(partition, 0..u64::MAX, EVERYTHING).unwrap().len()).sum()
}

/// All keys, but that of the next free id.
fn keys(store: &MemStorage) -> BTreeSet<Vec<u8>> {
    let entries = store.meta_range(&[0], &[u8::MAX], EVERYTHING).unwrap();
    entries.into_iter().map(|(key, _)| key.to_vec()).collect()
}

/// Waits until something holds that others bring about.
pub(crate) async fn settled(holds: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        settle_down().await;
    }
    panic!("{}", otherwise());
}

async fn on(store: &MemStorage, clock: &TokioClock) -> Broker {
    Broker::builder(store.clone()).clock(clock.clone()).open().await.unwrap()
}

/// Waits until the store is as it was.
async fn as_before(store: &MemStorage, before: &BTreeSet<Vec<u8>>, rows_before: usize) {
    let same = || keys(store) == *before && rows(store) == rows_before;
    let left = || {
        let keys = keys(store);
        format!("{:?} and {} rows are left", keys.difference(before).collect::<Vec<_>>(), rows(store))
    };
    settled(same, left).await;
}

/// Fills a topic with all that it can have.
async fn fill(topic: &LocalTopic, broker: &Broker) {
    topic.tag([("k", "v")]).await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let long = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(150_000));
    topic.subscribe(Endpoint::queue("filtered")).filter_attributes(long).await.unwrap();
    for (name, order) in [("a", DeliveryOrder::InOrder), ("b", DeliveryOrder::Independent(5))] {
        topic.subscribe(Endpoint::handler(name)).order(order).await.unwrap();
    }
    topic.subscribe(Endpoint::push("http", "pending")).await.unwrap();
    for n in 0..1_200 {
        topic.publish(PublishMessage::new(n.to_string()).group_id("g")).await.unwrap();
    }
}

/// N3, IG7.
#[tokio::test(start_paused = true)]
async fn a_deleted_topic_leaves_nothing_in_the_store() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let broker = on(&store, &clock).await;
    let queue = broker.queue("q").await.unwrap();
    for reopen in [false, true] {
        queue.purge().await.unwrap();
        settle_down().await;
        let (before, rows_before) = (keys(&store), rows(&store));
        let topic = broker.topic("news").await.unwrap();
        fill(&topic, &broker).await;
        // Some of it has been delivered, some is being tried again.
        let log = Log::new();
        for one in
            topic.subscriptions().await.unwrap().iter().filter(|one| one.endpoint.protocol() == "handler")
        {
            let fails = log.answering(|message| if message.text() == "3" { Err("no") } else { Ok(()) });
            let attached = topic.attach(one.id, fails).await.unwrap();
            settle_down().await;
            attached.stop().await;
        }
        queue.purge().await.unwrap();
        let ordered = broker.topic("news.fifo").fifo().await.unwrap();
        publish_all(&ordered, numbered("a", 0..50)).await;
        assert!(rows(&store) > 1_000 && keys(&store).len() > before.len() + 50);
        for name in ["news", "news.fifo"] {
            broker.delete_topic(name).await.unwrap();
        }
        if reopen {
            // At once, so that the work is left to the next broker.
            drop(broker);
            let broker = on(&store, &clock).await;
            as_before(&store, &before, rows_before).await;
            assert!(broker.list_topics().is_empty());
            return;
        }
        as_before(&store, &before, rows_before).await;
    }
}

/// N14, IG7.
#[tokio::test(start_paused = true)]
async fn what_has_waited_for_a_subscriber_is_gone_with_its_subscription() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let broker = on(&store, &clock).await;
    let topic = broker.topic("news").await.unwrap();
    let other = topic.subscribe(Endpoint::handler("other")).await.unwrap().id;
    let (before, rows_before) = (keys(&store), rows(&store));
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(3)] {
        let id = topic.subscribe(Endpoint::handler("h")).order(order).await.unwrap().id;
        for n in 0..1_500 {
            topic.publish(n.to_string()).await.unwrap();
        }
        let (log, other_log) = (Log::new(), Log::new());
        let attached = topic.attach(id, log.answering(|_| Err::<(), _>("no"))).await.unwrap();
        let others = topic.attach(other, other_log.taking()).await.unwrap();
        other_log.until(1_500).await;
        assert_eq!(rows(&store), rows_before + 1_500);
        topic.unsubscribe(id).await.unwrap();
        as_before(&store, &before, rows_before).await;
        let attempts = log.attempts().len();
        advance(secs(1_000)).await;
        settle_down().await;
        assert_eq!(log.attempts().len(), attempts, "nor is anything tried again");
        attached.stop().await;
        others.stop().await;
        settle_down().await;
    }
}

/// IG7: what is delivered leaves nothing behind, whatever the number of subscribers.
#[tokio::test(start_paused = true)]
async fn delivered_messages_leave_nothing_in_the_store() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let broker = on(&store, &clock).await;
    let topic = broker.topic("news").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    let (before, rows_before) = (keys(&store), rows(&store));
    for n in 0..200 {
        topic.publish(n.to_string()).await.unwrap();
    }
    log.until(200).await;
    assert_eq!(crate::topic_support::drain(&queue).await.len(), 200);
    as_before(&store, &before, rows_before).await;
}

/// N81, IG7: ids of a topic are cleared as those of a queue are.
#[tokio::test(start_paused = true)]
async fn ids_that_are_forgotten_are_gone_from_the_store() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let broker = on(&store, &clock).await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    publish_all(&topic, numbered("a", 0..500)).await;
    let full = keys(&store).len();
    advance(secs(600)).await;
    topic.publish(fifo("a500")).await.unwrap();
    settled(|| keys(&store).len() == full - 499, || format!("{} keys", keys(&store).len())).await;
}

/// A subscription whose policy is replaced by a shorter one leaves no part of the longer one.
#[tokio::test(start_paused = true)]
async fn a_changed_subscription_leaves_nothing_of_what_it_was() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let broker = on(&store, &clock).await;
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
    let before = keys(&store);
    let long = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(200_000));
    let change = SubscriptionSettings::new().filter_attributes(&long);
    topic.set_subscription(id, &change).await.unwrap();
    assert!(keys(&store).len() >= before.len() + 3, "in parts");
    drop((topic, broker));
    let broker = on(&store, &clock).await;
    let topic = broker.open_topic("news").await.unwrap();
    assert_eq!(topic.subscription(id).await.unwrap().filter_policy.unwrap().as_str(), long);
    let back = SubscriptionSettings { filter_policy: Some(String::new()), ..SubscriptionSettings::new() };
    topic.set_subscription(id, &back).await.unwrap();
    assert_eq!(keys(&store), before);
}
