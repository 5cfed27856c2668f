//! Replays: what the archive of a FIFO topic gives again, from when, to whom, and what comes behind it (N84).

use broker_core::{
    AttributeValue, Broker, Endpoint, LocalQueue, LocalTopic, Replay, ReplayInfo, ReplayStatus,
    SubscriptionId, Timestamp,
};

use crate::{
    support::{World, advance, counts, secs, settle_down},
    topic_support::{bodies, counters, drain, envelope, fifo, numbered, publish_all},
};

/// A FIFO topic that keeps its messages for two days, without subscriptions.
pub(crate) async fn archive(world: &World) -> (Broker, LocalTopic) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().archive_days(2).await.unwrap();
    (broker, topic)
}

/// A FIFO queue that gets the topic's messages raw.
pub(crate) async fn subscriber(
    broker: &Broker,
    topic: &LocalTopic,
    name: &str,
) -> (LocalQueue, SubscriptionId) {
    let queue = broker.queue(name).fifo().await.unwrap();
    let id = topic.subscribe(&queue).raw_delivery(true).await.unwrap().id;
    (queue, id)
}

/// Everything that there is.
pub(crate) fn all() -> Replay {
    Replay::from(Timestamp::from_millis(0))
}

/// The last replay of a subscription, once it has ended.
pub(crate) async fn ended(topic: &LocalTopic, id: SubscriptionId) -> ReplayInfo {
    for _ in 0..100_000 {
        let info = topic.subscription(id).await.unwrap().replay.expect("one was started");
        if !matches!(info.status, ReplayStatus::Pending | ReplayStatus::InProgress) {
            return info;
        }
        settle_down().await;
    }
    panic!("the replay does not end");
}

/// N84, IT4: more than goes in one commit, with publishers at work all the while.
async fn a_replay_gives_everything_again_in_order_and_then_goes_on(world: World) {
    let (broker, topic) = archive(&world).await;
    let (live, _) = subscriber(&broker, &topic, "live.fifo").await;
    publish_all(&topic, numbered("a", 0..250)).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    let publisher = tokio::spawn({
        let topic = topic.clone();
        async move {
            for body in numbered("a", 250..400) {
                topic.publish(fifo(body)).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    publisher.await.unwrap();
    let info = ended(&topic, id).await;
    publish_all(&topic, numbered("a", 400..410)).await;
    assert_eq!(bodies(&queue).await, numbered("a", 0..410));
    assert_eq!(bodies(&live).await, numbered("a", 0..410), "and nobody else has noticed");
    assert_eq!((info.status, info.replay), (ReplayStatus::Completed, all()));
    assert!((250..=400).contains(&info.replayed), "{}", info.replayed);
    assert_eq!(counters(&topic, id).await.delivered, 410);
}

/// N84.
async fn a_replayed_message_is_the_original_and_says_that_it_is_replayed(world: World) {
    let (broker, topic) = archive(&world).await;
    let live = broker.queue("live.fifo").fifo().await.unwrap();
    topic.subscribe(&live).await.unwrap();
    let message = fifo("a1").subject("s").attribute("n", AttributeValue::number(5));
    let message = message.attribute("b", AttributeValue::binary(vec![0, 255])).body_for("sqs", "for queues");
    let published = topic.publish(message).await.unwrap();
    advance(secs(3_600)).await;
    let (raw, raw_id) = subscriber(&broker, &topic, "raw.fifo").await;
    let standard = broker.queue("standard").await.unwrap();
    let standard_id = topic.subscribe(&standard).await.unwrap().id;
    for id in [raw_id, standard_id] {
        topic.start_replay(id, all()).await.unwrap();
        assert_eq!(ended(&topic, id).await.replayed, 1);
    }
    let original = &drain(&live).await[0];
    let mut expected = envelope(original);
    assert_eq!(expected["MessageId"], published.id.to_string());
    assert!(expected.get("Replayed").is_none());
    expected["Replayed"] = true.into();
    assert_eq!(envelope(&drain(&standard).await[0]), expected, "id and time of the original");
    let raw = &drain(&raw).await[0];
    assert_eq!((raw.text(), raw.attributes.len()), (Ok("for queues"), 2));
    assert_eq!((raw.group_id.as_deref(), raw.deduplication_id.as_deref()), (Some("a"), Some("a1")));
}

/// N84: from the first millisecond included, to the last one not.
async fn a_replay_is_from_a_time_and_to_a_time(world: World) {
    let (broker, topic) = archive(&world).await;
    let begin = world.now();
    for body in numbered("a", 0..10) {
        topic.publish(fifo(body)).await.unwrap();
        advance(secs(10)).await;
    }
    let at = |n: i64, millis: i64| {
        Timestamp::from_millis(begin.as_millis().checked_add_signed(10_000 * n + millis).unwrap())
    };
    let cases = [
        (Replay::from(at(3, 0)), 3..10),
        (Replay::from(at(3, 1)), 4..10),
        (Replay::from(at(3, -1)), 3..10),
        (Replay::from(at(3, 0)).until(at(5, 0)), 3..5),
        (Replay::from(at(3, 0)).until(at(5, 1)), 3..6),
        (Replay::from(at(3, 1)).until(at(4, 0)), 4..4),
        (Replay::from(at(0, -1_000)).until(at(0, 1)), 0..1),
        (Replay::from(world.now()), 10..10),
    ];
    for (number, (replay, expected)) in cases.into_iter().enumerate() {
        let (queue, id) = subscriber(&broker, &topic, &format!("q{number}.fifo")).await;
        topic.start_replay(id, replay).await.unwrap();
        let info = ended(&topic, id).await;
        assert_eq!((info.status, info.replay), (ReplayStatus::Completed, replay));
        assert_eq!(info.replayed, expected.len() as u64, "{replay:?}");
        assert_eq!(bodies(&queue).await, numbered("a", expected), "{replay:?}");
    }
}

/// N84: with an end, nothing follows until it is given up.
async fn after_a_replay_with_an_end_nothing_is_delivered_until_it_is_given_up(world: World) {
    let (broker, topic) = archive(&world).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    publish_all(&topic, numbered("a", 0..3)).await;
    assert_eq!(bodies(&queue).await, numbered("a", 0..3));
    advance(secs(1)).await;
    topic.start_replay(id, all().until(world.now())).await.unwrap();
    ended(&topic, id).await;
    publish_all(&topic, numbered("a", 3..6)).await;
    let broker = world.open_again(broker).await;
    let (topic, queue) =
        (broker.open_topic("a.fifo").await.unwrap(), broker.open_queue("q.fifo").await.unwrap());
    publish_all(&topic, numbered("a", 6..9)).await;
    assert_eq!(bodies(&queue).await, numbered("a", 0..3));
    topic.stop_replay(id).await.unwrap();
    assert_eq!(topic.subscription(id).await.unwrap().replay, None);
    publish_all(&topic, numbered("a", 9..12)).await;
    assert_eq!(bodies(&queue).await, numbered("a", 9..12), "what came in between is in the archive");
}

/// N84: what has been delivered of it stays; what was to come does not.
async fn a_new_replay_takes_the_place_of_the_one_before(world: World) {
    let (broker, topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..300)).await;
    advance(secs(1)).await;
    let middle = world.now();
    publish_all(&topic, numbered("a", 300..310)).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    topic.start_replay(id, Replay::from(middle)).await.unwrap();
    let info = ended(&topic, id).await;
    assert_eq!((info.replay.from, info.replayed), (middle, 10));
    publish_all(&topic, numbered("a", 310..312)).await;
    let found = bodies(&queue).await;
    let (first, second) = found.split_at(found.len() - 12);
    assert_eq!(second, numbered("a", 300..312));
    assert_eq!(first, numbered("a", 0..first.len()), "a part of the first one, perhaps");
    assert!(first.len() < 310, "but not all of it");
    topic.start_replay(id, Replay::from(middle)).await.unwrap();
    ended(&topic, id).await;
    assert_eq!(bodies(&queue).await, numbered("a", 300..312), "and so does one that follows a finished one");
}

/// N84, IT1: it goes on where it was, and gives everything once.
async fn a_replay_goes_on_after_a_restart(world: World) {
    let (mut broker, mut topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..450)).await;
    let (_, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    for n in 450..456 {
        broker = world.open_again(broker).await;
        topic = broker.open_topic("a.fifo").await.unwrap();
        publish_all(&topic, numbered("a", n..n + 1)).await;
        // Not always time enough for a page.
        for _ in 450..n {
            tokio::task::yield_now().await;
        }
    }
    let info = ended(&topic, id).await;
    assert_eq!(info.status, ReplayStatus::Completed);
    let broker = world.open_again(broker).await;
    let topic = broker.open_topic("a.fifo").await.unwrap();
    assert_eq!(topic.subscription(id).await.unwrap().replay, Some(info));
    publish_all(&topic, numbered("a", 456..460)).await;
    assert_eq!(bodies(&broker.open_queue("q.fifo").await.unwrap()).await, numbered("a", 0..460));
}

/// N84: the policy as it is now, not as it was when the message was published.
async fn the_filter_policy_holds_for_replays(world: World) {
    let (broker, topic) = archive(&world).await;
    for n in 0..20 {
        topic.publish(fifo(format!("a{n}")).attribute("n", AttributeValue::number(n))).await.unwrap();
    }
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let subscribing = topic.subscribe(&queue).raw_delivery(true);
    let id = subscribing.filter_attributes(r#"{"n": [{"numeric": [">=", 15]}]}"#).await.unwrap().id;
    topic.start_replay(id, all()).await.unwrap();
    let info = ended(&topic, id).await;
    assert_eq!(info.replayed, 20, "those included that were left out");
    assert_eq!(bodies(&queue).await, numbered("a", 15..20));
    let change = broker_core::SubscriptionSettings::new().filter_attributes(r#"{"n": [3, 4]}"#);
    topic.set_subscription(id, &change).await.unwrap();
    topic.start_replay(id, all()).await.unwrap();
    ended(&topic, id).await;
    assert_eq!(bodies(&queue).await, ["a3", "a4"]);
}

/// N54, N84: without its queue a replay gives to the dead-letter queue, or to nobody, and ends.
async fn a_replay_to_a_queue_that_does_not_exist_goes_to_the_dead_letter_queue(world: World) {
    let (broker, topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..130)).await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let with = topic.subscribe(Endpoint::queue("gone.fifo")).raw_delivery(true).dead_letter("dead.fifo");
    let with = with.await.unwrap().id;
    let without = topic.subscribe(Endpoint::queue("gone-too.fifo")).await.unwrap().id;
    for id in [with, without] {
        topic.start_replay(id, all()).await.unwrap();
        let info = ended(&topic, id).await;
        assert_eq!((info.status, info.replayed), (ReplayStatus::Completed, 130));
    }
    assert_eq!(bodies(&dead).await, numbered("a", 0..130));
    assert_eq!(counters(&topic, with).await.dead_lettered, 130);
    assert_eq!(counters(&topic, without).await.dropped, 130);
}

/// N84: a queue that goes away in the midst of it.
async fn a_replay_ends_although_its_queue_is_deleted_or_recreated_meanwhile(world: World) {
    let (broker, topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..350)).await;
    let (_, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    tokio::task::yield_now().await;
    broker.delete_queue("q.fifo").await.unwrap();
    tokio::task::yield_now().await;
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    assert_eq!(ended(&topic, id).await.replayed, 350);
    publish_all(&topic, numbered("a", 350..352)).await;
    let found = bodies(&queue).await;
    assert_eq!(found, numbered("a", 352 - found.len()..352), "the end of it");
    let seen = counters(&topic, id).await;
    assert_eq!(seen.delivered + seen.dropped, 352);
}

/// N84: delivered again, although the queue remembers the ids; but published again they are duplicates still.
async fn a_replay_passes_the_deduplication_of_its_queue(world: World) {
    let (broker, topic) = archive(&world).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    publish_all(&topic, ["a0", "a1", "a0", "a1"].map(str::to_owned)).await;
    assert_eq!(bodies(&queue).await, ["a0", "a1"]);
    topic.start_replay(id, all()).await.unwrap();
    assert_eq!(ended(&topic, id).await.replayed, 2, "a duplicate is not archived");
    assert_eq!(bodies(&queue).await, ["a0", "a1"]);
    assert!(topic.publish(fifo("a0")).await.unwrap().duplicate);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// N84, IT3: who unsubscribes in the midst of it gets no more.
async fn a_replay_ends_with_its_subscription(world: World) {
    let (broker, topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..350)).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    topic.unsubscribe(id).await.unwrap();
    let found = bodies(&queue).await;
    assert!(found.len() < 350);
    assert_eq!(found, numbered("a", 0..found.len()));
    settle_down().await;
    settle_down().await;
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

everywhere! {
    a_replay_gives_everything_again_in_order_and_then_goes_on,
    a_replayed_message_is_the_original_and_says_that_it_is_replayed,
    a_replay_is_from_a_time_and_to_a_time,
    after_a_replay_with_an_end_nothing_is_delivered_until_it_is_given_up,
    a_new_replay_takes_the_place_of_the_one_before,
    a_replay_goes_on_after_a_restart,
    the_filter_policy_holds_for_replays,
    a_replay_to_a_queue_that_does_not_exist_goes_to_the_dead_letter_queue,
    a_replay_ends_although_its_queue_is_deleted_or_recreated_meanwhile,
    a_replay_passes_the_deduplication_of_its_queue,
    a_replay_ends_with_its_subscription,
}
