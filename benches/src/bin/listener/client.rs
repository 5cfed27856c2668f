//! A client that costs little beside the servers that it measures: HTTP/1.1 over a plain socket, one request at a time.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// One connection, opened again when the server closes it.
pub(crate) struct Client {
    address: String,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None, read: Vec::new() }
    }

    /// Calls an operation of SQS. Every answer must be good.
    pub(crate) async fn call(&mut self, operation: &str, body: &str) -> String {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Date: 20261126T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20261126/us-east-1/sqs/aws4_request, \
             SignedHeaders=host, Signature=00\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        for _ in 0..2 {
            let stream = if let Some(stream) = self.stream.take() {
                stream
            } else {
                let stream = TcpStream::connect(&self.address).await.expect("a server");
                stream.set_nodelay(true).expect("a socket");
                stream
            };
            if let Some(answer) = self.exchange(stream, request.as_bytes()).await {
                return answer;
            }
        }
        panic!("{} closes every connection", self.address);
    }

    /// `None`: the server closed the connection before it answered.
    async fn exchange(&mut self, mut stream: TcpStream, request: &[u8]) -> Option<String> {
        stream.write_all(request).await.ok()?;
        self.read.clear();
        let head = loop {
            if stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&self.read[..head]).to_ascii_lowercase();
        let header = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
        };
        let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
        while length.is_none_or(|length| self.read.len() < head + length) {
            let chunks_end = header("transfer-encoding").is_some() && self.read.ends_with(b"0\r\n\r\n");
            if chunks_end || stream.read_buf(&mut self.read).await.ok()? == 0 {
                break;
            }
        }
        let body = String::from_utf8_lossy(&self.read[head..]).into_owned();
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(status == "200", "{}: {text}{body}", self.address);
        if header("connection").as_deref() != Some("close") {
            self.stream = Some(stream);
        }
        Some(body)
    }
}
