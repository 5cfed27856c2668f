//! FIFO topics: groups, deduplication, order (N80 to N83, IT4).

use broker_core::{
    DeduplicationScope, Endpoint, Error, FifoThroughputScope, LocalQueue, LocalTopic, PublishMessage,
    Published, QueueSettings, TopicSettings,
};
use futures_util::future::join_all;

use crate::{
    support::{World, advance, assert_invalid, counts, ms, secs},
    topic_support::{bodies, counters, drain, fifo, numbered, publish_all, refused},
};

/// A FIFO topic and a FIFO queue that gets its messages raw.
async fn trades(world: &World) -> (broker_core::Broker, LocalTopic, LocalQueue) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    (broker, topic, queue)
}

async fn trades_again(
    world: &World,
    broker: broker_core::Broker,
) -> (broker_core::Broker, LocalTopic, LocalQueue) {
    let broker = world.open_again(broker).await;
    let (topic, queue) =
        (broker.open_topic("a.fifo").await.unwrap(), broker.open_queue("q.fifo").await.unwrap());
    (broker, topic, queue)
}

/// N80.
async fn a_message_needs_a_group_and_an_id_or_content_to_compute_it_from(world: World) {
    let (_broker, topic, queue) = trades(&world).await;
    let error = refused(topic.publish(PublishMessage::new("x").deduplication_id("id"))).await;
    assert!(matches!(error, Error::MissingParameter { field: "group_id" }));
    let error = refused(topic.publish(PublishMessage::new("x").group_id("g"))).await;
    assert_invalid(&error, "deduplication_id", "missing", "content-based deduplication");
    for bad in ["", "with space", "ü", &"x".repeat(129)] {
        let shown = if bad.len() > 100 { format!("{}…", &bad[..100]) } else { bad.to_owned() };
        let error =
            refused(topic.publish(PublishMessage::new("x").group_id(bad).deduplication_id("id"))).await;
        assert_invalid(&error, "group_id", &shown, "1 to 128");
        let error =
            refused(topic.publish(PublishMessage::new("x").group_id("g").deduplication_id(bad))).await;
        assert_invalid(&error, "deduplication_id", &shown, "1 to 128");
    }
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    let by_content = TopicSettings { content_based_deduplication: Some(true), ..TopicSettings::new() };
    topic.set_attributes(by_content).await.unwrap();
    topic.publish(PublishMessage::new("x").group_id("g")).await.unwrap();
    let longest = "~".repeat(128);
    topic.publish(PublishMessage::new("x").group_id(&longest).deduplication_id(&longest)).await.unwrap();
    assert_eq!(counts(&queue).await, [2, 0, 0]);
}

/// N81: the answer is that of the original, nothing is delivered, and what else it says does not matter.
async fn a_duplicate_gets_the_answer_of_the_original_and_is_delivered_to_nobody(world: World) {
    let (broker, topic, queue) = trades(&world).await;
    let standard = broker.queue("standard").await.unwrap();
    topic.subscribe(&standard).raw_delivery(true).await.unwrap();
    let first = topic.publish(fifo("a1")).await.unwrap();
    let other = PublishMessage::new("another body").group_id("other").deduplication_id("a1");
    assert_eq!(topic.publish(other).await.unwrap(), Published { duplicate: true, ..first });
    let late = broker.queue("late.fifo").fifo().await.unwrap();
    topic.subscribe(&late).await.unwrap();
    assert_eq!(topic.publish(fifo("a1")).await.unwrap(), Published { duplicate: true, ..first });
    assert_eq!(counts(&late).await, [0, 0, 0], "also not to who came later");
    assert_eq!(
        (bodies(&queue).await, bodies(&standard).await),
        (vec!["a1".to_owned()], vec!["a1".to_owned()])
    );
    assert_eq!(
        topic.publish(fifo("a1")).await.unwrap(),
        Published { duplicate: true, ..first },
        "deleted or not"
    );
}

/// N81: to the millisecond, across restarts, and not prolonged by duplicates.
async fn an_id_is_remembered_for_five_minutes_whatever_happens(world: World) {
    let (broker, topic, _queue) = trades(&world).await;
    let first = topic.publish(fifo("a1")).await.unwrap();
    let again = Published { duplicate: true, ..first };
    advance(secs(200)).await;
    let (broker, topic, _queue) = trades_again(&world, broker).await;
    assert_eq!(topic.publish(fifo("a1")).await.unwrap(), again);
    advance(ms(99_999)).await;
    let (broker, topic, queue) = trades_again(&world, broker).await;
    assert_eq!(topic.publish(fifo("a1")).await.unwrap(), again);
    advance(ms(1)).await;
    let (_broker, topic, _queue) = trades_again(&world, broker).await;
    let second = topic.publish(fifo("a1")).await.unwrap();
    assert!(!second.duplicate && second.sequence_number > first.sequence_number && second.id != first.id);
    drop(queue);
}

/// N81: by content, the id is the SHA-256 of the body; attributes and subject are no part of it.
async fn content_is_the_body_and_nothing_else(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().dedup_by_content().await.unwrap();
    let x = || PublishMessage::new("x").group_id("g");
    let first = topic.publish(x()).await.unwrap();
    let more = x().subject("s").attribute("a", broker_core::AttributeValue::number(1));
    assert_eq!(topic.publish(more).await.unwrap().id, first.id);
    let explicit = topic.publish(x().deduplication_id("explicit")).await.unwrap();
    assert!(!explicit.duplicate, "an id that is given counts");
    let sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(topic.publish(fifo("other").deduplication_id(sha256)).await.unwrap().id, first.id);
    assert!(!topic.publish(PublishMessage::new("y").group_id("g")).await.unwrap().duplicate);
}

/// N81, N83: the scope is the topic, or the group.
async fn an_id_counts_in_the_topic_or_in_its_group_as_the_topic_says(world: World) {
    for (scope, duplicate) in [(FifoThroughputScope::Topic, true), (FifoThroughputScope::MessageGroup, false)]
    {
        let broker = world.broker().await;
        let topic = broker.topic("a.fifo").fifo().fifo_throughput_scope(scope).await.unwrap();
        let by_group = QueueSettings::new().fifo(true).deduplication_scope(DeduplicationScope::MessageGroup);
        let queue = broker.queue("q.fifo").settings(by_group).await.unwrap();
        topic.subscribe(&queue).raw_delivery(true).await.unwrap();
        let of =
            |group: &str| PublishMessage::new(format!("of {group}")).group_id(group).deduplication_id("id");
        let first = topic.publish(of("a")).await.unwrap();
        let batch = topic.publish_batch([of("b"), of("a"), of("b")].into_iter().collect()).await.unwrap();
        let [b, a, b_again]: [Published; 3] = batch.all().unwrap().try_into().unwrap();
        assert_eq!((b.duplicate, a.duplicate, b_again.duplicate), (duplicate, true, true));
        assert_eq!((a.id, b_again.id), (first.id, b.id));
        let expected: &[&str] = if duplicate { &["of a"] } else { &["of a", "of b"] };
        assert_eq!(bodies(&queue).await, expected);
        broker.delete_topic("a.fifo").await.unwrap();
        broker.delete_queue("q.fifo").await.unwrap();
        broker.close().await.unwrap();
    }
}

/// N81: of many who publish the same at once, one has; also right after a restart, when all ids must be looked up.
async fn of_many_equal_publishes_at_once_one_is_delivered(world: World) {
    let (mut broker, mut topic, mut queue) = trades(&world).await;
    for (body, there) in [("a1", 1), ("a2", 2), ("a3", 3)] {
        let publishing = (0..20).map(|_| topic.publish(fifo(body)));
        let published: Vec<Published> = join_all(publishing).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(published.iter().filter(|one| !one.duplicate).count(), 1);
        assert!(published.iter().all(|one| one.id == published[0].id));
        assert_eq!(counts(&queue).await, [there, 0, 0]);
        (broker, topic, queue) = trades_again(&world, broker).await;
    }
    let batch = ["a4", "a1", "b1", "a4", "a3"].map(fifo).into_iter().collect();
    let published = topic.publish_batch(batch).await.unwrap().all().unwrap();
    let duplicates: Vec<_> = published.iter().map(|one| one.duplicate).collect();
    assert_eq!(duplicates, [false, true, false, true, true]);
    assert_eq!(bodies(&queue).await, ["a1", "a2", "a3", "a4", "b1"]);
    drop(broker);
}

/// IT4, N82: two queues, many publishers, some in batches.
async fn order_of_a_group_is_the_same_in_every_fifo_queue(world: World) {
    let (broker, topic, first) = trades(&world).await;
    let second = broker.queue("r.fifo").fifo().await.unwrap();
    topic.subscribe(&second).raw_delivery(true).await.unwrap();
    let publish = async |group: &str, of: usize| {
        let mut published = Vec::new();
        for n in 0..12 {
            let body = |part: usize| format!("{group}{}", 1_000 * of + 10 * n + part);
            if n % 3 == 0 {
                let batch = (0..3).map(|part| fifo(body(part))).collect();
                let answers = topic.publish_batch(batch).await.unwrap().all().unwrap();
                published.extend((0..3).map(body).zip(answers));
            } else {
                published.push((body(0), topic.publish(fifo(body(0))).await.unwrap()));
            }
        }
        published
    };
    let publishing = [("a", 1), ("a", 2), ("b", 3), ("a", 5), ("c", 7), ("b", 9)];
    let published = join_all(publishing.map(|(group, of)| publish(group, of))).await;
    assert!(published.iter().all(|one| one.is_sorted_by_key(|(_, answer)| answer.sequence_number)));
    let mut all: Vec<_> = published.into_iter().flatten().collect();
    all.sort_by_key(|(_, answer)| answer.sequence_number);
    let (first, second) = (bodies(&first).await, bodies(&second).await);
    for group in ["a", "b", "c"] {
        let of_group = |bodies: &[String]| -> Vec<String> {
            bodies.iter().filter(|body| body.starts_with(group)).cloned().collect()
        };
        let expected: Vec<_> =
            all.iter().map(|(body, _)| body.clone()).filter(|b| b.starts_with(group)).collect();
        assert_eq!(of_group(&first), expected);
        assert_eq!(of_group(&second), expected);
    }
    assert_eq!((first.len(), second.len()), (all.len(), all.len()));
}

/// IT4, N82: what is in flight blocks its group in its own queue only.
async fn a_blocked_group_blocks_neither_the_topic_nor_other_queues(world: World) {
    let (broker, topic, slow) = trades(&world).await;
    let quick = broker.queue("r.fifo").fifo().await.unwrap();
    topic.subscribe(&quick).raw_delivery(true).await.unwrap();
    publish_all(&topic, numbered("a", 0..1)).await;
    let in_flight = crate::support::take(&slow).await;
    publish_all(&topic, numbered("a", 1..5)).await;
    assert_eq!(bodies(&quick).await, numbered("a", 0..5));
    assert!(bodies(&slow).await.is_empty());
    slow.delete(in_flight.receipt).await.unwrap();
    assert_eq!(bodies(&slow).await, numbered("a", 1..5));
}

/// N82: what an unreachable subscriber misses is gone for it, and it goes on with what comes then.
async fn an_unreachable_subscriber_misses_what_is_published_meanwhile(world: World) {
    let (broker, topic, queue) = trades(&world).await;
    let id = topic.subscribe(Endpoint::queue("r.fifo")).raw_delivery(true).await.unwrap().id;
    publish_all(&topic, numbered("a", 0..3)).await;
    let late = broker.queue("r.fifo").fifo().await.unwrap();
    publish_all(&topic, numbered("a", 3..6)).await;
    assert_eq!((bodies(&queue).await, bodies(&late).await), (numbered("a", 0..6), numbered("a", 3..6)));
    let seen = counters(&topic, id).await;
    assert_eq!((seen.dropped, seen.delivered), (3, 3));
}

/// N83: there is no throttle; sequence numbers are those of the topic, whatever its scope.
async fn sequence_numbers_grow_over_all_groups(world: World) {
    let (broker, topic, queue) = trades(&world).await;
    let mut numbers = Vec::new();
    for body in ["a1", "b1", "a2", "c1"] {
        numbers.push(topic.publish(fifo(body)).await.unwrap().sequence_number.unwrap());
    }
    let (_broker, topic, _queue) = trades_again(&world, broker).await;
    numbers.push(topic.publish(fifo("a3")).await.unwrap().sequence_number.unwrap());
    assert!(numbers.is_sorted_by(|one, next| one < next));
    drop(queue);
}

/// N82: to a standard queue order is best effort; as long as nothing comes back it is that of publishing.
async fn a_standard_queue_has_each_message_once(world: World) {
    let (broker, topic, _) = trades(&world).await;
    let standard = broker.queue("standard").await.unwrap();
    topic.subscribe(&standard).raw_delivery(true).await.unwrap();
    publish_all(&topic, ["a1", "b1", "a1", "a2", "b1"].map(str::to_owned)).await;
    let found = drain(&standard).await;
    assert_eq!(found.iter().map(|message| message.text().unwrap()).collect::<Vec<_>>(), ["a1", "b1", "a2"]);
}

everywhere! {
    a_message_needs_a_group_and_an_id_or_content_to_compute_it_from,
    a_duplicate_gets_the_answer_of_the_original_and_is_delivered_to_nobody,
    an_id_is_remembered_for_five_minutes_whatever_happens,
    content_is_the_body_and_nothing_else,
    an_id_counts_in_the_topic_or_in_its_group_as_the_topic_says,
    of_many_equal_publishes_at_once_one_is_delivered,
    order_of_a_group_is_the_same_in_every_fifo_queue,
    a_blocked_group_blocks_neither_the_topic_nor_other_queues,
    an_unreachable_subscriber_misses_what_is_published_meanwhile,
    sequence_numbers_grow_over_all_groups,
    a_standard_queue_has_each_message_once,
}
