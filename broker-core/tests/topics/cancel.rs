//! Calls that are dropped while their commit waits at a gate: they have happened or not, as a whole (IT1, IQ18).

use std::sync::Arc;

use broker_core::{
    Broker, Endpoint, LocalQueue, LocalTopic, Published, SubscriptionSettings,
    storage::faults::{Gate, SlowStorage},
};
use broker_mem::MemStorage;
use futures_util::FutureExt;

use crate::{
    replay::all,
    support::{others_run, settle_down},
    topic_support::{bodies, fifo, numbered, publish_all},
};

/// A FIFO topic with an archive, two queues that it delivers to, and the gate before their store.
async fn gated() -> (Gate, Broker, LocalTopic, [LocalQueue; 2]) {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let broker = Broker::builder(store).open().await.unwrap();
    let topic = broker.topic("a.fifo").fifo().archive_days(1).await.unwrap();
    let queues = [broker.queue("q.fifo").fifo().await.unwrap(), broker.queue("r.fifo").fifo().await.unwrap()];
    for queue in &queues {
        topic.subscribe(queue).raw_delivery(true).await.unwrap();
    }
    (gate, broker, topic, queues)
}

/// Polls a call until its commit is at the gate, or for so often as it takes to know that it is not; then drops it.
async fn dropped<T>(gate: &Gate, call: impl Future<Output = T>) {
    gate.hold();
    let mut call = Box::pin(call);
    assert!(call.as_mut().now_or_never().is_none(), "it waits for its commit");
    gate.until_waiting(1);
    drop(call);
    gate.open();
    settle_down().await;
}

/// IT1: everywhere, as it had been submitted; and whoever tries again is told so.
#[tokio::test(start_paused = true)]
async fn a_publish_dropped_before_it_returns_is_everywhere_and_a_retry_is_a_duplicate() {
    let (gate, _broker, topic, [first, second]) = gated().await;
    dropped(&gate, topic.publish(fifo("a1"))).await;
    drop(topic.publish(fifo("never polled")));
    let batch = ["a2", "b1", "a3"].map(fifo).into_iter().collect();
    dropped(&gate, topic.publish_batch(batch)).await;
    let again = topic.publish(fifo("a1")).await.unwrap();
    assert!(again.duplicate);
    let batch = ["a2", "b1", "a4"].map(fifo).into_iter().collect();
    let again: Vec<Published> = topic.publish_batch(batch).await.unwrap().all().unwrap();
    assert_eq!(again.iter().map(|one| one.duplicate).collect::<Vec<_>>(), [true, true, false]);
    for queue in [first, second] {
        let mut found = bodies(&queue).await;
        found.sort_unstable();
        assert_eq!(found, ["a1", "a2", "a3", "a4", "b1"]);
    }
}

/// IT1: a duplicate waits for its original: it is not answered before that is stored.
#[tokio::test(start_paused = true)]
async fn a_duplicate_is_not_answered_before_its_original_is_stored() {
    let (gate, _broker, topic, _) = gated().await;
    gate.hold();
    let mut original = Box::pin(topic.publish(fifo("a1")));
    assert!(original.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    let mut duplicate = Box::pin(topic.publish(fifo("a1")));
    for _ in 0..100 {
        assert!(duplicate.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    gate.open();
    let (original, duplicate) = (original.await.unwrap(), duplicate.await.unwrap());
    assert_eq!(duplicate, Published { duplicate: true, ..original });
}

/// IT3: whoever has been told that a message is published finds the subscriptions of that moment; calls that were dropped
/// hold for what follows.
#[tokio::test(start_paused = true)]
async fn what_was_dropped_holds_for_what_follows() {
    let (gate, broker, topic, [first, second]) = gated().await;
    let one = topic.subscriptions().await.unwrap()[0].id;
    dropped(&gate, topic.unsubscribe(one)).await;
    publish_all(&topic, numbered("a", 0..1)).await;
    dropped(&gate, topic.subscribe(&first).raw_delivery(true).into_future()).await;
    publish_all(&topic, numbered("a", 1..2)).await;
    let again = topic.subscribe(&first).await.unwrap().id;
    let change = SubscriptionSettings::new().filter_attributes(r#"{"none": ["x"]}"#);
    dropped(&gate, topic.set_subscription(again, &change)).await;
    publish_all(&topic, numbered("a", 2..3)).await;
    assert_eq!((bodies(&first).await, bodies(&second).await), (numbered("a", 1..2), numbered("a", 0..3)));
    dropped(&gate, broker.topic("news").into_future()).await;
    let news = broker.open_topic("news").await.unwrap();
    dropped(&gate, news.tag([("k", "v")])).await;
    assert_eq!(news.attributes().await.unwrap().tags["k"], "v");
    dropped(&gate, broker.delete_topic("news")).await;
    assert_eq!(broker.list_topics(), ["a.fifo"]);
}

/// N84: a replay whose start was dropped runs all the same.
#[tokio::test(start_paused = true)]
async fn a_replay_dropped_before_it_has_started_is_done() {
    let (gate, broker, topic, _) = gated().await;
    publish_all(&topic, numbered("a", 0..150)).await;
    let late = broker.queue("late.fifo").fifo().await.unwrap();
    let id = topic.subscribe(&late).raw_delivery(true).await.unwrap().id;
    dropped(&gate, topic.start_replay(id, all())).await;
    crate::replay::ended(&topic, id).await;
    assert_eq!(bodies(&late).await, numbered("a", 0..150));
}

/// IQ18: dropped while it waits for ids to be looked up, a publish holds up nobody; and it has happened or not, as the
/// next one is told.
#[tokio::test(start_paused = true)]
async fn a_publish_dropped_while_ids_are_looked_up_is_whole_or_absent() {
    let store = MemStorage::new();
    let slow = || Broker::builder(SlowStorage::new(Arc::new(store.clone())));
    let broker = slow().open().await.unwrap();
    broker.topic("a.fifo").fifo().await.unwrap();
    broker.close().await.unwrap();
    drop(broker);
    // Now every id might be known.
    let broker = slow().open().await.unwrap();
    let topic = broker.open_topic("a.fifo").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let mut publish = Box::pin(topic.publish(fifo("a1")));
    // On a fast store it may even be done.
    let _ = publish.as_mut().now_or_never();
    drop(publish);
    settle_down().await;
    let found = bodies(&queue).await;
    assert_eq!(topic.publish(fifo("a1")).await.unwrap().duplicate, !found.is_empty());
    assert_eq!([found, bodies(&queue).await].concat(), ["a1"]);
}

/// IT5: a subscriber is told nothing before it is stored: what may be lost with the process must not have been seen.
#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_before_it_is_stored() {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let broker = Broker::builder(store).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let log = crate::topic_support::Log::new();
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    settle_down().await;
    gate.hold();
    let publishing = tokio::spawn({
        let topic = topic.clone();
        async move { topic.publish("m").await.unwrap() }
    });
    others_run().await;
    assert!(log.attempts().is_empty() && !publishing.is_finished());
    gate.open();
    publishing.await.unwrap();
    log.until(1).await;
}
