//! JSON as it is on the wire.

use broker_aws::Service;
use bytes::Bytes;
use serde_json::json;

use crate::support::{ask, ask_json, world_and_queue};

async fn service() -> Service {
    world_and_queue("orders").await.0.aws.service().clone()
}

#[tokio::test(start_paused = true)]
async fn an_error_has_its_shape_and_the_code_of_the_query_protocol() {
    let service = service().await;
    let answer = ask_json(&service, "GetQueueUrl", r#"{"QueueName": "missing"}"#).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "application/x-amz-json-1.0"));
    assert_eq!(answer.header("x-amzn-query-error"), "AWS.SimpleQueueService.NonExistentQueue;Sender");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    let told = json!({
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "The specified queue does not exist.",
    });
    assert_eq!(answer.json(), told);
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_members_that_are_there_and_no_others() {
    let service = service().await;
    let answer = ask_json(&service, "ReceiveMessage", r#"{"QueueUrl": "orders"}"#).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let answer = ask_json(&service, "PurgeQueue", r#"{"QueueUrl": "orders"}"#).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let answer = ask_json(&service, "ListQueues", "").await;
    assert_eq!(answer.json(), json!({ "QueueUrls": ["http://localhost/000000000000/orders"] }));
    let answer =
        ask_json(&service, "ListQueues", r#"{"QueueNamePrefix": null, "Unknown": {"a": [1]}}"#).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_input_is_a_serialization_error() {
    let service = service().await;
    let deep = "[".repeat(100_000);
    let deep_member = format!("{{\"Unknown\": {deep}");
    for bad in [
        "{",
        "7",
        "[]",
        "[\"a\"]",
        "\"text\"",
        "{\"QueueName\": 7}",
        "{\"QueueName\": \"a\", \"Attributes\": []}",
        deep.as_str(),
        deep_member.as_str(),
    ] {
        let answer = ask_json(&service, "CreateQueue", bad.to_owned()).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["__type"], "com.amazonaws.sqs#SerializationException");
    }
    let not_utf8 = ask_json(&service, "CreateQueue", Bytes::from_static(b"{\"QueueName\": \"\xff\"}")).await;
    assert_eq!(not_utf8.status, 400);
    let huge = r#"{"QueueUrl": "orders", "MaxNumberOfMessages": 99999999999999999999}"#;
    assert_eq!(ask_json(&service, "ReceiveMessage", huge).await.status, 400);
    let bad_base64 = r#"{"QueueUrl": "orders", "MessageBody": "a", "MessageAttributes":
        {"k": {"DataType": "Binary", "BinaryValue": "no base64!"}}}"#;
    let answer = ask_json(&service, "SendMessage", bad_base64).await;
    assert_eq!(answer.json()["__type"], "com.amazonaws.sqs#SerializationException");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_told_so() {
    let service = service().await;
    let answer = ask_json(&service, "MakeQueue", "{}").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["__type"], "com.amazonaws.sqs#UnknownOperationException");
    for target in ["AmazonSNS.Publish", "nothing", ""] {
        let request = http::Request::post("http://localhost/").header("x-amz-target", target);
        let answer = ask(&service, request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.status, 400, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_go_to_the_url_of_the_queue() {
    let service = service().await;
    let post = |path: &str, body: &'static str| {
        let request = http::Request::post(format!("http://localhost:4566{path}"));
        let request =
            request.header("x-amz-target", "AmazonSQS.SendMessage").header("host", "localhost:4566");
        request.body(Bytes::from_static(body.as_bytes())).unwrap()
    };
    assert_eq!(ask(&service, post("/000000000000/orders", r#"{"MessageBody": "a"}"#)).await.status, 200);
    let elsewhere = ask(&service, post("/111111111111/orders", r#"{"MessageBody": "a"}"#)).await;
    assert_eq!(elsewhere.json()["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    for nowhere in [r#"{"MessageBody": "a"}"#, r#"{"QueueUrl": "", "MessageBody": "a"}"#] {
        let refused = ask(&service, post("/", nowhere)).await;
        assert_eq!(refused.header("x-amzn-query-error"), "MissingParameter;Sender");
    }
    let here = post("/000000000000/orders", r#"{"QueueUrl": "", "MessageBody": "a"}"#);
    assert_eq!(ask(&service, here).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn queue_urls_start_with_the_host_of_the_request_or_with_the_endpoint() {
    let broker = world_and_queue("orders").await.0.aws.broker().clone();
    let find = |service: Service, host: &'static str| async move {
        let request = http::Request::post("/").header("host", host);
        let request = request.header("x-amz-target", "AmazonSQS.GetQueueUrl");
        let request = request.body(Bytes::from_static(br#"{"QueueName": "orders"}"#)).unwrap();
        ask(&service, request).await.json()["QueueUrl"].as_str().unwrap().to_owned()
    };
    let plain = Service::new(broker.clone());
    assert_eq!(find(plain.clone(), "broker:4566").await, "http://broker:4566/000000000000/orders");
    assert_eq!(find(plain, "a\"b<c").await, "http://localhost/000000000000/orders");
    let realms = broker_aws::SingleRealm::new(broker_aws::Realm::default(), broker);
    let fixed = Service::builder(realms).endpoint("https://queues.example/").build();
    assert_eq!(find(fixed, "broker:4566").await, "https://queues.example/000000000000/orders");
}

#[tokio::test(start_paused = true)]
async fn every_operation_of_the_model_is_there() {
    let service = service().await;
    let model: serde_json::Value = serde_json::from_str(include_str!("../models/sqs.json")).unwrap();
    let operations = model["operations"].as_object().unwrap();
    assert_eq!(operations.len(), 23);
    for operation in operations.keys() {
        let answer = ask_json(&service, operation, "{}").await;
        let unknown = answer.body.contains("UnknownOperation");
        assert!(!unknown, "{operation}: {answer:?}");
    }
}

// Q24
#[tokio::test(start_paused = true)]
async fn the_header_of_a_trace_is_that_of_the_message() {
    let service = service().await;
    let given = json!({ "AWSTraceHeader": { "DataType": "String", "StringValue": "Root=1-of-the-message" } });
    for (system, trace) in [(json!({}), "Root=1-5759e988"), (given, "Root=1-of-the-message")] {
        let send = http::Request::post("/").header("x-amz-target", "AmazonSQS.SendMessage");
        let send = send.header("x-amzn-trace-id", "Root=1-5759e988");
        let body = json!({ "QueueUrl": "orders", "MessageBody": "a", "MessageSystemAttributes": system });
        let answer = ask(&service, send.body(Bytes::from(body.to_string())).unwrap()).await;
        let digest = answer.json().get("MD5OfMessageSystemAttributes").is_some();
        assert_eq!(digest, trace == "Root=1-of-the-message", "of what was sent as an attribute");
        let receive = r#"{"QueueUrl": "orders", "MessageSystemAttributeNames": ["AWSTraceHeader"]}"#;
        let received = ask_json(&service, "ReceiveMessage", receive).await;
        assert_eq!(received.json()["Messages"][0]["Attributes"], json!({ "AWSTraceHeader": trace }));
    }
}
