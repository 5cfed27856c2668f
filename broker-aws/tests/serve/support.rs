//! What the tests share: a listener over an empty broker, and requests byte by byte.

use std::net::SocketAddr;

use broker_aws::{
    Service,
    serve::{Listener, ListenerBuilder},
};
use broker_core::Broker;
use broker_mem::MemStorage;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A listener over an empty broker.
pub(crate) async fn listener() -> (Listener, Broker) {
    listener_with(|builder| builder).await
}

pub(crate) async fn listener_with(
    set: impl FnOnce(ListenerBuilder) -> ListenerBuilder,
) -> (Listener, Broker) {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let listener = set(Listener::builder(Service::new(broker.clone()))).start().await.unwrap();
    (listener, broker)
}

/// An operation of SQS in JSON, as the bytes of a request.
pub(crate) fn sqs(operation: &str, body: &str) -> String {
    post(
        &format!("X-Amz-Target: AmazonSQS.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n"),
        body,
    )
}

/// A request with these headers beside those that it needs.
pub(crate) fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Sends bytes, and returns what comes until the other side closes, or a whole response was read.
pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // The other side may answer and close before it has read all.
    let _ = connection.write_all(request.as_ref()).await;
    read_response(&mut connection).await
}

/// Reads one response.
pub(crate) async fn read_response(connection: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap()) {
                return text;
            }
        }
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}

#[track_caller]
pub(crate) fn assert_status(response: &str, status: u16) {
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "expected {status}: {response}");
}
