//! Publishing one message: what is taken, what is refused, what the answer says (N20 to N24).

use broker_core::{AttributeValue, Endpoint, Error, PublishMessage};

use crate::{
    support::{World, advance, assert_invalid, counts, secs, take},
    topic_support::{bodies, envelope, fifo, refused},
};

/// N20.
async fn an_empty_message_is_missing(world: World) {
    let (_broker, topic) = world.news().await;
    let error = refused(topic.publish("")).await;
    assert!(matches!(error, Error::MissingParameter { field: "body" }));
    let error = refused(topic.publish(PublishMessage::new("x").body_for("sqs", ""))).await;
    assert_invalid(&error, "body_for", "sqs", "must not be empty");
}

/// N20: the limit is inclusive, and attributes count with name, type and value.
async fn a_message_may_be_as_large_as_the_maximum_and_not_a_byte_larger(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news").max_message_size(2_000).await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let too_long = async |message: PublishMessage, size: usize| {
        let error = refused(topic.publish(message)).await;
        assert!(matches!(error, Error::MessageTooLong { bytes, max: 2_000 } if bytes == size), "{error:?}");
    };
    topic.publish("x".repeat(2_000)).await.unwrap();
    too_long("x".repeat(2_001).into(), 2_001).await;
    let ten = |body: usize| PublishMessage::new("x".repeat(body)).attribute("abc", AttributeValue::number(7));
    topic.publish(ten(1_990)).await.unwrap();
    too_long(ten(1_991), 2_001).await;
    let umlauts = "ü".repeat(1_000);
    topic.publish(umlauts.clone()).await.unwrap();
    too_long(format!("{umlauts}x").into(), 2_001).await;
    let two = |more: usize| PublishMessage::new("x".repeat(1_000)).body_for("http", "y".repeat(more));
    topic.publish(two(1_000)).await.unwrap();
    too_long(two(1_001), 2_001).await;
    assert_eq!(counts(&queue).await, [4, 0, 0]);
}

/// N20: by default 262,144 bytes, and with that set a message of 1 MiB.
async fn the_largest_messages_of_sns_are_taken(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    topic.publish("x".repeat(262_144)).await.unwrap();
    let error = refused(topic.publish("x".repeat(262_145))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 262_145, max: 262_144 }));
    let large = broker.topic("large").max_message_size(1_048_576).await.unwrap();
    large.subscribe(&queue).raw_delivery(true).await.unwrap();
    large.publish("y".repeat(1_048_576)).await.unwrap();
    let sizes: Vec<_> = bodies(&queue).await.iter().map(String::len).collect();
    assert_eq!(sizes, [262_144, 1_048_576]);
}

/// N20: UTF-8 comes through both forms as it is.
async fn text_of_every_script_comes_back_byte_for_byte(world: World) {
    let (broker, topic) = world.news().await;
    let (raw, wrapped) = (broker.queue("raw").await.unwrap(), broker.queue("wrapped").await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    topic.subscribe(&wrapped).await.unwrap();
    for text in
        ["\"quoted\" \\ and\n\r\t lines", "žluťoučký 🐎", "{\"json\": [1, null]}", "\u{7f}\u{fffd}\u{10ffff}"]
    {
        topic.publish(text).await.unwrap();
        assert_eq!(take(&raw).await.text(), Ok(text));
        assert_eq!(envelope(&take(&wrapped).await)["Message"], text, "IT6");
    }
}

/// N21.
async fn a_subject_has_1_to_99_characters_none_for_control(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    for subject in ["s", &"x".repeat(99), &"ü".repeat(99), "with \"quotes\" & <marks>"] {
        topic.publish(PublishMessage::new("x").subject(subject)).await.unwrap();
        assert_eq!(envelope(&take(&queue).await)["Subject"], subject);
    }
    for subject in ["", &"x".repeat(100), "two\nlines", "two\rlines", "tab\t", "nul\0", "\u{7f}"] {
        let error = refused(topic.publish(PublishMessage::new("x").subject(subject))).await;
        assert_invalid(&error, "subject", subject, "1 to 99 characters");
    }
    assert_eq!(counts(&queue).await, [0, 4, 0]);
}

/// N22.
async fn each_protocol_gets_its_own_text(world: World) {
    let (broker, topic) = world.news().await;
    let (raw, wrapped) = (broker.queue("raw").await.unwrap(), broker.queue("wrapped").await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    topic.subscribe(&wrapped).await.unwrap();
    let lambda = topic.subscribe(Endpoint::push("lambda", "f")).await.unwrap().id;
    let handler = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let json = r#"{"default": "all", "sqs": "for queues", "lambda": "for lambda", "http": 7}"#;
    topic.publish(PublishMessage::structured(json).unwrap()).await.unwrap();
    assert_eq!(take(&raw).await.text(), Ok("for queues"));
    assert_eq!(envelope(&take(&wrapped).await)["Message"], "for queues");
    let log = crate::topic_support::Log::new();
    let _a = topic.attach(lambda, log.taking()).await.unwrap();
    log.until(1).await;
    let _b = topic.attach(handler, log.taking()).await.unwrap();
    log.until(2).await;
    assert_eq!(log.texts(), ["for lambda", "all"]);
}

/// N22.
#[test]
fn what_is_no_structure_of_texts_is_refused() {
    let structured = |json: &str| PublishMessage::structured(json);
    let only = structured(r#"{"http": 5, "sqs": null, "default": "d"}"#).unwrap();
    assert_eq!(only, PublishMessage::new("d"), "what is no text counts as not there");
    for (json, reason) in [
        ("", "failed to parse"),
        ("text", "failed to parse"),
        (r#"["default"]"#, "failed to parse"),
        (r#"{"default": "a""#, "failed to parse"),
        (r#"{"default": "a", "default": "b"}"#, "failed to parse"),
        (r#"{"default": "a", "sqs": 1, "sqs": "b"}"#, "failed to parse"),
        ("{}", "No default entry in JSON message body"),
        (r#"{"sqs": "a"}"#, "No default entry in JSON message body"),
        (r#"{"default": {"a": "b"}}"#, "No default entry in JSON message body"),
    ] {
        assert_invalid(&structured(json).unwrap_err(), "message_structure", json, reason);
    }
}

/// N23.
async fn the_answer_has_an_id_and_on_fifo_topics_a_growing_number_of_20_digits(world: World) {
    let (broker, standard) = world.news().await;
    let ordered = broker.topic("a.fifo").fifo().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        let plain = standard.publish("same").await.unwrap();
        assert_eq!((plain.sequence_number, plain.duplicate), (None, false));
        ids.push(plain.id);
        ids.push(ordered.publish(fifo(format!("a{n}"))).await.unwrap().id);
    }
    for id in &ids {
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert!(
            text.bytes().enumerate().all(|(at, b)| (b == b'-') == [8, 13, 18, 23].contains(&at)),
            "{text}"
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "every message has an id of its own");
    let before = ordered.publish(fifo("a3")).await.unwrap().sequence_number.unwrap();
    assert_eq!(before.to_string().len(), 20);
    let broker = world.open_again(broker).await;
    let ordered = broker.open_topic("a.fifo").await.unwrap();
    let after = ordered.publish(fifo("a4")).await.unwrap().sequence_number.unwrap();
    assert!(after > before && after.to_string() > before.to_string(), "also after a restart");
}

/// N23, IT1: who was answered is not forgotten, also by who is not there.
async fn what_was_answered_is_delivered_also_after_a_restart(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    topic.publish("x").await.unwrap();
    drop((queue, topic));
    let (broker, topic) = world.news_again(broker).await;
    assert_eq!(bodies(&broker.open_queue("q").await.unwrap()).await, ["x"]);
    assert_eq!(topic.subscription(id).await.unwrap().counters.waiting, 1);
    let log = crate::topic_support::Log::new();
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(1).await;
    advance(secs(1_000)).await;
    assert_eq!(log.texts(), ["x"]);
}

/// N24.
async fn a_group_on_a_standard_topic_goes_on_to_standard_queues(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    topic.publish(PublishMessage::new("x").group_id("tenant-7")).await.unwrap();
    assert_eq!(take(&queue).await.group_id.as_deref(), Some("tenant-7"));
    topic.publish("x").await.unwrap();
    assert_eq!(take(&queue).await.group_id, None);
    for group in ["", "with space", "ü", &"x".repeat(129)] {
        let error = refused(topic.publish(PublishMessage::new("x").group_id(group))).await;
        assert!(matches!(error, Error::InvalidParameter { field: "group_id", .. }), "{error:?}");
    }
}

/// N24.
async fn a_deduplication_id_is_not_for_standard_topics(world: World) {
    let (_broker, topic) = world.news().await;
    let error = refused(topic.publish(PublishMessage::new("x").deduplication_id("id"))).await;
    assert_invalid(&error, "deduplication_id", "id", "not valid for this topic type");
}

/// A topic without subscribers takes everything, and keeps nothing.
async fn a_message_that_nobody_wants_is_accepted(world: World) {
    let (broker, topic) = world.news().await;
    let first = topic.publish("x").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert_ne!(topic.publish("x").await.unwrap().id, first.id);
}

everywhere! {
    an_empty_message_is_missing,
    a_message_may_be_as_large_as_the_maximum_and_not_a_byte_larger,
    the_largest_messages_of_sns_are_taken,
    text_of_every_script_comes_back_byte_for_byte,
    a_subject_has_1_to_99_characters_none_for_control,
    each_protocol_gets_its_own_text,
    the_answer_has_an_id_and_on_fifo_topics_a_growing_number_of_20_digits,
    what_was_answered_is_delivered_also_after_a_restart,
    a_group_on_a_standard_topic_goes_on_to_standard_queues,
    a_deduplication_id_is_not_for_standard_topics,
    a_message_that_nobody_wants_is_accepted,
}
