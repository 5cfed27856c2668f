//! Stopping.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{assert_status, listener, read_response, sqs};

/// Whoever waits for a message when the listener is told to stop gets it, if it comes soon.
#[tokio::test]
async fn what_is_being_answered_is_answered() {
    let (listener, broker) = listener().await;
    let address = listener.address();
    let orders = broker.queue("orders").await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    let receive = r#"{"QueueUrl": "orders", "WaitTimeSeconds": 20}"#;
    waiting.write_all(sqs("ReceiveMessage", receive).as_bytes()).await.unwrap();
    // It waits as soon as another one after it has been answered.
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(sqs("ListQueues", "{}").as_bytes()).await.unwrap();
    assert_status(&read_response(&mut other).await, 200);
    let stopping = tokio::spawn(listener.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    orders.send("socks").await.unwrap();
    let response = read_response(&mut waiting).await;
    assert!(response.contains("socks"), "{response}");
    stopping.await.unwrap();
}

/// Whoever still waits after ten seconds is cut off, and what it would have got is there for others.
#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_cut_off() {
    let (listener, broker) = listener().await;
    let orders = broker.queue("orders").await.unwrap();
    let mut waiting = TcpStream::connect(listener.address()).await.unwrap();
    let receive = r#"{"QueueUrl": "orders", "WaitTimeSeconds": 20}"#;
    waiting.write_all(sqs("ReceiveMessage", receive).as_bytes()).await.unwrap();
    let began = tokio::time::Instant::now();
    let mut other = TcpStream::connect(listener.address()).await.unwrap();
    other.write_all(sqs("ListQueues", "{}").as_bytes()).await.unwrap();
    assert_status(&read_response(&mut other).await, 200);
    listener.stop().await;
    assert!(began.elapsed().as_secs() <= 12, "{:?}", began.elapsed());
    assert_eq!(read_response(&mut waiting).await, "");
    orders.send("socks").await.unwrap();
    assert_eq!(orders.counters().await.unwrap().visible, 1);
}
