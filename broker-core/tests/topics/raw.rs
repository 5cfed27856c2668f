//! Raw delivery, and what queues of both types get from topics of both types (N41, N44, IT6).

use broker_core::{AttributeValue, Message, PublishMessage};
use sha2::{Digest, Sha256};

use crate::{
    support::{World, take},
    topic_support::{envelope, fifo},
};

/// N41.
async fn a_raw_message_is_the_body_with_its_attributes_and_nothing_else(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let message = PublishMessage::new("{\"a\":  1}\n")
        .subject("lost")
        .attribute("text", AttributeValue::from_text("String.x".into(), "v".into()))
        .attribute("number", AttributeValue::number("007"))
        .attribute("bytes", AttributeValue::binary(vec![0, 255]));
    let published = topic.publish(message.clone()).await.unwrap();
    let got = take(&queue).await;
    assert_eq!(got.body, message.body.as_bytes());
    assert_eq!(got.attributes, message.attributes);
    let Message { group_id, trace_header, sequence_number, deduplication_id, dead_letter, .. } = got;
    assert_eq!((group_id, trace_header, sequence_number, deduplication_id), (None, None, None, None));
    assert!(dead_letter.is_none());
    assert_ne!(got.id, published.id, "the queue gives it an id of its own");
    assert_eq!((got.sent_at, got.receive_count), (world.now(), 1));
}

/// IT6.
async fn both_forms_carry_the_same_payload(world: World) {
    let (broker, topic) = world.news().await;
    let (raw, wrapped) = (broker.queue("raw").await.unwrap(), broker.queue("wrapped").await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    topic.subscribe(&wrapped).await.unwrap();
    let every_ascii: String = (0x20..0x7f_u8).map(char::from).chain(['\t', '\n', '\r']).collect();
    for body in [every_ascii, "\u{e000}\u{fffd}\u{1f40e}".repeat(500), r#"{"\u0041": "\\"}"#.to_owned()] {
        topic.publish(body.as_str()).await.unwrap();
        let raw = take(&raw).await;
        assert_eq!(raw.text().unwrap(), body);
        assert_eq!(envelope(&take(&wrapped).await)["Message"].as_str().unwrap().as_bytes(), raw.body);
    }
}

/// N44.
async fn a_fifo_queue_gets_the_group_and_the_id_of_the_topic(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().dedup_by_content().await.unwrap();
    let (raw, wrapped) =
        (broker.queue("raw.fifo").fifo().await.unwrap(), broker.queue("wrapped.fifo").fifo().await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    topic.subscribe(&wrapped).await.unwrap();
    topic
        .publish(PublishMessage::new("x").group_id("g").deduplication_id("my id!".replace(' ', "-")))
        .await
        .unwrap();
    topic.publish(PublishMessage::new("x").group_id("h")).await.unwrap();
    let sha256 = format!("{:x}", Sha256::digest(b"x"));
    for queue in [raw, wrapped] {
        for (group, id) in [("g", "my-id!"), ("h", sha256.as_str())] {
            let message = take(&queue).await;
            assert_eq!(
                (message.group_id.as_deref(), message.deduplication_id.as_deref()),
                (Some(group), Some(id))
            );
            assert!(message.sequence_number.is_some(), "the queue's own");
        }
    }
}

/// N44.
async fn a_standard_queue_of_a_fifo_topic_gets_neither_group_nor_id(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let (raw, wrapped) = (broker.queue("raw").await.unwrap(), broker.queue("wrapped").await.unwrap());
    topic.subscribe(&raw).raw_delivery(true).await.unwrap();
    topic.subscribe(&wrapped).await.unwrap();
    topic.publish(fifo("a1")).await.unwrap();
    for queue in [raw, wrapped] {
        let message = take(&queue).await;
        assert_eq!((message.group_id, message.deduplication_id, message.sequence_number), (None, None, None));
    }
}

/// N44: it remembers the ids as if the messages had been sent to it, and those sent to it.
async fn a_fifo_queue_knows_the_ids_that_came_through_the_topic(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let send = |body: &str| broker_core::SendMessage::from(body).group_id("a").deduplication_id(body);
    topic.publish(fifo("a1")).await.unwrap();
    queue.send(send("a2")).await.unwrap();
    assert!(queue.send(send("a1")).await.unwrap().duplicate);
    let published = topic.publish(fifo("a2")).await.unwrap();
    assert!(!published.duplicate, "the topic has not seen it");
    let broker = world.open_again(broker).await;
    let (topic, queue) =
        (broker.open_topic("a.fifo").await.unwrap(), broker.open_queue("q.fifo").await.unwrap());
    assert!(queue.send(send("a1")).await.unwrap().duplicate);
    assert!(topic.publish(fifo("a2")).await.unwrap().duplicate);
    queue.send(send("a3")).await.unwrap();
    topic.publish(fifo("a3")).await.unwrap();
    assert_eq!(crate::topic_support::bodies(&queue).await, ["a1", "a2", "a3"], "the queue has each once");
}

everywhere! {
    a_raw_message_is_the_body_with_its_attributes_and_nothing_else,
    both_forms_carry_the_same_payload,
    a_fifo_queue_gets_the_group_and_the_id_of_the_topic,
    a_standard_queue_of_a_fifo_topic_gets_neither_group_nor_id,
    a_fifo_queue_knows_the_ids_that_came_through_the_topic,
}
