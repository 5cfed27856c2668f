//! Records in the JSON of Lambda. L36.

use broker_core::ShardId;
use broker_worker::{
    event::Source,
    stream::{KinesisEvent, StreamMapping, function},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{World, secs};

// L36
#[tokio::test(start_paused = true)]
async fn a_function_gets_records_in_the_json_of_lambda() {
    let world = World::new(1).await;
    let number = world.put("k", "a").await[0].to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let handler = function(Source::default(), move |event: KinesisEvent, _| {
        notes.lock().push(serde_json::to_string(&event).unwrap());
        async { Ok::<_, std::fmt::Error>(Value::Null) }
    });
    let running = StreamMapping::new("bill", world.stream.clone(), handler).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(running.counts().done, 1);
    let text = seen.lock()[0].clone();
    let event: Value = serde_json::from_str(&text).unwrap();
    let arrived = event["Records"][0]["kinesis"]["approximateArrivalTimestamp"].as_f64().unwrap();
    let reader = world.stream.reader(ShardId(0), broker_core::StartingPosition::TrimHorizon).await;
    let put = reader.unwrap().next().await.unwrap().unwrap().arrived_at.as_millis();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of this century"
    )]
    let millis = (arrived * 1_000.0).round() as u64;
    assert_eq!(millis, put);
    let expected = json!({"Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "k",
            "sequenceNumber": number,
            "data": "YQ==",
            "approximateArrivalTimestamp": arrived,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    }]});
    assert_eq!(event, expected);
    // Without tumbling windows there is nothing of them.
    assert!(text.starts_with(r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"k","#));
    assert!(text.ends_with("}]}"), "{text}");
}
