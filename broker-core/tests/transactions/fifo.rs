//! FIFO queues and topics in transactions: order, and deduplication that has to look ids up in the store.

use std::time::Duration;

use broker_core::{LocalQueue, Outcome, PublishMessage, SendMessage, Sent};

use crate::support::{everywhere, take};

fn message(body: &str, id: &str) -> SendMessage {
    SendMessage::new(body.to_owned()).group_id("g").deduplication_id(id)
}

async fn bodies(queue: &LocalQueue) -> Vec<String> {
    take(queue, 10).await.iter().map(|one| one.text().unwrap().to_owned()).collect()
}

fn sent(outcome: &Outcome) -> &Sent {
    match outcome {
        Outcome::Sent(sent) => sent,
        other => panic!("{other:?}"),
    }
}

// T2
#[test]
fn what_is_sent_and_published_comes_in_the_order_of_the_calls() {
    everywhere(&async |_, broker| {
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let topic = broker.topic("t.fifo").fifo().await.unwrap();
        topic.subscribe(&queue).raw_delivery(true).await.unwrap();
        let mut tx = broker.transaction();
        let publish = |body: &str| PublishMessage::new(body).group_id("g").deduplication_id(body);
        tx.send(&queue, message("1", "1")).unwrap();
        tx.publish(&topic, publish("2")).unwrap();
        tx.send(&queue, message("3", "3")).unwrap();
        tx.publish(&topic, publish("4")).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bodies(&queue).await, ["1", "2", "3", "4"]);
    });
}

// T9
#[test]
fn duplicates_are_outcomes_within_a_transaction_between_them_and_after_a_restart() {
    everywhere(&async |ground, broker| {
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let topic = broker.topic("t.fifo").fifo().await.unwrap();
        topic.subscribe(&queue).raw_delivery(true).await.unwrap();
        let publish = || PublishMessage::new("c").group_id("g").deduplication_id("c");
        let mut tx = broker.transaction();
        tx.send(&queue, message("a", "a")).unwrap();
        tx.send(&queue, message("again", "a")).unwrap();
        tx.publish(&topic, publish()).unwrap();
        tx.publish(&topic, publish()).unwrap();
        let first = tx.commit().await.unwrap().outcomes;
        assert!(!sent(&first[0]).duplicate && sent(&first[1]).duplicate);
        assert_eq!(sent(&first[0]).id, sent(&first[1]).id);
        assert!(matches!(first[3], Outcome::Published(published) if published.duplicate));
        broker.close().await.unwrap();
        drop((broker, queue, topic));

        // Now nothing is known but by looking it up.
        let broker = ground.open().await;
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let topic = broker.open_topic("t.fifo").await.unwrap();
        let mut tx = broker.transaction();
        tx.send(&queue, message("b", "b")).unwrap();
        tx.send(&queue, message("again", "a")).unwrap();
        tx.publish(&topic, publish()).unwrap();
        tx.send(&queue, message("again", "c")).unwrap();
        let second = tx.commit().await.unwrap().outcomes;
        assert!(!sent(&second[0]).duplicate);
        assert_eq!(sent(&second[1]), &Sent { duplicate: true, ..*sent(&first[0]) });
        assert!(matches!(second[2], Outcome::Published(published) if published.duplicate));
        assert!(sent(&second[3]).duplicate, "the topic has sent that id to the queue");
        assert_eq!(bodies(&queue).await, ["a", "c", "b"]);

        // One that has nothing but duplicates is as durable as any.
        let mut tx = broker.transaction();
        tx.send(&queue, message("again", "b")).unwrap();
        assert!(sent(&tx.commit().await.unwrap().outcomes[0]).duplicate);
        tokio::time::advance(Duration::from_secs(301)).await;
        let mut tx = broker.transaction();
        tx.send(&queue, message("anew", "b")).unwrap();
        assert!(!sent(&tx.commit().await.unwrap().outcomes[0]).duplicate);
    });
}

/// A transaction that is rejected has not taken the id.
// T9
#[test]
fn an_id_of_a_rejected_transaction_is_free() {
    everywhere(&async |_, broker| {
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let space = broker.space("s").await.unwrap();
        let mut tx = broker.transaction();
        tx.send(&queue, message("lost", "1")).unwrap();
        tx.get(&space, "k").await.unwrap();
        space.put("k", "x").await.unwrap();
        assert!(tx.commit().await.is_err());
        let mut tx = broker.transaction();
        tx.send(&queue, message("kept", "1")).unwrap();
        assert!(!sent(&tx.commit().await.unwrap().outcomes[0]).duplicate);
        assert_eq!(bodies(&queue).await, ["kept"]);
    });
}

/// The next message of a group comes when the one before it is acknowledged, in whichever way.
#[test]
fn an_ack_in_a_transaction_frees_the_group() {
    everywhere(&async |_, broker| {
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        for body in ["1", "2"] {
            queue.send(message(body, body)).await.unwrap();
        }
        let first = take(&queue, 1).await.remove(0);
        assert!(take(&queue, 1).await.is_empty());
        let mut tx = broker.transaction();
        tx.ack(&queue, first.receipt).unwrap();
        tx.send(&queue, message("3", "3")).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bodies(&queue).await, ["2", "3"]);
    });
}
