//! What is planned before the locks are taken, and changes until they are: who subscribes to a topic, which queues there are, where a
//! queue's dead letters go, where it keeps its messages.
//!
//! A queue says what came first: a message that was sent to it after the change, and is before what was planned, shows that the plan was
//! carried out after the change.

use std::time::Duration;

use broker_core::{
    DeadLettered, Error, LocalQueue, LocalTopic, Reason, SubscriptionId, SubscriptionSettings,
};
use broker_shuttle::{Store, all, random};
use shuttle::future::{JoinHandle, spawn};

use crate::world::{World, check, contents, receive_one};

/// What becomes of the second subscription.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Subscribed,
    Unsubscribed,
    Filtered,
    QueueDeleted,
}

struct Scene {
    world: World,
    topic: LocalTopic,
    first: LocalQueue,
    second: LocalQueue,
    subscription: Option<SubscriptionId>,
}

impl Scene {
    async fn new(store: Store, subscribed: bool) -> Self {
        let world = World::open(store).await;
        let topic = world.broker.topic("t").await.expect("a topic can be made");
        let first = world.queue().await;
        let second = world.broker.queue("second").await.expect("a queue can be made");
        topic.subscribe(&first).raw_delivery(true).await.expect("the queue is there");
        let mut scene = Self { world, topic, first, second, subscription: None };
        if subscribed {
            scene.subscribe().await;
        }
        scene
    }

    async fn subscribe(&mut self) {
        let subscribed = self.topic.subscribe(&self.second).raw_delivery(true).await;
        self.subscription = Some(subscribed.expect("the queue is there").id);
    }

    /// Publishes, alone or in a transaction.
    fn publish(&self, in_transaction: bool) -> JoinHandle<Result<(), Error>> {
        let (broker, topic) = (self.world.broker.clone(), self.topic.clone());
        spawn(async move {
            if !in_transaction {
                return topic.publish("published").await.map(drop);
            }
            let mut tx = broker.transaction();
            tx.publish(&topic, "published")?;
            tx.commit().await.map(drop)
        })
    }
}

async fn a_plan(store: Store, change: Change, in_transaction: bool) {
    let mut scene = Scene::new(store, change != Change::Subscribed).await;
    let publish = scene.publish(in_transaction);
    match (change, scene.subscription) {
        (Change::Unsubscribed, Some(id)) => scene.topic.unsubscribe(id).await.expect("it is there"),
        (Change::Filtered, Some(id)) => {
            let nothing = r#"{"color": ["red"]}"#.to_owned();
            let filter = SubscriptionSettings { filter_policy: Some(nothing), ..SubscriptionSettings::new() };
            scene.topic.set_subscription(id, &filter).await.expect("it is there");
        }
        (Change::QueueDeleted, _) => scene.world.broker.delete_queue("second").await.expect("it is there"),
        _ => scene.subscribe().await,
    }
    scene.first.send("changed").await.expect("nothing fails here");
    publish.await.expect("nobody drops it").expect("a change of subscriptions is no error");
    let first = contents(&scene.first).await;
    let before = first == ["published", "changed"];
    assert!(before || first == ["changed", "published"], "{first:?}");
    if change != Change::QueueDeleted {
        let got = !contents(&scene.second).await.is_empty();
        // Between the change and its mark it may be either.
        let wanted = change == Change::Subscribed;
        assert!(before || got == wanted, "{change:?}, and then published: got {got}");
    }
    check(&scene.world.store);
}

/// What comes between a dead letter and its move.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    Purge,
    TargetDeleted,
    Acknowledged,
    TimeIsUp,
}

async fn a_dead_letter(store: Store, before: Before, in_transaction: bool) {
    let world = World::open(store).await;
    let dead = world.broker.queue("dead").await.expect("a queue can be made");
    let queue = world.broker.queue("q").dead_letter("dead", 10).await.expect("a queue can be made");
    queue.send("one").await.expect("nothing fails here");
    let held = receive_one(queue.clone()).await.expect("nothing fails here").remove(0);
    let give_up = spawn({
        let (broker, queue) = (world.broker.clone(), queue.clone());
        async move {
            if !in_transaction {
                let moved = queue.dead_letter(held.receipt, "no reason").await?;
                return Ok(matches!(moved, DeadLettered::Moved { .. }));
            }
            let mut tx = broker.transaction();
            tx.dead_letter(&queue, held.receipt, "no reason")?;
            tx.commit().await.map(|_| true)
        }
    });
    let mut received = Vec::new();
    match before {
        Before::Purge => queue.purge().await.expect("nothing fails here"),
        Before::TargetDeleted => world.broker.delete_queue("dead").await.expect("it is there"),
        Before::Acknowledged => _ = queue.delete(held.receipt).await.expect("nothing fails here"),
        Before::TimeIsUp => {
            world.clock.advance(Duration::from_secs(30));
            received = contents(&queue).await;
        }
    }
    queue.send("two").await.expect("nothing fails here");
    let moved = match give_up.await.expect("nobody drops it") {
        Ok(moved) => moved,
        Err(Error::TransactionRejected(why)) => {
            let expected = match &why.reason {
                Reason::MessageGone | Reason::ReceiptStale => before != Before::TargetDeleted,
                Reason::Failed(Error::NoDeadLetterQueue { .. }) => before == Before::TargetDeleted,
                _ => false,
            };
            assert!(expected, "{before:?}: {why}");
            false
        }
        Err(Error::NoDeadLetterQueue { .. }) if before == Before::TargetDeleted => false,
        Err(error) => panic!("{before:?}: {error}"),
    };
    if before != Before::TargetDeleted {
        assert_eq!(contents(&dead).await, if moved { vec!["one"] } else { Vec::new() });
    }
    received.extend(contents(&queue).await);
    let there = received.iter().filter(|text| *text == "one").count();
    match before {
        Before::Purge | Before::Acknowledged => assert_eq!(there, 0),
        Before::TargetDeleted => {}
        Before::TimeIsUp => assert!(moved || there == 1, "{received:?}"),
    }
    assert!(received.contains(&"two".to_owned()));
    check(&world.store);
}

#[test]
fn a_publish_goes_to_those_who_are_subscribed_then() {
    for change in [Change::Subscribed, Change::Unsubscribed, Change::Filtered, Change::QueueDeleted] {
        for alone in [true, false] {
            let name = format!("plans, {change:?}, {}", if alone { "alone" } else { "in a transaction" });
            all(&name, 1, move || a_plan(Store::inline(), change, !alone));
            random(&(name + ", grouped"), 500, move || a_plan(Store::grouped(), change, !alone));
        }
    }
}

#[test]
fn a_dead_letter_goes_where_it_belongs_or_nowhere() {
    for before in [Before::Purge, Before::TargetDeleted, Before::Acknowledged, Before::TimeIsUp] {
        for alone in [true, false] {
            let name = format!(
                "plans, dead letter, {before:?}, {}",
                if alone { "alone" } else { "in a transaction" }
            );
            all(&name, 1, move || a_dead_letter(Store::inline(), before, !alone));
            random(&(name + ", grouped"), 500, move || a_dead_letter(Store::grouped(), before, !alone));
        }
    }
}
