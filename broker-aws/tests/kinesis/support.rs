//! What the tests share: an AWS with a client, errors as clients see them, and requests by hand.

use std::time::Duration;

use aws_sdk_kinesis::{Client, operation::get_records::GetRecordsOutput, types::ShardIteratorType};
use aws_smithy_types::Blob;
use broker_aws::{Service, TestAws};
use bytes::Bytes;

pub(crate) use crate::refusal::refusal;

pub(crate) const ACCOUNT: &str = "000000000000";

/// An AWS and a client of its Kinesis.
pub(crate) struct World {
    pub(crate) aws: TestAws,
    pub(crate) kinesis: Client,
}

/// One with a provisioned stream of this name.
pub(crate) async fn world(stream: &str, shards: i32) -> World {
    let aws = TestAws::start().await.unwrap();
    let kinesis = Client::new(&aws.config());
    kinesis.create_stream().stream_name(stream).shard_count(shards).send().await.unwrap();
    World { aws, kinesis }
}

pub(crate) fn stream_arn(name: &str) -> String {
    format!("arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}")
}

impl World {
    /// Puts a record, and returns its shard and number.
    pub(crate) async fn put(&self, stream: &str, key: &str, data: &str) -> (String, String) {
        let put = self.kinesis.put_record().stream_name(stream).partition_key(key).data(Blob::new(data));
        let put = put.send().await.unwrap();
        (put.shard_id, put.sequence_number)
    }

    /// An iterator at the oldest record.
    pub(crate) async fn oldest(&self, stream: &str, shard: &str) -> String {
        let iterator = self.kinesis.get_shard_iterator().stream_name(stream).shard_id(shard);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        iterator.shard_iterator.unwrap()
    }

    pub(crate) async fn read(&self, iterator: &str) -> GetRecordsOutput {
        self.kinesis.get_records().shard_iterator(iterator).send().await.unwrap()
    }

    /// The data of all records of a shard.
    pub(crate) async fn all(&self, stream: &str, shard: &str) -> Vec<String> {
        data(&self.read(&self.oldest(stream, shard).await).await)
    }
}

pub(crate) fn data(read: &GetRecordsOutput) -> Vec<String> {
    read.records.iter().map(|record| text(&record.data)).collect()
}

pub(crate) fn text(data: &Blob) -> String {
    String::from_utf8(data.as_ref().to_vec()).unwrap()
}

pub(crate) const INVALID: &str = "InvalidArgumentException";
pub(crate) const MISSING: &str = "ResourceNotFoundException";
pub(crate) const IN_USE: &str = "ResourceInUseException";
pub(crate) const NOT_VALID: &str = "ValidationException";

/// Lets time pass; on paused time that takes none.
pub(crate) async fn advance(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// An operation in JSON: status and body.
pub(crate) async fn ask_json(
    service: &Service,
    operation: &str,
    body: serde_json::Value,
) -> (u16, serde_json::Value) {
    let (status, body) = ask(service, operation, "application/x-amz-json-1.1", body.to_string()).await;
    let json = if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(&body).unwrap() };
    (status, json)
}

/// A request by hand: status and body.
pub(crate) async fn ask(
    service: &Service,
    operation: &str,
    content_type: &str,
    body: impl Into<Bytes>,
) -> (u16, Bytes) {
    let request = http::Request::post("http://localhost/")
        .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
        .header("content-type", content_type)
        .body(body.into())
        .unwrap();
    let (parts, body) = service.handle(request).await.into_parts();
    assert_eq!(parts.headers["content-type"], content_type);
    (parts.status.as_u16(), body.whole().expect("a whole body").clone())
}
