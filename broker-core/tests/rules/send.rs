//! Sending single messages: rules Q20 to Q27.

use std::{collections::HashSet, time::Duration};

use broker_core::{AttributeValue, Error, QueueSettings, SendMessage};

use crate::support::{World, advance, assert_invalid, counts, ms, poll, refusal, secs, take};

/// Q20.
async fn an_empty_body_is_missing(world: World) {
    let (_broker, queue) = world.queue().await;
    let error = refusal(&queue, queue.send("")).await;
    assert!(matches!(error, Error::MissingParameter { field: "body" }));
    let with_attribute = SendMessage::from("").attribute("a", AttributeValue::string("b"));
    let error = refusal(&queue, queue.send(with_attribute)).await;
    assert!(matches!(error, Error::MissingParameter { field: "body" }));
}

/// Q20: the edges of each range of characters.
async fn a_body_of_allowed_characters_comes_back_byte_for_byte(world: World) {
    let (_broker, queue) = world.queue().await;
    for body in [
        "x",
        "\t",
        "\n",
        "\r",
        " ",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{7f}",
        "{\"naïve\": \"日本語 🦀\"}\r\n",
    ] {
        let sent = queue.send(body).await.unwrap();
        let message = take(&queue).await;
        assert_eq!((message.text(), message.id), (Ok(body), sent.id));
        queue.delete(message.receipt).await.unwrap();
    }
}

/// Q20.
async fn a_body_with_any_other_character_is_refused_and_the_place_named(world: World) {
    let (_broker, queue) = world.queue().await;
    for (body, place, shown) in [
        ("\0", 0, "{0}"),
        ("ab\u{8}", 2, "{8}"),
        ("é\u{b}", 2, "{b}"),
        ("\u{c}", 0, "{c}"),
        ("\u{1f}", 0, "{1f}"),
        ("日\u{fffe}", 3, "{fffe}"),
        ("\u{ffff}", 0, "{ffff}"),
    ] {
        let error = refusal(&queue, queue.send(body)).await;
        let Error::InvalidMessageContents { position, what } = error else { panic!("{error:?}") };
        assert_eq!(position, place);
        assert!(what.contains(shown), "{what}");
    }
    let error = refusal(&queue, queue.send(vec![b'a', 0xff])).await;
    assert!(matches!(error, Error::InvalidMessageContents { position: 1, .. }));
    let surrogate = vec![0xed, 0xa0, 0x80];
    let error = refusal(&queue, queue.send(surrogate)).await;
    assert!(matches!(error, Error::InvalidMessageContents { position: 0, .. }));
}

/// Q21. [`test_send_oversized_message`, `test_send_message_with_updated_maximum_message_size`]
async fn a_message_may_be_as_large_as_the_maximum_and_not_a_byte_larger(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("x".repeat(1_048_576)).await.unwrap();
    let error = refusal(&queue, queue.send("x".repeat(1_048_577))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 1_048_577, max: 1_048_576 }));
    queue.set_attributes(QueueSettings::new().max_message_size(1024)).await.unwrap();
    queue.send("x".repeat(1024)).await.unwrap();
    let error = refusal(&queue, queue.send("x".repeat(1025))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 1025, max: 1024 }));
    let error = refusal(&queue, queue.send("é".repeat(513))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 1026, max: 1024 }), "bytes, not characters");
    let mut sizes = Vec::new();
    while let [message] = &poll(&queue, 1).await[..] {
        sizes.push(message.body.len());
    }
    assert_eq!(sizes, [1_048_576, 1024]);
}

/// Q21: names, types and values count; system attributes do not.
async fn attributes_count_towards_the_size_and_system_attributes_do_not(world: World) {
    let (_broker, queue) = world.queue().await;
    let attributes = || {
        SendMessage::default()
            .attribute("größe", AttributeValue::from_text("String.éé".into(), "日本".into()))
            .attribute("b", AttributeValue::binary(vec![0; 100]))
            .attribute("n", AttributeValue::number(42))
            .group_id("tenant")
            .trace_header("Root=1-5759e988-bd862e3fe1be46a994272793")
    };
    let attribute_bytes = (7 + 11 + 6) + (1 + 6 + 100) + (1 + 6 + 2);
    let sized = |bytes: usize| SendMessage { body: "x".repeat(bytes).into(), ..attributes() };
    let fits = sized(1_048_576 - attribute_bytes);
    assert_eq!(fits.size_bytes(), 1_048_576);
    queue.send(fits.clone()).await.unwrap();
    let error = refusal(&queue, queue.send(sized(1_048_576 - attribute_bytes + 1))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 1_048_577, max: 1_048_576 }));
    let message = take(&queue).await;
    assert_eq!((message.body, message.attributes), (fits.body, fits.attributes));
}

/// Q22. A delayed message counts as delayed and as nothing else.
async fn a_message_with_a_delay_is_invisible_until_its_end(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send(SendMessage::from("m").delay(secs(900))).await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 1]);
    advance(secs(900) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty(), "I10: never early");
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(counts(&queue).await, [0, 0, 1]);
    advance(ms(1)).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let message = take(&queue).await;
    assert_eq!(message.first_received_at.since(message.sent_at), secs(900));
    assert_eq!((message.receive_count, counts(&queue).await), (1, [0, 1, 0]));
}

/// Q22.
async fn a_delay_of_the_message_overrides_that_of_the_queue_zero_included(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").delay(secs(10)).await.unwrap();
    queue.send("queue's").await.unwrap();
    queue.send(SendMessage::from("none").delay(Duration::ZERO)).await.unwrap();
    queue.send(SendMessage::from("own").delay(secs(20))).await.unwrap();
    assert_eq!(counts(&queue).await, [1, 0, 2]);
    assert_eq!(take(&queue).await.text(), Ok("none"));
    advance(secs(10)).await;
    assert_eq!(take(&queue).await.text(), Ok("queue's"));
    assert_eq!(counts(&queue).await, [0, 2, 1]);
    advance(secs(10)).await;
    assert_eq!(take(&queue).await.text(), Ok("own"));
}

/// Q22.
async fn a_delay_above_15_minutes_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    for delay in [secs(900) + Duration::from_nanos(1), secs(901), Duration::MAX] {
        let error = refusal(&queue, queue.send(SendMessage::from("m").delay(delay))).await;
        assert_invalid(&error, "delay", &format!("{delay:?}"), "between 0ns and 900s");
    }
}

/// Q23: ids are UUIDs, distinct, and the message keeps its own.
async fn every_message_has_an_id_of_its_own(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    let mut ids = HashSet::new();
    for n in 0..50 {
        let queue = if n % 2 == 0 { &queue } else { &other };
        let id = queue.send("the same").await.unwrap().id;
        assert!(ids.insert(id));
        let text = id.to_string();
        assert!(text.len() == 36 && text.len() <= 100 && text.as_bytes()[14] == b'4', "{text}");
    }
    let (_broker, queue) = world.reopened(broker).await;
    assert!(ids.insert(queue.send("after reopening").await.unwrap().id));
    assert!(poll(&queue, 10).await.iter().all(|message| ids.contains(&message.id)));
}

/// Q24, Q57.
async fn the_trace_header_is_delivered_as_sent(world: World) {
    let (broker, queue) = world.queue().await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    queue.send(SendMessage::from("m").trace_header(header)).await.unwrap();
    queue.send(SendMessage::from("m").trace_header("x".repeat(1024))).await.unwrap();
    for refused in [String::new(), "x".repeat(1025)] {
        let error = refusal(&queue, queue.send(SendMessage::from("m").trace_header(refused))).await;
        assert!(matches!(error, Error::InvalidParameter { field: "trace_header", .. }));
    }
    let (_broker, queue) = world.reopened(broker).await;
    let message = take(&queue).await;
    assert_eq!(message.trace_header.as_deref(), Some(header));
    assert!(message.attributes.is_empty());
}

/// Q25, Q57.
async fn a_message_group_of_1_to_128_graphic_characters_is_delivered_as_sent(world: World) {
    let (_broker, queue) = world.queue().await;
    let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    for group in ["g", punctuation, &"g".repeat(128), "customer-7"] {
        queue.send(SendMessage::from("m").group_id(group)).await.unwrap();
        assert_eq!(take(&queue).await.group_id.as_deref(), Some(group));
    }
    queue.send("m").await.unwrap();
    assert_eq!(take(&queue).await.group_id, None);
}

/// Q25.
async fn any_other_message_group_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    let long = "g".repeat(129);
    for group in ["", " ", "a b", "é", "a\n", "\u{7f}", &long] {
        let error = refusal(&queue, queue.send(SendMessage::from("m").group_id(group))).await;
        let shown = if group.len() > 100 { format!("{}…", &group[..100]) } else { group.to_owned() };
        assert_invalid(&error, "group_id", &shown, "1 to 128");
    }
}

/// Q26.
async fn a_deduplication_id_is_not_for_standard_queues(world: World) {
    let (_broker, queue) = world.queue().await;
    let message = SendMessage { deduplication_id: Some("d".into()), ..SendMessage::from("m") };
    let error = refusal(&queue, queue.send(message)).await;
    assert_invalid(&error, "deduplication_id", "d", "not valid for this queue type");
}

/// Q27.
async fn equal_messages_are_all_kept(world: World) {
    let (_broker, queue) = world.queue().await;
    for _ in 0..300 {
        queue.send("the same").await.unwrap();
    }
    assert_eq!(counts(&queue).await, [300, 0, 0]);
}

everywhere! {
    an_empty_body_is_missing,
    a_body_of_allowed_characters_comes_back_byte_for_byte,
    a_body_with_any_other_character_is_refused_and_the_place_named,
    a_message_may_be_as_large_as_the_maximum_and_not_a_byte_larger,
    attributes_count_towards_the_size_and_system_attributes_do_not,
    a_message_with_a_delay_is_invisible_until_its_end,
    a_delay_of_the_message_overrides_that_of_the_queue_zero_included,
    a_delay_above_15_minutes_is_refused,
    every_message_has_an_id_of_its_own,
    the_trace_header_is_delivered_as_sent,
    a_message_group_of_1_to_128_graphic_characters_is_delivered_as_sent,
    any_other_message_group_is_refused,
    a_deduplication_id_is_not_for_standard_queues,
    equal_messages_are_all_kept,
}
