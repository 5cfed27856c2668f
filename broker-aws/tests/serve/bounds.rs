//! Bounds: of headers, bodies and time; and requests that two readers could read in two ways.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{ask, assert_status, listener, post, read_response, sqs};

const LARGEST: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let (listener, _) = listener().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: {}\r\n\r\n",
        LARGEST + 1
    );
    let response = ask(listener.address(), head).await;
    assert_status(&response, 413);
    assert!(response.contains("RequestEntityTooLarge"), "{response}");
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_at_the_same_bound() {
    let (listener, _) = listener().await;
    let mut connection = TcpStream::connect(listener.address()).await.unwrap();
    connection
        .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 0x0010_0000], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        // It is answered before the last one.
        if connection.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let response = read_response(&mut connection).await;
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 413 "), "{response}");
}

#[tokio::test]
async fn headers_have_bounds() {
    let (listener, _) = listener().await;
    let many = "X: y\r\n".repeat(101);
    assert_status(&ask(listener.address(), post(&many, "")).await, 431);
    let long = format!("X-Long: {}\r\n", "y".repeat(70_000));
    assert_status(&ask(listener.address(), post(&long, "")).await, 431);
    assert_status(
        &ask(listener.address(), format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(70_000))).await,
        431,
    );
}

/// What a proxy in front could read in another way is refused.
#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let (listener, broker) = listener().await;
    let smuggled = sqs("CreateQueue", r#"{"QueueName": "smuggled"}"#);
    for head in [
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 10\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n Content-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ] {
        let response = ask(listener.address(), format!("{head}{smuggled}")).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{head}: {response}");
    }
    assert!(broker.list_queues("").is_empty());
}

/// A body whose end is told in two ways: whoever believes the other one takes the rest for another request.
#[tokio::test]
async fn nothing_is_read_behind_a_body_in_chunks() {
    let (listener, broker) = listener().await;
    let smuggled = sqs("CreateQueue", r#"{"QueueName": "smuggled"}"#);
    let list = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n";
    let length = format!("Content-Length: {}\r\n", "0\r\n\r\n".len() + smuggled.len());
    let (chunked, chunks) = ("Transfer-Encoding: chunked\r\n", "\r\n2\r\n{}\r\n0\r\n\r\n");
    for head in [
        format!("{length}{chunked}"),
        format!("{chunked}{length}"),
        chunked.to_owned(),
        format!("{chunked}{chunked}"),
    ] {
        let mut connection = TcpStream::connect(listener.address()).await.unwrap();
        let request = format!("{list}{head}{chunks}{smuggled}");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        // Closed or reset.
        let _ = connection.read_to_end(&mut all).await;
        let all = String::from_utf8(all).unwrap();
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{head}: {all}");
        assert_status(&all, 200);
        assert!(all.contains("connection: close"), "{all}");
    }
    assert!(broker.list_queues("").is_empty());
}

/// On paused time, which goes on when all wait, an idle connection is closed at once.
#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let (listener, _) = listener().await;
    for said in ["", "P", "PRI * HTTP/2.0\r\n", "POST / HTTP/1.1\r\nHost: loc"] {
        let began = tokio::time::Instant::now();
        let mut connection = TcpStream::connect(listener.address()).await.unwrap();
        connection.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Closed or reset.
        let _ = connection.read_to_end(&mut rest).await;
        assert!(began.elapsed() >= Duration::from_secs(60), "{said:?}");
        assert!(began.elapsed() <= Duration::from_secs(71), "{said:?}");
    }
}

/// A connection on which an answer is being sent is not idle, however long that takes.
#[tokio::test(start_paused = true)]
async fn a_subscription_has_its_connection_for_five_minutes() {
    let (listener, broker) = listener().await;
    broker.stream("clicks").shards(1).await.unwrap();
    let kinesis =
        |operation: &str, body: &str| post(&format!("X-Amz-Target: Kinesis_20131202.{operation}\r\n"), body);
    let register =
        r#"{"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", "ConsumerName": "c"}"#;
    let registered = ask(listener.address(), kinesis("RegisterStreamConsumer", register)).await;
    let arn = registered.split("\"ConsumerARN\":\"").nth(1).unwrap().split('"').next().unwrap();
    let subscribe = format!(
        r#"{{"ConsumerARN": "{arn}", "ShardId": "shardId-000000000000", "StartingPosition": {{"Type": "LATEST"}}}}"#
    );
    let began = tokio::time::Instant::now();
    let mut connection = TcpStream::connect(listener.address()).await.unwrap();
    connection.write_all(kinesis("SubscribeToShard", &subscribe).as_bytes()).await.unwrap();
    let mut events = Vec::new();
    connection.read_to_end(&mut events).await.unwrap();
    let events = String::from_utf8_lossy(&events);
    assert_status(&events, 200);
    assert!(events.matches("MillisBehindLatest").count() > 50, "one in five seconds");
    assert!(began.elapsed() >= Duration::from_secs(300), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_refused() {
    let (listener, _) = listener().await;
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 10\r\n\r\nxxx";
    let response = ask(listener.address(), head).await;
    assert_status(&response, 408);
    assert!(response.contains("RequestTimeout"), "{response}");
}
