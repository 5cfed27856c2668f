//! Publishing several messages in one call (N25).

use broker_core::{
    AttributeValue, Entries, EntryId, Error, LocalTopic, Outcomes, PublishMessage, Published, Result,
};

use crate::{
    support::{World, assert_invalid, counts},
    topic_support::{bodies, fifo, refused},
};

/// N25: `ids` each with a message of its own.
fn named(ids: &[&str]) -> Entries<PublishMessage> {
    let mut entries = Entries::new();
    for id in ids {
        entries.push_named(*id, format!("body of {id}").into());
    }
    entries
}

/// The error of a batch that must be refused as a whole.
async fn refused_whole(topic: &LocalTopic, entries: Entries<PublishMessage>) -> Error {
    refused(async { topic.publish_batch(entries).await.map(|_| ()) }).await
}

/// A topic and its one queue, which gets messages raw.
async fn with_queue(world: &World) -> (broker_core::Broker, LocalTopic, broker_core::LocalQueue) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    (broker, topic, queue)
}

/// N25.
async fn a_batch_has_1_to_10_entries(world: World) {
    let (_broker, topic, queue) = with_queue(&world).await;
    let many = |count: usize| (0..count).map(|n| PublishMessage::new(n.to_string())).collect::<Entries<_>>();
    assert!(matches!(refused_whole(&topic, many(0)).await, Error::EmptyBatch));
    let error = refused_whole(&topic, many(11)).await;
    assert!(matches!(error, Error::TooManyEntriesInBatch { count: 11, max: 10 }));
    let published = topic.publish_batch(many(10)).await.unwrap().all().unwrap();
    assert_eq!(published.len(), 10);
    let expected: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&queue).await, expected, "in the order of the entries");
}

/// N25.
async fn entry_ids_are_1_to_80_letters_digits_hyphens_and_underscores_and_distinct(world: World) {
    let (_broker, topic, queue) = with_queue(&world).await;
    let longest = "x".repeat(80);
    let published = topic.publish_batch(named(&["a", "A-b_9", &longest])).await.unwrap();
    let ids: Vec<_> = published.successful().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, ["a", "A-b_9", &longest]);
    for bad in ["", "a b", "a.b", "ü", &"x".repeat(81)] {
        let error = refused_whole(&topic, named(&["good", bad])).await;
        assert!(matches!(&error, Error::InvalidBatchEntryId { id } if id == bad), "{error:?}");
    }
    let error = refused_whole(&topic, named(&["a", "b", "a"])).await;
    assert!(matches!(error, Error::BatchEntryIdsNotDistinct { id } if id == "a"));
    assert_eq!(counts(&queue).await, [3, 0, 0]);
}

/// N25: together they may be as large as one message.
async fn the_entries_of_a_batch_are_together_as_large_as_one_message_may_be(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news").max_message_size(2_000).await.unwrap();
    let of =
        |sizes: [usize; 3]| sizes.into_iter().map(|size| PublishMessage::new("x".repeat(size))).collect();
    topic.publish_batch(of([1_000, 999, 1])).await.unwrap().all().unwrap();
    let error = refused_whole(&topic, of([1_000, 1_000, 1])).await;
    assert!(matches!(error, Error::BatchTooLong { bytes: 2_001, max: 2_000 }), "{error:?}");
    let error = refused_whole(&topic, of([2_001, 1, 1])).await;
    assert!(matches!(error, Error::BatchTooLong { bytes: 2_003, max: 2_000 }), "{error:?}");
}

/// N25: the ids and errors by entry, in their order.
async fn an_entry_with_a_bad_body_or_subject_fails_alone(world: World) {
    let (_broker, topic, queue) = with_queue(&world).await;
    let mut entries = named(&["first"]);
    entries.push_named("empty", "".into());
    entries.push_named("subject", PublishMessage::new("x").subject("two\nlines"));
    entries.push("by place".into());
    let outcomes: Outcomes<Published> = topic.publish_batch(entries).await.unwrap();
    let outcome = |at: usize| -> &(EntryId, Result<Published>) { &outcomes.0[at] };
    assert!(outcome(0).1.is_ok() && outcome(3).1.is_ok());
    assert_eq!((outcome(0).0.to_string(), outcome(3).0.to_string()), ("first".into(), "3".into()));
    assert!(matches!(outcome(1).1, Err(Error::MissingParameter { field: "body" })));
    assert_invalid(outcome(2).1.as_ref().unwrap_err(), "subject", "two\nlines", "1 to 99");
    assert_eq!(bodies(&queue).await, ["body of first", "by place"]);
    let all_bad = ["", ""].into_iter().map(PublishMessage::from).collect();
    let outcomes = topic.publish_batch(all_bad).await.unwrap();
    assert_eq!((outcomes.failed().count(), outcomes.successful().count()), (2, 0));
}

/// N25, N32: what fails the whole call, whichever entry it is in.
async fn bad_attributes_groups_and_ids_of_one_entry_fail_the_whole_call(world: World) {
    let (broker, topic, queue) = with_queue(&world).await;
    let ordered = broker.topic("a.fifo").fifo().await.unwrap();
    ordered.subscribe(&queue).raw_delivery(true).await.unwrap();
    let with = |good: PublishMessage, bad: PublishMessage| [good, bad].into_iter().collect::<Entries<_>>();
    let bad = PublishMessage::new("x").attribute("a", AttributeValue::string(""));
    let error = refused_whole(&topic, with("good".into(), bad)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "attribute value", .. }), "{error:?}");
    let bad = PublishMessage::new("x").deduplication_id("id");
    let error = refused_whole(&topic, with("good".into(), bad)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "deduplication_id", .. }), "{error:?}");
    let bad = PublishMessage::new("x").deduplication_id("id");
    let error = refused_whole(&ordered, with(fifo("a1"), bad)).await;
    assert!(matches!(error, Error::MissingParameter { field: "group_id" }), "{error:?}");
    let bad = PublishMessage::new("x").group_id("a");
    let error = refused_whole(&ordered, with(fifo("a1"), bad)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "deduplication_id", .. }), "{error:?}");
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert!(!ordered.publish(fifo("a1")).await.unwrap().duplicate, "nor was an id used up");
}

/// N81: duplicates of what came before, and of entries before them, get the answers of those.
async fn duplicates_inside_a_batch_are_found(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let (ordered, queue) = (broker.queue("q.fifo").fifo().await.unwrap(), broker.queue("q").await.unwrap());
    topic.subscribe(&ordered).raw_delivery(true).await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let before = topic.publish(fifo("a1")).await.unwrap();
    let batch = ["a2", "a1", "a2", "b1", "a2", "a3"].map(fifo).into_iter().collect();
    let published = topic.publish_batch(batch).await.unwrap().all().unwrap();
    let duplicates: Vec<_> = published.iter().map(|one| one.duplicate).collect();
    assert_eq!(duplicates, [false, true, true, false, true, false]);
    assert_eq!(published[1], Published { duplicate: true, ..before });
    assert_eq!(published[2], Published { duplicate: true, ..published[0] });
    assert_eq!(published[4], published[2]);
    assert!([published[0], published[3], published[5]].is_sorted_by_key(|one| one.sequence_number));
    assert_eq!(bodies(&queue).await, ["a1", "a2", "b1", "a3"]);
    assert_eq!(bodies(&ordered).await, ["a1", "a2", "a3", "b1"]);
}

/// N25: a refused entry uses up no id, not even for its own batch.
async fn a_refused_entry_leaves_its_id_to_the_next(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let batch = [fifo("a1").subject("\n"), fifo("a1"), fifo("a1")].into_iter().collect();
    let published = topic.publish_batch(batch).await.unwrap();
    let duplicates: Vec<_> = published.successful().map(|(_, one)| one.duplicate).collect();
    assert_eq!((duplicates, published.failed().count()), (vec![false, true], 1));
}

everywhere! {
    a_batch_has_1_to_10_entries,
    entry_ids_are_1_to_80_letters_digits_hyphens_and_underscores_and_distinct,
    the_entries_of_a_batch_are_together_as_large_as_one_message_may_be,
    an_entry_with_a_bad_body_or_subject_fails_alone,
    bad_attributes_groups_and_ids_of_one_entry_fail_the_whole_call,
    duplicates_inside_a_batch_are_found,
    a_refused_entry_leaves_its_id_to_the_next,
}
