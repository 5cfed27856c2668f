//! The sender of plain HTTP, over a socket.

use broker_aws::{Outgoing, PlainHttp};
use bytes::Bytes;
use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Sends a request to a listener that answers with these bytes: what came of it, and what the listener got.
async fn exchange(answer: &'static [u8]) -> (Result<u16, String>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"the body") {
            assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(got).unwrap()
    });
    let url = format!("http://127.0.0.1:{port}/hook?a=1");
    let request = Request::post(url).header("x-amz-sns-message-type", "Notification");
    let sent = PlainHttp.send(request.body(Bytes::from_static(b"the body")).unwrap()).await;
    let sent = sent.map(|status| status.as_u16()).map_err(|error| error.to_string());
    (sent, served.await.unwrap().replace(&port.to_string(), "PORT"))
}

// N43
#[tokio::test]
async fn a_request_is_one_of_http_1_1_with_its_host() {
    let (sent, got) = exchange(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(sent, Ok(204));
    assert!(got.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{got}");
    for header in ["host: 127.0.0.1:PORT", "x-amz-sns-message-type: Notification", "content-length: 8"] {
        assert!(got.contains(&format!("{header}\r\n")), "{got}");
    }
    let (sent, _) =
        exchange(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
            .await;
    assert_eq!(sent, Ok(302), "redirects are not followed");
}

// N53
#[tokio::test]
async fn an_endpoint_that_is_away_or_talks_nonsense_is_unreachable() {
    for nonsense in [&b""[..], b"HTTP/1.1", b"\0\0\0\0\r\n\r\n", b"HTTP/1.1 9999 x\r\n\r\n"] {
        let (sent, _) = exchange(nonsense).await;
        assert!(sent.unwrap_err().starts_with("no answer from the endpoint: "));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(PlainHttp.send(Request::post(url).body(Bytes::new()).unwrap()).await.is_err());
    let tls = Request::post("https://localhost/").body(Bytes::new()).unwrap();
    assert!(PlainHttp.send(tls).await.unwrap_err().to_string().contains("only plain HTTP"));
}
