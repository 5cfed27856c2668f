//! The JSON of events (rule L35), field by field.

use broker_core::{AttributeValue, LocalQueue, QueueExt, SendMessage};
use broker_worker::event::{Source, sqs::SqsRecord};
use serde_json::{Value, json};

use crate::ground::{broker, send_fifo};

async fn record(queue: &LocalQueue) -> (Value, broker_core::Message) {
    let message = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    let record = SqsRecord::new(&message, queue.name(), &Source::default());
    let json = serde_json::to_value(&record).unwrap();
    // What is written can be read.
    assert_eq!(serde_json::from_value::<SqsRecord>(json.clone()).unwrap(), record);
    (json, message)
}

// L35: a record without anything optional.
#[tokio::test(start_paused = true)]
async fn a_record_has_these_fields() {
    let queue = broker().await.queue("orders").await.unwrap();
    queue.send_one(SendMessage::from("hello")).await.unwrap();
    let (record, message) = record(&queue).await;
    let expected = json!({
        "messageId": message.id.to_string(),
        "receiptHandle": message.receipt.to_string(),
        "body": "hello",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": message.sent_at.as_millis().to_string(),
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": message.first_received_at.as_millis().to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "md5OfMessageAttributes": null,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
        "awsRegion": "us-east-1",
    });
    assert_eq!(record, expected);
}

// L35: message attributes, with the digest that SQS gives for them.
#[tokio::test(start_paused = true)]
async fn a_record_has_attributes_and_their_digest() {
    let queue = broker().await.queue("orders").await.unwrap();
    let message = SendMessage::from("hello")
        .attribute("name", AttributeValue::string("value"))
        .attribute("size", AttributeValue::number(7))
        .attribute("raw", AttributeValue::binary(vec![1, 2, 3]))
        .trace_header("Root=1-5759e988-bd862e3fe1be46a994272793");
    queue.send_one(message).await.unwrap();
    let (record, _) = record(&queue).await;
    let expected = json!({
        "name": {"stringValue": "value", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AQID", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        "size": {"stringValue": "7", "stringListValues": [], "binaryListValues": [], "dataType": "Number"},
    });
    assert_eq!(record["messageAttributes"], expected);
    assert_eq!(record["attributes"]["AWSTraceHeader"], "Root=1-5759e988-bd862e3fe1be46a994272793");
    // Computed by another implementation of the documented algorithm.
    assert_eq!(record["md5OfMessageAttributes"], "8b8bbd035630a5592eae809700813062");
}

// L35: what only FIFO queues have.
#[tokio::test(start_paused = true)]
async fn a_record_of_a_fifo_queue_has_group_number_and_deduplication_id() {
    let queue = broker().await.queue("orders.fifo").fifo().await.unwrap();
    send_fifo(&queue, &[("g", "hello")]).await;
    let (record, message) = record(&queue).await;
    assert_eq!(record["attributes"]["MessageGroupId"], "g");
    assert_eq!(record["attributes"]["MessageDeduplicationId"], "hello");
    assert_eq!(record["attributes"]["SequenceNumber"], message.sequence_number.unwrap().to_string());
}

// L35: where a dead letter comes from.
#[tokio::test(start_paused = true)]
async fn a_record_of_a_dead_letter_names_the_source() {
    let broker = broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let queue = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    queue.send_one(SendMessage::from("hello")).await.unwrap();
    queue.recv().await.unwrap().dead("no").await.unwrap();
    let (record, _) = record(&dead).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders";
    assert_eq!(record["attributes"]["DeadLetterQueueSourceArn"], arn);
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "2");
}
