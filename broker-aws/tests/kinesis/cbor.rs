//! Kinesis in CBOR, as the Java client speaks it: maps of unknown length, byte strings, times as tagged milliseconds.

use broker_aws::Service;
use ciborium::Value;

use crate::support::{ask, world};

const CBOR: &str = "application/x-amz-cbor-1.1";

async fn ask_cbor(service: &Service, operation: &str, body: &[u8]) -> (u16, Value) {
    let (status, body) = ask(service, operation, CBOR, body.to_vec()).await;
    if body.is_empty() {
        return (status, Value::Null);
    }
    (status, ciborium::from_reader(&body[..]).unwrap())
}

/// A map as the Java client writes it: of unknown length.
fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut written = vec![0xbf];
    for (key, value) in entries {
        written.extend(text(key));
        written.extend_from_slice(value);
    }
    written.push(0xff);
    written
}

fn text(text: &str) -> Vec<u8> {
    let mut written = Vec::new();
    ciborium::into_writer(text, &mut written).unwrap();
    written
}

fn bytes(data: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    ciborium::into_writer(&Value::Bytes(data.to_vec()), &mut written).unwrap();
    written
}

fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    let found = value.as_map().unwrap().iter().find(|(name, _)| name.as_text() == Some(key));
    &found.unwrap_or_else(|| panic!("{key} in {value:?}")).1
}

#[tokio::test(start_paused = true)]
async fn data_are_byte_strings_and_times_are_tagged_milliseconds() {
    let world = world("clicks", 1).await;
    let service = world.aws.service();
    let stream = text("clicks");
    let put = map(&[("StreamName", &stream), ("PartitionKey", &text("k")), ("Data", &bytes(&[0, 255]))]);
    let (status, put) = ask_cbor(service, "PutRecord", &put).await;
    assert_eq!((status, get(&put, "ShardId").as_text()), (200, Some("shardId-000000000000")));

    // A time as the client writes it: tag 1 and whole milliseconds.
    let now = world.aws.broker().now().as_millis();
    let mut at = vec![0xc1, 0x1b];
    at.extend(now.to_be_bytes());
    let kind = text("AT_TIMESTAMP");
    let iterator = map(&[
        ("StreamName", &stream),
        ("ShardId", &text("0")),
        ("ShardIteratorType", &kind),
        ("Timestamp", &at),
    ]);
    let (status, iterator) = ask_cbor(service, "GetShardIterator", &iterator).await;
    assert_eq!(status, 200, "{iterator:?}");
    let iterator = text(get(&iterator, "ShardIterator").as_text().unwrap());
    let (status, read) = ask_cbor(service, "GetRecords", &map(&[("ShardIterator", &iterator)])).await;
    assert_eq!(status, 200);
    let record = &get(&read, "Records").as_array().unwrap()[0];
    assert_eq!(get(record, "Data"), &Value::Bytes(vec![0, 255]));
    let arrived = get(record, "ApproximateArrivalTimestamp");
    assert_eq!(arrived, &Value::Tag(1, Box::new(Value::Integer(now.into()))));
}

#[tokio::test(start_paused = true)]
async fn long_text_may_come_in_pieces() {
    let world = world("clicks", 1).await;
    // The client writes long texts as strings of unknown length, in chunks.
    let mut key = vec![0x7f];
    key.extend(text(&"k".repeat(100)));
    key.extend(text(&"l".repeat(100)));
    key.push(0xff);
    let put = map(&[("StreamName", &text("clicks")), ("PartitionKey", &key), ("Data", &bytes(b"x"))]);
    let (status, told) = ask_cbor(world.aws.service(), "PutRecord", &put).await;
    assert_eq!(status, 200, "{told:?}");
    let from = world.oldest("clicks", "0").await;
    assert_eq!(world.read(&from).await.records[0].partition_key.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn errors_and_empty_outputs_are_in_cbor_too() {
    let world = world("clicks", 1).await;
    let service = world.aws.service();
    let (status, refused) =
        ask_cbor(service, "DescribeStream", &map(&[("StreamName", &text("orders"))])).await;
    assert_eq!((status, get(&refused, "__type").as_text()), (400, Some("ResourceNotFoundException")));
    assert_eq!(
        get(&refused, "message").as_text(),
        Some("Stream orders under account 000000000000 not found.")
    );
    let (status, nothing) = ask_cbor(service, "DeleteStream", &map(&[("StreamName", &text("clicks"))])).await;
    assert_eq!((status, nothing), (200, Value::Null));
}

/// What is no CBOR, too deep, or claims a size that it does not have, is refused.
#[tokio::test(start_paused = true)]
async fn what_is_not_cbor_is_refused() {
    let world = world("clicks", 1).await;
    let deep = vec![0x81; 100_000];
    let huge = [&[0xbf][..], &text("Data"), &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
    let not_text = [&[0xbf][..], &text("StreamName"), &[0x62, 0xff, 0xfe], &[0xff]].concat();
    for body in [&[0xbf][..], &[0xff], &[0x00], &deep, &huge, &not_text] {
        let (status, refused) = ask_cbor(world.aws.service(), "PutRecord", body).await;
        assert_eq!((status, get(&refused, "__type").as_text()), (400, Some("SerializationException")));
    }
}
