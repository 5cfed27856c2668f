//! The attributes of published messages (N30 to N33).

use broker_core::{AttributeValue, Endpoint, Error, PublishMessage};

use crate::{
    support::{World, assert_invalid, counts, take},
    topic_support::{counters, envelope, refused},
};

fn with(name: &str, value: AttributeValue) -> PublishMessage {
    PublishMessage::new("x").attribute(name, value)
}

fn text(data_type: &str, value: &str) -> AttributeValue {
    AttributeValue::from_text(data_type.into(), value.into())
}

/// N30.
async fn types_are_string_number_or_binary_with_a_suffix(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let good = [
        text("String", "s"),
        text("String.foo", "s"),
        text("String.Array", r#"["a", 1, true, null]"#),
        text("Number", "-1.5e3"),
        text("Number.int", "7"),
        AttributeValue::binary(vec![0, 255]),
        AttributeValue::from_binary("Binary.png".into(), vec![1].into()),
    ];
    for value in good {
        topic.publish(with("a", value.clone())).await.unwrap();
        assert_eq!(take(&queue).await.attributes.get("a"), Some(&value));
    }
    for bad in ["", "Stringfoo", "string", "StringList", "Bool", ".String", "Int"] {
        let error = refused(topic.publish(with("a", text(bad, "v")))).await;
        assert_invalid(&error, "attribute type", bad, "String, Number or Binary");
    }
    assert_eq!(counts(&queue).await, [0, 7, 0]);
}

/// N31.
async fn names_are_letters_digits_and_some_marks_of_ascii(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let longest = "n".repeat(256);
    let good = ["a", "A-b_c.9", "a.b.c", "awsome", "aws", &longest];
    let message = good.iter().fold(PublishMessage::new("x"), |message, name| {
        message.attribute(*name, AttributeValue::string("v"))
    });
    topic.publish(message).await.unwrap();
    let names: Vec<_> = take(&queue).await.attributes.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names.len(), good.len());
    let bad = [
        ("", "1 to 256"),
        ("a b", "letters"),
        ("ü", "letters"),
        ("a/b", "letters"),
        (".a", "dot"),
        ("a.", "dot"),
        ("a..b", "dot"),
        ("AWS.x", "AWS."),
        ("aws.x", "AWS."),
        ("Amazon.x", "Amazon."),
        ("AMAZON.x", "Amazon."),
    ];
    for (name, reason) in bad {
        let error = refused(topic.publish(with(name, AttributeValue::string("v")))).await;
        assert_invalid(&error, "attribute name", name, reason);
    }
    let too_long = "n".repeat(257);
    let error = refused(topic.publish(with(&too_long, AttributeValue::string("v")))).await;
    assert_invalid(&error, "attribute name", &format!("{}…", &too_long[..100]), "1 to 256");
}

/// N32.
async fn a_value_is_not_empty_and_fits_its_type(world: World) {
    let (_broker, topic) = world.news().await;
    let empty = [
        (text("String", ""), "String"),
        (text("String.Array", ""), "String"),
        (text("Number", ""), "Number"),
        (AttributeValue::binary(Vec::new()), "Binary"),
    ];
    for (value, data_type) in empty {
        let error = refused(topic.publish(with("a", value))).await;
        let reason = format!("the {data_type} attribute a must not be empty");
        assert_invalid(&error, "attribute value", "\"\"", &reason);
    }
    let binary = |data_type: &str| AttributeValue::from_binary(data_type.into(), vec![1].into());
    for value in [text("Binary", "x"), binary("String"), binary("Number")] {
        let error = refused(topic.publish(with("a", value.clone()))).await;
        assert_invalid(&error, "attribute type", value.data_type(), "does not fit");
    }
    for number in ["x", "1 ", "0x10", "1e127"] {
        let error = refused(topic.publish(with("a", text("Number", number)))).await;
        assert_invalid(&error, "attribute value", number, "number");
    }
}

/// N33.
async fn more_than_ten_attributes_reach_all_but_raw_queues(world: World) {
    let (broker, topic) = world.news().await;
    let queue = async |name: &str| broker.queue(name).await.unwrap();
    let (raw, wrapped, dead) = (queue("raw").await, queue("wrapped").await, queue("dead").await);
    let raw_id = topic.subscribe(&raw).raw_delivery(true).dead_letter("dead").await.unwrap().id;
    topic.subscribe(&wrapped).await.unwrap();
    let handler = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let message = |attributes: usize| {
        (0..attributes).fold(PublishMessage::new("x"), |message, n| {
            message.attribute(format!("a{n:02}"), AttributeValue::number(n))
        })
    };
    topic.publish(message(10)).await.unwrap();
    assert_eq!((counts(&raw).await, counts(&dead).await), ([1, 0, 0], [0, 0, 0]));
    topic.publish(message(11)).await.unwrap();
    assert_eq!((counts(&raw).await, counts(&dead).await), ([1, 0, 0], [1, 0, 0]));
    let seen = counters(&topic, raw_id).await;
    assert_eq!((seen.delivered, seen.dead_lettered, seen.dropped), (1, 1, 0));
    let given_up = take(&dead).await;
    assert_eq!((given_up.text(), given_up.attributes.len()), (Ok("x"), 11), "nothing of it is lost");
    assert!(given_up.dead_letter.unwrap().reason.unwrap().starts_with("11 attributes"));
    take(&wrapped).await;
    let all = envelope(&take(&wrapped).await);
    assert_eq!(all["MessageAttributes"].as_object().unwrap().len(), 11);
    assert_eq!(counters(&topic, handler).await.waiting, 2);
}

/// N33: without a dead-letter queue it is dropped, counted, and not tried again.
async fn a_raw_message_with_too_many_attributes_is_dropped_and_counted(world: World) {
    let (broker, topic) = world.news().await;
    let raw = broker.queue("raw").await.unwrap();
    let id = topic.subscribe(&raw).raw_delivery(true).await.unwrap().id;
    let message = (0..11).fold(PublishMessage::new("x"), |message, n| {
        message.attribute(format!("a{n}"), AttributeValue::number(n))
    });
    topic.publish(message).await.unwrap();
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.dead_lettered, seen.dropped), (0, 0, 1));
    topic.publish("x").await.unwrap();
    assert_eq!(counts(&raw).await, [1, 0, 0], "N18: and the next one is delivered");
}

/// N20, N33: the size of the message is the only bound to their number.
async fn as_many_attributes_are_taken_as_the_message_has_room_for(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let handler = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    // Each of 4 + 6 + 1 bytes.
    let many = (0..2_000).fold(PublishMessage::new("x"), |message, n| {
        message.attribute(format!("{n:04}"), AttributeValue::number(7))
    });
    topic.publish(many.clone()).await.unwrap();
    assert_eq!(envelope(&take(&queue).await)["MessageAttributes"].as_object().unwrap().len(), 2_000);
    assert_eq!(counters(&topic, handler).await.waiting, 1);
    let more = many.attribute("a", AttributeValue::string("v".repeat(262_144 - 2_000 * 11 - 1 - 7 + 1)));
    let error = refused(topic.publish(more)).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 262_145, .. }), "{error}");
}

everywhere! {
    types_are_string_number_or_binary_with_a_suffix,
    names_are_letters_digits_and_some_marks_of_ascii,
    a_value_is_not_empty_and_fits_its_type,
    more_than_ten_attributes_reach_all_but_raw_queues,
    a_raw_message_with_too_many_attributes_is_dropped_and_counted,
    as_many_attributes_are_taken_as_the_message_has_room_for,
}
