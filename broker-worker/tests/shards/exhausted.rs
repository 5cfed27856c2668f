//! What is given up, and who is told. L82, L83, L84, L89.

use std::sync::Arc;

use async_trait::async_trait;
use broker_worker::{
    Failure,
    handler::BoxError,
    invoke::{ObjectDestination, ObjectStore, TopicDestination},
    stream::{KinesisEvent, RecordBatch},
};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use crate::support::{World, owned, queue, secs};

// L82, L83, L84
#[tokio::test(start_paused = true)]
async fn an_exhausted_batch_is_reported_and_the_lane_goes_on() {
    let world = World::new(1).await;
    world.put("k", "Xab").await;
    let failed = world.queue("failed").await;
    let mapping = world.poisoned("X").batch_size(2).maximum_retry_attempts(3).on_failure(queue(&failed));
    let running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    // Half a second, one, two.
    assert_eq!(world.timeline(), owned([(0, "Xa"), (500, "Xa"), (1_500, "Xa"), (3_500, "Xa"), (3_500, "b")]));
    assert_eq!(world.told(&failed).await.len(), 1);
    let group = world.stream.consumer_groups().await.unwrap().remove(0);
    assert_eq!((group.leases[0].behind, running.counts().given_up), (0, 2));
}

// L82: a timeout and a panic use up attempts like an error.
#[tokio::test(start_paused = true)]
async fn timeouts_and_panics_use_up_attempts() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let failed = world.queue("failed").await;
    let wild = |_: RecordBatch, context: broker_worker::Context| async move {
        assert_eq!(context.attempt() % 2, 1, "attempt {}", context.attempt());
        std::future::pending::<Result<(), Failure>>().await
    };
    let mapping = world.mapping(wild).maximum_retry_attempts(2).timeout(secs(5)).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.timeline(), owned([(0, "a"), (5_500, "a"), (6_500, "a")]));
    let told = world.told(&failed).await;
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(told[0]["responseContext"]["functionError"], "Unhandled");
}

// L82: without a limit it is tried for as long as it takes, every 16 seconds in the end.
#[tokio::test(start_paused = true)]
async fn without_a_limit_a_batch_is_tried_until_it_works() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let late = |_: RecordBatch, context: broker_worker::Context| async move {
        if context.attempt() < 500 { Err(Failure::new("not yet")) } else { Ok(()) }
    };
    let running = world.mapping(late).start().await.unwrap();
    tokio::time::sleep(secs(3 * 3_600)).await;
    assert_eq!((running.counts().done, running.counts().invocations), (1, 500));
    assert_eq!(world.calls()[499].at, 15_500 + 494 * 16_000);
}

// L89: to the byte.
#[tokio::test(start_paused = true)]
async fn the_record_of_an_exhausted_batch_is_that_of_lambda() {
    let world = World::new(1).await;
    let numbers = world.put("k", "ab").await;
    let failed = world.queue("failed").await;
    let id = Arc::new(Mutex::new(String::new()));
    let noted = id.clone();
    let fails = move |_: RecordBatch, context: broker_worker::Context| {
        *noted.lock() = context.request_id().to_string();
        async { Err::<(), _>(Failure::new("no")) }
    };
    let mapping = world.mapping(fails).maximum_retry_attempts(0).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let message = failed.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    let record: Value = message.json().unwrap();
    let arrived = world.stream.reader(broker_core::ShardId(0), broker_core::StartingPosition::TrimHorizon);
    let arrived = arrived.await.unwrap().next().await.unwrap().unwrap().arrived_at.to_string();
    let expected = format!(
        concat!(
            r#"{{"requestContext":{{"requestId":"{id}","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:bill","#,
            r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":1}},"#,
            r#""responseContext":{{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}},"#,
            r#""version":"1.0","timestamp":"{time}","#,
            r#""KinesisBatchInfo":{{"shardId":"shardId-000000000000","startSequenceNumber":"{first}","#,
            r#""endSequenceNumber":"{last}","approximateArrivalOfFirstRecord":"{arrived}","#,
            r#""approximateArrivalOfLastRecord":"{arrived}","batchSize":2,"#,
            r#""streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}}}}"#,
        ),
        id = id.lock(),
        time = record["timestamp"].as_str().unwrap(),
        first = numbers[0],
        last = numbers[1],
        arrived = arrived,
    );
    assert_eq!(message.text(), Ok(expected.as_str()));
}

#[derive(Default)]
struct Kept(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl ObjectStore for Kept {
    fn arn(&self) -> &'static str {
        "arn:aws:s3:::failed"
    }

    async fn put_object(&self, key: &str, body: Bytes) -> Result<(), BoxError> {
        self.0.lock().push((key.to_owned(), serde_json::from_slice(&body)?));
        Ok(())
    }
}

// L89: an object store gets the event too.
#[tokio::test(start_paused = true)]
async fn an_object_store_gets_the_event_as_a_text() {
    let world = World::new(1).await;
    world.put("k", "ab").await;
    let kept = Arc::new(Kept::default());
    let id = uuid::Uuid::new_v4();
    let mapping = world.poisoned("a").maximum_retry_attempts(0).id(id);
    let _running = mapping.on_failure(ObjectDestination::new(kept.clone())).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let (key, record) = kept.0.lock().pop().unwrap();
    let time = record["timestamp"].as_str().unwrap();
    let (day, second) = (time[..10].replace('-', "/"), time[..19].replace(':', "."));
    let start = format!("aws/lambda/{id}/shardId-000000000000/{day}/{second}-");
    assert!(key.strip_prefix(&start).is_some_and(|id| id.parse::<uuid::Uuid>().is_ok()), "{key}");
    let event: KinesisEvent = serde_json::from_str(record["payload"].as_str().unwrap()).unwrap();
    let data: Vec<&str> = event.records.iter().map(|record| record.kinesis.data.as_str()).collect();
    assert_eq!(data, ["YQ==", "Yg=="]);
    assert_eq!(record["KinesisBatchInfo"]["batchSize"], 2);
}

// L89: a topic gets the same as a queue.
#[tokio::test(start_paused = true)]
async fn a_topic_gets_the_record_as_its_message() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let told = world.queue("told").await;
    let topic = world.broker.topic("failed").await.unwrap();
    topic.subscribe(&told).raw_delivery(true).await.unwrap();
    let mapping = world.poisoned("a").maximum_retry_attempts(0);
    let topic = TopicDestination::new(Arc::new(topic)).unwrap();
    let _running = mapping.on_failure(topic).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let told = world.told(&told).await;
    assert_eq!(told[0]["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert!(told[0].get("payload").is_none());
}

// L83: a destination that takes nothing does not hold up the shard.
#[tokio::test(start_paused = true)]
async fn a_destination_that_takes_nothing_is_counted() {
    let world = World::new(1).await;
    world.put("k", "ab").await;
    let failed = world.queue("failed").await;
    let mapping = world.poisoned("a").batch_size(1).maximum_retry_attempts(0).on_failure(queue(&failed));
    let running = mapping.start().await.unwrap();
    world.broker.delete_queue("failed").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.texts(), ["a", "b"]);
    assert_eq!((running.counts().destination_failures, running.counts().done), (1, 1));
}
