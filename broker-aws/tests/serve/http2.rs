//! HTTP/2 with prior knowledge, as the Java client of Kinesis speaks it on the plain port.

use broker_core::PutRecord;
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;

use crate::support::listener;

fn request(endpoint: &str, operation: &str) -> Request<()> {
    Request::post(endpoint)
        .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .body(())
        .unwrap()
}

/// Asks, and returns the status and the body as it comes.
async fn ask(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: impl Into<Bytes>,
) -> (u16, h2::RecvStream) {
    let (response, mut sending) = client.send_request(request, false).unwrap();
    sending.send_data(body.into(), true).unwrap();
    let response = response.await.unwrap();
    (response.status().as_u16(), response.into_body())
}

async fn whole(mut body: h2::RecvStream) -> serde_json::Value {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.unwrap());
    }
    serde_json::from_slice(&all).unwrap()
}

/// Several requests at once on one connection, one of them an event stream that stays open.
#[tokio::test]
async fn one_connection_carries_calls_and_event_streams() {
    let (listener, broker) = listener().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let stream = TcpStream::connect(listener.address()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let endpoint = listener.endpoint();

    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    let register = format!(r#"{{"StreamARN": "{arn}", "ConsumerName": "billing"}}"#);
    let (status, body) = ask(&mut client, request(&endpoint, "RegisterStreamConsumer"), register).await;
    assert_eq!(status, 200);
    let consumer = whole(body).await["Consumer"]["ConsumerARN"].as_str().unwrap().to_owned();

    let subscribe = format!(
        r#"{{"ConsumerARN": "{consumer}", "ShardId": "0", "StartingPosition": {{"Type": "TRIM_HORIZON"}}}}"#
    );
    let (status, mut events) = ask(&mut client, request(&endpoint, "SubscribeToShard"), subscribe).await;
    assert_eq!(status, 200);
    let first = events.data().await.unwrap().unwrap();
    assert!(contains(&first, b"initial-response"));

    let (status, body) = ask(&mut client, request(&endpoint, "ListStreams"), "{}").await;
    assert_eq!((status, &whole(body).await["StreamNames"][0]), (200, &"clicks".into()));
    clicks.put(PutRecord::new("k", "socks")).await.unwrap();
    let second = events.data().await.unwrap().unwrap();
    assert!(contains(&second, b"SubscribeToShardEvent") && contains(&second, b"c29ja3M="));
}

fn contains(data: &[u8], part: &[u8]) -> bool {
    data.windows(part.len()).any(|window| window == part)
}
