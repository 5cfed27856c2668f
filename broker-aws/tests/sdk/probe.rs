//! The probe: the life of every message, also in the past.

use std::time::Duration;

use aws_sdk_sqs::Client;
use broker_aws::{End, Life, Probe, TestAws};
use broker_core::{MessageId, PublishMessage, QueueExt as _};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    aws: TestAws,
    sqs: Client,
    url: String,
    orders: Probe,
}

async fn world() -> World {
    let aws = TestAws::start().await.unwrap();
    let url = aws.queue("orders").await.unwrap();
    let sqs = Client::new(&aws.config());
    let orders = aws.probe("orders");
    World { aws, sqs, url, orders }
}

impl World {
    async fn send(&self, body: &str) -> MessageId {
        let sent = self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
        sent.message_id.unwrap().parse().unwrap()
    }

    async fn receive(&self) -> Option<String> {
        let received = self.sqs.receive_message().queue_url(&self.url).send().await.unwrap();
        received.messages.unwrap_or_default().pop().map(|message| message.receipt_handle.unwrap())
    }

    async fn delete(&self, receipt: String) {
        let delete = self.sqs.delete_message().queue_url(&self.url).receipt_handle(receipt);
        delete.send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_past_is_seen_too() {
    let world = world().await;
    let id = world.send("a").await;
    let now = world.aws.broker().now();
    let receipt = world.receive().await.unwrap();
    world.delete(receipt).await;
    let life = world.orders.wait(SECOND, Life::was_deleted).await;
    assert_eq!((life.id, life.text().as_ref()), (id, "a"));
    assert_eq!((life.sent_at, life.received_at.clone()), (now, vec![now]));
    assert_eq!(life.end, Some((End::Deleted, now)));
    assert_eq!(world.orders.all().await, [life]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_later_is_waited_for_on_virtual_time() {
    let world = world().await;
    let later = world.sqs.send_message().queue_url(&world.url).message_body("late");
    let start = Instant::now();
    tokio::spawn(async move {
        tokio::time::sleep(3_600 * SECOND).await;
        later.send().await
    });
    let life = world.orders.wait(2 * 3_600 * SECOND, |order| order.text() == "late").await;
    assert_eq!(start.elapsed(), 3_600 * SECOND);
    assert!(life.received_at.is_empty());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "not seen in \"orders\" within 60s")]
async fn what_does_not_come_is_told() {
    let world = world().await;
    world.send("a").await;
    world.orders.wait(60 * SECOND, Life::was_deleted).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_seen_at_once_and_without_a_wait() {
    let world = world().await;
    let start = Instant::now();
    world.orders.expect_none("is there", |_| true).await;
    world.send("a").await;
    world.orders.expect_none("was deleted", Life::was_deleted).await;
    world.orders.expect_none("was received", |order| !order.received_at.is_empty()).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a message of \"orders\" is there")]
async fn what_must_not_be_and_was_is_told() {
    let world = world().await;
    world.send("a").await;
    let receipt = world.receive().await.unwrap();
    world.delete(receipt).await;
    world.orders.expect_none("is there", |order| order.text() == "a").await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_seen_on_both_sides() {
    let world = world().await;
    world.aws.queue("dead").await.unwrap();
    let policy =
        r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}"#;
    let set = world.sqs.set_queue_attributes().queue_url(&world.url);
    set.attributes(aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    let id = world.send("a").await;
    world.receive().await.unwrap();
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(world.receive().await, None);
    let life = world.orders.wait(SECOND, Life::was_moved).await;
    assert_eq!(life.end.map(|(end, _)| end), Some(End::Moved("dead".into())));
    let letter = world.aws.probe("dead").wait(SECOND, |letter| letter.id == id).await;
    assert_eq!(letter.dead_letter_of.as_deref(), Some("orders"));
}

#[tokio::test(start_paused = true)]
async fn expired_and_purged_messages_are_seen() {
    let world = world().await;
    let id = world.send("a").await;
    tokio::time::sleep(4 * 86_400 * SECOND).await;
    let life = world.orders.wait(SECOND, |order| order.id == id && order.end.is_some()).await;
    assert_eq!(life.end.map(|(end, _)| end), Some(End::Expired));
    let id = world.send("b").await;
    world.sqs.purge_queue().queue_url(&world.url).send().await.unwrap();
    let life = world.orders.wait(SECOND, |order| order.id == id).await;
    assert_eq!(life.end.map(|(end, _)| end), Some(End::Purged));
}

#[tokio::test(start_paused = true)]
async fn topics_and_the_program_are_seen_as_well() {
    let world = world().await;
    let queue = world.aws.broker().open_queue("orders").await.unwrap();
    queue.send("by the program").await.unwrap();
    let topic = world.aws.broker().topic("news").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    topic.publish(PublishMessage::new("by a topic")).await.unwrap();
    let bodies: Vec<_> = world.orders.all().await.iter().map(|life| life.text().into_owned()).collect();
    assert_eq!(bodies, ["by the program", "by a topic"]);
    let delivery = queue.recv().await.unwrap();
    world.orders.wait(SECOND, |order| order.received_at.len() == 1).await;
    delivery.ack().await.unwrap();
    world.orders.wait(SECOND, Life::was_deleted).await;
}
