//! What destinations are told, to the byte. L18, L19, L21.

use std::sync::Arc;

use async_trait::async_trait;
use broker_worker::{
    event::Source,
    handler::BoxError,
    invoke::{
        AsyncFunction, BusDestination, Destination, EventBus, FunctionDestination, InvokeConfig,
        ObjectDestination, ObjectStore, TopicDestination, function,
    },
};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{World, on_failure, on_success, secs};

/// RFC 3339 with milliseconds, in UTC.
fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    let fits = |(c, f): (char, char)| if f == '0' { c.is_ascii_digit() } else { c == f };
    text.len() == form.len() && text.chars().zip(form.chars()).all(fits)
}

// L18
#[tokio::test(start_paused = true)]
async fn a_success_is_told_with_event_and_answer() {
    let world = World::new().await;
    let told = world.queue("told").await;
    let function = world.working("orders").await.config(on_success(&told)).start().await.unwrap();
    let accepted = function.invoke("{\"b\": 1, \"a\": 1.50}").await.unwrap();
    let (_, message) = world.arrival(&told).await;
    let text = message.text().unwrap();
    let timestamp = message.json::<Value>().unwrap()["timestamp"].as_str().unwrap().to_owned();
    assert!(is_time(&timestamp), "{timestamp}");
    let expected = format!(
        concat!(
            r#"{{"version":"1.0","timestamp":"{}","requestContext":{{"requestId":"{}","#,
            r#""functionArn":"arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST","#,
            r#""condition":"Success","approximateInvokeCount":1}},"requestPayload":{{"b": 1, "a": 1.50}},"#,
            r#""responseContext":{{"statusCode":200,"executedVersion":"$LATEST"}},"responsePayload":"done"}}"#,
        ),
        timestamp, accepted.request_id
    );
    assert_eq!(text, expected);
}

// L18
#[tokio::test(start_paused = true)]
async fn a_failure_is_told_with_its_error_and_the_version_that_ran() {
    let world = World::new().await;
    let told = world.queue("told").await;
    let source = Source { region: "eu-west-1".into(), account: "123456789012".into(), ..Source::default() };
    let config = InvokeConfig { maximum_retry_attempts: Some(0), ..on_failure(&told) };
    let function = world.failing("orders").await.qualifier("live", "3").source(source).config(config);
    let function = function.start().await.unwrap();
    let accepted = function.invoke("[]").await.unwrap();
    let (_, mut record) = world.record(&told).await;
    assert!(is_time(record["timestamp"].take().as_str().unwrap()));
    let id = accepted.request_id.to_string();
    let expected = json!({
        "version": "1.0",
        "timestamp": null,
        "requestContext": {
            "requestId": id,
            "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": [],
        "responseContext": {"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": "no such order", "errorType": "Error", "requestId": id, "stackTrace": [],
        },
    });
    assert_eq!(record, expected);
}

/// Keeps what it is told.
#[derive(Default)]
struct Kept(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl EventBus for Kept {
    fn arn(&self) -> &'static str {
        "arn:aws:events:us-east-1:000000000000:event-bus/main"
    }

    async fn put_event(&self, event: Value) -> Result<(), BoxError> {
        self.0.lock().push((String::new(), event));
        Ok(())
    }
}

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

/// What is kept when a function has run once, with and without success.
async fn told(
    world: &World,
    kept: &Arc<Kept>,
    destination: Arc<dyn Destination>,
    works: bool,
) -> (String, Value) {
    let function = if works { world.working("orders").await } else { world.failing("orders").await };
    let (on_success, on_failure) = if works { (Some(destination), None) } else { (None, Some(destination)) };
    let config =
        InvokeConfig { maximum_retry_attempts: Some(0), on_success, on_failure, ..Default::default() };
    let function = function.config(config).start().await.unwrap();
    function.invoke("7").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    function.stop(secs(1)).await;
    kept.0.lock().pop().unwrap()
}

// L19: a bus.
#[tokio::test(start_paused = true)]
async fn a_bus_gets_an_event_around_the_record() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    for (works, outcome, condition) in [(true, "Success", "Success"), (false, "Failure", "RetriesExhausted")]
    {
        let bus = BusDestination::new(kept.clone(), Source::default());
        let (_, mut event) = told(&world, &kept, bus, works).await;
        let detail = event["detail"].take();
        assert_eq!(event["time"].take(), detail["timestamp"]);
        assert!(event["id"].take().is_string());
        let expected = json!({
            "version": "0", "id": null, "time": null, "detail": null,
            "detail-type": format!("Lambda Function Invocation Result - {outcome}"),
            "source": "lambda", "account": "000000000000", "region": "us-east-1",
            "resources": [
                "arn:aws:events:us-east-1:000000000000:event-bus/main",
                "arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST",
            ],
        });
        assert_eq!(event, expected);
        assert_eq!(detail["requestContext"]["condition"], condition);
        assert_eq!(detail["requestPayload"], 7);
    }
}

// L19: an object store.
#[tokio::test(start_paused = true)]
async fn an_object_store_gets_the_record_under_a_dated_key() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    let (key, record) = told(&world, &kept, ObjectDestination::new(kept.clone()), false).await;
    let time = record["timestamp"].as_str().unwrap();
    let (day, second) = (time[..10].replace('-', "/"), time[..19].replace(':', "."));
    let start = format!("aws/lambda/async/orders/{day}/{second}-");
    let id = key.strip_prefix(&start).unwrap_or_else(|| panic!("{key} does not begin with {start}"));
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
}

// L19: a function.
#[tokio::test(start_paused = true)]
async fn a_function_gets_the_record_as_its_event() {
    let world = World::new().await;
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let audit = {
        let seen = seen.clone();
        function(move |record: Value, _| {
            seen.lock().push(record);
            async { Ok::<_, std::fmt::Error>(()) }
        })
    };
    let audit = AsyncFunction::new("audit", world.queue("audit-events").await, audit).start().await.unwrap();
    let on_success: Option<Arc<dyn Destination>> = Some(FunctionDestination::new((*audit).clone()));
    let config = InvokeConfig { on_success, ..Default::default() };
    let function = world.working("orders").await.config(config).start().await.unwrap();
    function.invoke("7").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let seen = seen.lock();
    assert_eq!((seen.len(), &seen[0]["requestPayload"]), (1, &json!(7)));
    assert_eq!(seen[0]["requestContext"]["condition"], "Success");
}

// L21
#[tokio::test(start_paused = true)]
async fn a_topic_gets_no_payloads_if_they_are_too_large() {
    let world = World::new().await;
    let told = world.queue("told").await;
    let topic = world.broker.topic("told").await.unwrap();
    topic.subscribe(&told).raw_delivery(true).await.unwrap();
    let on_success: Option<Arc<dyn Destination>> = Some(TopicDestination::new(Arc::new(topic)).unwrap());
    let config = InvokeConfig { on_success, ..Default::default() };
    let function = world.working("orders").await.config(config).start().await.unwrap();
    for (bytes, whole) in [(200_000, true), (256 * 1024, false)] {
        function.invoke(format!("\"{}\"", "x".repeat(bytes))).await.unwrap();
        let (_, record) = world.record(&told).await;
        assert_eq!(record.get("requestPayload").is_some(), whole);
        assert_eq!(record.get("responsePayload").is_some(), whole);
        assert_eq!(record["responseContext"]["statusCode"], 200);
        assert_eq!(record["requestContext"]["condition"], "Success");
    }
}
