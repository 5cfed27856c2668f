//! Requests of someone who means no good: each gets an error of its protocol, and nothing panics.
//!
//! The fuzz target `aws_request` looks for more of them; what it finds goes into `corpus`, which is put to the service here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod exercise;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use broker_aws::Service;
use broker_core::Broker;
use bytes::Bytes;
use proptest::prelude::*;

async fn service() -> Service {
    Service::new(Broker::open(broker_mem::MemStorage::new()).await.unwrap())
}

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json10,
    Json11,
    Cbor,
    Query,
}

/// The status and the body of the answer.
async fn ask(service: &Service, form: Form, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let request = http::Request::post("/000000000000/orders");
    let request = match form {
        Form::Json10 => request.header("content-type", "application/x-amz-json-1.0"),
        Form::Json11 => request.header("content-type", "application/x-amz-json-1.1"),
        Form::Cbor => request.header("content-type", "application/x-amz-cbor-1.1"),
        Form::Query => request.header("content-type", "application/x-www-form-urlencoded"),
    };
    let request = if form == Form::Query { request } else { request.header("x-amz-target", target) };
    let response = service.handle(request.body(Bytes::copy_from_slice(body)).unwrap()).await;
    let status = response.status().as_u16();
    (status, response.body().whole().expect("a whole body").to_vec())
}

/// An answer that is an error of the sender, in the protocol of the request.
fn assert_refused(form: Form, status: u16, body: &[u8], what: &str) {
    assert!((400..500).contains(&status), "{what}: {status}");
    match form {
        Form::Json10 | Form::Json11 => {
            let told: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert!(told["__type"].is_string(), "{what}: {told}");
        }
        Form::Cbor => {
            let kind = body.windows(6).any(|window| window == b"__type");
            assert!(kind, "{what}: {body:?}");
        }
        Form::Query => {
            let told = std::str::from_utf8(body).unwrap();
            assert!(told.contains("<Code>") && told.ends_with("</ErrorResponse>"), "{what}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_deep_huge_or_broken_is_refused_in_every_protocol() {
    let service = service().await;
    // In a member that there is; one that there is not is skipped, however deep.
    let deep = |member: &str| {
        let start = format!("{{\"{member}\":");
        [start.into_bytes(), b"{\"a\":".repeat(50_000), b"1".to_vec(), b"}".repeat(50_001)].concat()
    };
    assert_eq!(ask(&service, Form::Json11, "Kinesis_20131202.ListStreams", &deep("Unknown")).await.0, 200);
    let (deep_json, deep_stream) = (deep("MessageAttributes"), deep("Limit"));
    // Arrays of one, and maps whose key is an array of one.
    let (deep_cbor, endless_cbor) = (vec![0x81; 100_000], vec![0x9f; 100_000]);
    let huge_length = [&[0xbb][..], &[0xff; 8]].concat();
    let huge_text = [&[0xa1, 0x7b][..], &[0xff; 8]].concat();
    let mut many = String::from("Action=SendMessageBatch");
    for n in 0..5_000 {
        write!(many, "&SendMessageBatchRequestEntry.{n}.Id=a").unwrap();
    }
    let deep_form = format!("Action=SendMessage&{}=1", vec!["MessageAttribute"; 10_000].join("."));
    let entities = "Action=SendMessage&MessageBody=<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;&QueueUrl=%26b;";
    for (form, target, body) in [
        (Form::Json10, "AmazonSQS.SendMessage", deep_json.as_slice()),
        (Form::Json10, "AmazonSQS.SendMessage", b"{\"QueueUrl\": \"\\ud800\"}"),
        (Form::Json10, "AmazonSQS.SendMessage", b"\xff\xfe{}"),
        (Form::Json10, "AmazonSQS.ReceiveMessage", b"{\"QueueUrl\": \"a\", \"WaitTimeSeconds\": 1e400}"),
        (
            Form::Json10,
            "AmazonSQS.ReceiveMessage",
            b"{\"QueueUrl\": \"a\", \"WaitTimeSeconds\": -9223372036854775809}",
        ),
        (Form::Json11, "Kinesis_20131202.ListStreams", deep_stream.as_slice()),
        (Form::Cbor, "Kinesis_20131202.ListStreams", deep_cbor.as_slice()),
        (Form::Cbor, "Kinesis_20131202.ListStreams", endless_cbor.as_slice()),
        (Form::Cbor, "Kinesis_20131202.ListStreams", huge_length.as_slice()),
        (Form::Cbor, "Kinesis_20131202.ListStreams", huge_text.as_slice()),
        (Form::Query, "", many.as_bytes()),
        (Form::Query, "", deep_form.as_bytes()),
        (Form::Query, "", entities.as_bytes()),
        (Form::Query, "", b"%%%&=&&==&Action=%ff&\xff"),
        (Form::Query, "", b"Action=Publish&Version=2010-03-31&MessageAttributes.entry.999999999999.Name=a"),
    ] {
        let (status, answer) = ask(&service, form, target, body).await;
        let start = &body[..body.len().min(40)];
        assert_refused(form, status, &answer, &String::from_utf8_lossy(start));
    }
}

/// A structure is an object: its members one after the other are none, however deep it is.
#[tokio::test(start_paused = true)]
async fn arrays_are_no_structures() {
    let service = service().await;
    for (form, target, body) in [
        (Form::Json10, "AmazonSQS.ListQueues", r#"["orders"]"#),
        (
            Form::Json10,
            "AmazonSQS.SendMessage",
            r#"{"QueueUrl": "a", "MessageBody": "b", "MessageAttributes": {"c": ["d", null, null, null, "String"]}}"#,
        ),
        (Form::Json10, "AmazonSQS.SendMessageBatch", r#"{"QueueUrl": "a", "Entries": [["1", "b"]]}"#),
        (
            Form::Json11,
            "Kinesis_20131202.PutRecords",
            r#"{"StreamName": "a", "Records": [["aGk=", null, "k"]]}"#,
        ),
    ] {
        let mut cbor = Vec::new();
        ciborium::into_writer(&serde_json::from_str::<serde_json::Value>(body).unwrap(), &mut cbor).unwrap();
        for (form, body) in [(form, body.as_bytes()), (Form::Cbor, &cbor)] {
            let (status, answer) = ask(&service, form, target, body).await;
            assert_refused(form, status, &answer, target);
            assert!(String::from_utf8_lossy(&answer).contains("SerializationException"), "{form:?} {target}");
        }
    }
    // Nothing may stand behind the input either.
    for (form, body) in [(Form::Json11, &b"{}{}"[..]), (Form::Cbor, b"\xa0\xa0")] {
        let (status, answer) = ask(&service, form, "Kinesis_20131202.ListStreams", body).await;
        assert_refused(form, status, &answer, "two inputs");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_may_be_anything() {
    let service = service().await;
    let long = "a".repeat(1_000_000);
    let credential = format!("AWS4-HMAC-SHA256 Credential={long}/{long}/{long}/{long}/{long}");
    for (name, value) in [
        ("authorization", credential.as_bytes()),
        ("authorization", b"AWS4-HMAC-SHA256 Credential=////"),
        ("authorization", b"AWS4-HMAC-SHA256 Credential=a/b/..%2f../sqs/aws4_request"),
        ("authorization", b"AWS4-\xff"),
        ("host", long.as_bytes()),
        ("host", b"\"><script>"),
        ("x-amz-target", long.as_bytes()),
        ("x-amz-target", b"AmazonSQS."),
        ("x-amz-target", b"\xff"),
        ("x-amzn-trace-id", long.as_bytes()),
        ("accept", b"\xff"),
    ] {
        let request = http::Request::post("/").header(name, value);
        let request = request.body(Bytes::from_static(b"Action=Nothing")).unwrap();
        let status = service.handle(request).await.status();
        assert!(status.is_client_error(), "{name}: {status}");
    }
}

/// The requests of the corpus, each file with what it is answered.
#[test]
fn the_corpus_is_answered_as_it_was() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/corpus");
    let mut answered = BTreeMap::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        answered.insert(name, exercise::exercise(&fs::read(path).unwrap()));
    }
    for (name, statuses) in &answered {
        // The name begins with the statuses: `200-400-deep-json`.
        let told: Vec<String> = statuses.iter().map(ToString::to_string).collect();
        assert!(name.starts_with(&format!("{}-", told.join("-"))), "{name}: {statuses:?}");
        assert!(!statuses.is_empty(), "{name} has a request");
    }
    assert!(answered.len() > 30, "only {} files found", answered.len());
}

/// Operations of which a part is known, so that more than the first check is reached.
const OPERATIONS: [&str; 8] = [
    "AmazonSQS.CreateQueue",
    "AmazonSQS.SendMessage",
    "AmazonSQS.SendMessageBatch",
    "AmazonSQS.ReceiveMessage",
    "AmazonSQS.SetQueueAttributes",
    "AmazonSQS.CancelMessageMoveTask",
    "Kinesis_20131202.PutRecord",
    "Kinesis_20131202.GetShardIterator",
];

/// JSON of the kind that the operations take, with values that they may not expect.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let names = prop::sample::select(vec![
        "QueueName",
        "QueueUrl",
        "Attributes",
        "Entries",
        "Id",
        "MessageBody",
        "MessageAttributes",
        "DataType",
        "BinaryValue",
        "StringValue",
        "MaxNumberOfMessages",
        "RedrivePolicy",
        "Policy",
        "TaskHandle",
        "StreamName",
        "Data",
        "PartitionKey",
        "ShardId",
        "NextToken",
        "tags",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        Just("orders".into()),
        Just("eyJ0YXNrSWQiOiIiLCJzb3VyY2VBcm4iOiIifQ==".into()),
        Just("arn:aws:sqs:us-east-1:000000000000:orders".into()),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                serde_json::Value::Object(members.collect())
            }),
        ]
    })
}

/// What the service answers to this, on a runtime of its own.
fn answered(form: Form, target: &str, body: &[u8]) -> u16 {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { ask(&service().await, form, target, body).await.0 })
}

proptest! {
    #[test]
    fn no_json_and_no_cbor_does_harm(body in json(), target in prop::sample::select(OPERATIONS.to_vec())) {
        let form = if target.starts_with("Kinesis") { Form::Json11 } else { Form::Json10 };
        prop_assert!(answered(form, target, body.to_string().as_bytes()) < 500);
        let mut cbor = Vec::new();
        ciborium::into_writer(&body, &mut cbor).unwrap();
        prop_assert!(answered(Form::Cbor, target, &cbor) < 500);
    }

    #[test]
    fn no_bytes_do_harm(body in prop::collection::vec(any::<u8>(), 0..64), target in "[ -~]{0,30}") {
        for form in [Form::Json10, Form::Cbor, Form::Query] {
            prop_assert!(answered(form, &target, &body) < 500);
        }
        prop_assert!(answered(Form::Cbor, "Kinesis_20131202.PutRecord", &body) < 500);
    }

    #[test]
    fn no_form_does_harm(form in "(Action=(SendMessage|CreateQueue|Publish|SendMessageBatch))(&[A-Z][a-zA-Z]{0,20}(\\.[0-9a-zA-Z]{1,9}){0,6}=[ -~]{0,9}){0,12}") {
        prop_assert!(answered(Form::Query, "", form.as_bytes()) < 500);
    }
}
