//! Publishing to the same queues from many tasks, some of whose calls are dropped, while subscriptions and queues come and
//! go: every queue has the same messages in the same order, and nobody waits for anybody for ever. IT1, IT3, IT4.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use broker_core::{Broker, Endpoint, LocalQueue, LocalTopic, MoveTask, PublishMessage, SubscriptionSettings};
use futures_util::future::join_all;

use crate::{
    ground::{Dice, Ground, cut, short_poll},
    on_every_ground,
};

const QUEUES: usize = 3;
const PUBLISHERS: usize = 4;
const CHURNED: &str = "churned.fifo";

/// Publishes messages of two groups of its own. Every third call is dropped after some polls: it has happened or not.
async fn publish(topic: LocalTopic, task: usize, count: usize) {
    let mut dice = Dice::new(task);
    for number in 0..count {
        let turns = if dice.one_in(3) { dice.below(6) } else { usize::MAX };
        let message = PublishMessage::new(format!("{task}-{number}"))
            .group_id(format!("{task}-{}", number % 2))
            .deduplication_id(format!("{task}-{number}"));
        if let Some(published) = cut(turns, topic.publish(message)).await {
            assert!(!published.unwrap().duplicate);
        }
    }
}

/// A subscription that comes and goes, and its queue too.
async fn churn(broker: Broker, topic: LocalTopic, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        let subscribed = topic.subscribe(Endpoint::queue(CHURNED)).await.unwrap();
        broker.queue(CHURNED).fifo().await.unwrap();
        let filter = SubscriptionSettings::new().filter_attributes(r#"{"a": [{"exists": false}]}"#);
        topic.set_subscription(subscribed.id, &filter).await.unwrap();
        tokio::task::yield_now().await;
        broker.delete_queue(CHURNED).await.unwrap();
        topic.unsubscribe(subscribed.id).await.unwrap();
    }
}

/// Calls that take the locks of several things at once, in whatever order they name them.
async fn meddle(broker: Broker, topic: LocalTopic, stop: Arc<AtomicBool>) {
    broker.queue("source.fifo").fifo().dead_letter("0.fifo", 1_000).await.unwrap();
    while !stop.load(Ordering::SeqCst) {
        broker.topic("other").await.unwrap().subscribe(Endpoint::handler("nobody")).await.unwrap();
        topic.subscriptions().await.unwrap();
        topic.tag([("a", "b")]).await.unwrap();
        broker.plan_move(&MoveTask::from("0.fifo").to("1.fifo")).await.unwrap();
        broker.delete_topic("other").await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// All messages of a queue, each group in its order.
async fn contents(queue: &LocalQueue) -> Vec<(String, String)> {
    let mut all = Vec::new();
    loop {
        let some = queue.receive(short_poll()).await.unwrap();
        if some.is_empty() {
            all.sort_by_key(|(group, _): &(String, String)| group.clone());
            return all;
        }
        for message in some {
            queue.delete(message.receipt).await.unwrap();
            all.push((message.group_id.clone().unwrap(), message.text().unwrap().to_owned()));
        }
    }
}

async fn every_queue_has_the_same_in_the_same_order(ground: Ground) {
    let (broker, _) = ground.open().await;
    let topic = broker.topic("shared.fifo").fifo().await.unwrap();
    let mut queues = Vec::new();
    for n in 0..QUEUES {
        let queue = broker.queue(format!("{n}.fifo")).fifo().await.unwrap();
        topic.subscribe(&queue).raw_delivery(true).await.unwrap();
        queues.push(queue);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let others = [
        tokio::spawn(churn(broker.clone(), topic.clone(), stop.clone())),
        tokio::spawn(meddle(broker.clone(), topic.clone(), stop.clone())),
    ];
    let count = ground.scaled(200);
    let publishers = (0..PUBLISHERS).map(|task| tokio::spawn(publish(topic.clone(), task, count)));
    for publisher in join_all(publishers).await {
        publisher.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for other in join_all(others).await {
        other.unwrap();
    }
    let first = contents(&queues[0]).await;
    assert!(first.len() >= PUBLISHERS * count / 2, "most calls were not dropped");
    for queue in &queues[1..] {
        assert_eq!(contents(queue).await, first, "in {}", queue.name());
    }
    for group in first.chunk_by(|a, b| a.0 == b.0) {
        let numbers =
            group.iter().map(|(_, body)| body.rsplit('-').next().unwrap().parse::<usize>().unwrap());
        assert!(numbers.is_sorted(), "in the order of publishing");
    }
    broker.close().await.unwrap();
}

on_every_ground! { every_queue_has_the_same_in_the_same_order }
