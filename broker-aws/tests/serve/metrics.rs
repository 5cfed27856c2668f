//! What is measured.

use broker_core::{PutRecord, ReceiveOptions, SendMessage, StartingPosition};

use crate::support::{ask, assert_status, listener, sqs};

#[tokio::test(start_paused = true)]
async fn queues_streams_and_requests_are_measured() {
    let (listener, broker) = listener().await;
    let orders = broker.queue("orders").await.unwrap();
    for body in ["one", "two", "three"] {
        orders.send(body).await.unwrap();
    }
    orders.send(SendMessage::new("later").delay(std::time::Duration::from_secs(600))).await.unwrap();
    orders.receive(ReceiveOptions::default()).await.unwrap();
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await.unwrap();
    clicks.put(PutRecord::new("k", "socks")).await.unwrap();
    drop(billing);
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;

    assert_status(&ask(listener.address(), sqs("ListQueues", "{}")).await, 200);
    assert_status(&ask(listener.address(), sqs("GetQueueUrl", r#"{"QueueName": "x"}"#)).await, 400);
    assert_status(&ask(listener.address(), sqs("Nonsense", "{}")).await, 400);
    let told = ask(listener.address(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_status(&told, 200);
    let realm = r#"account="000000000000",region="us-east-1""#;
    for line in [
        format!("broker_queue_messages_visible{{{realm},queue=\"orders\"}} 2"),
        format!("broker_queue_messages_in_flight{{{realm},queue=\"orders\"}} 1"),
        format!("broker_queue_messages_delayed{{{realm},queue=\"orders\"}} 1"),
        format!("broker_queue_oldest_message_age_seconds{{{realm},queue=\"orders\"}} 7"),
        format!(
            "broker_stream_iterator_age_seconds{{{realm},stream=\"clicks\",consumer=\"billing\",shard=\"shardId-000000000000\"}} 7"
        ),
        format!(
            "broker_stream_records_behind{{{realm},stream=\"clicks\",consumer=\"billing\",shard=\"shardId-000000000000\"}} 1"
        ),
        format!(
            "broker_stream_records_per_minute{{{realm},stream=\"clicks\",shard=\"shardId-000000000000\"}} 1"
        ),
        r#"broker_requests_total{service="sqs",operation="ListQueues",status="200"} 1"#.to_owned(),
        r#"broker_requests_total{service="sqs",operation="",status="400"} 2"#.to_owned(),
    ] {
        let found = told.lines().any(|one| one.starts_with(&line));
        assert!(found, "{line} in {told}");
    }
}
