//! Requests as text, put to a service, and what must hold of every answer. The fuzz target `aws_request` and the tests share it.
//!
//! A request is written as HTTP/1 has it, without the version: `POST /path`, headers, an empty line, the body. Several are put apart
//! by the byte 0x1e. Lines end with a line feed.

use broker_aws::{Body, Service};
use broker_core::Broker;
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};

/// What stands between two requests.
const BETWEEN: u8 = 0x1e;
/// More requests than this are left out: each must be cheap.
const REQUESTS_MAX: usize = 8;

/// Puts all requests of a text, one after the other, to a service that has a queue, a topic and a stream. Returns the statuses.
pub(crate) fn exercise(text: &[u8]) -> Vec<u16> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // A long poll takes no time then.
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime on this thread");
    runtime.block_on(async {
        let service = service().await;
        let mut statuses = Vec::new();
        for request in text.split(|byte| *byte == BETWEEN).take(REQUESTS_MAX).filter_map(request) {
            let response = service.handle(request).await;
            assert_answer(&response);
            statuses.push(response.status().as_u16());
        }
        statuses
    })
}

async fn service() -> Service {
    let broker = Broker::open(broker_mem::MemStorage::new()).await.expect("an empty store opens");
    broker.queue("orders").await.expect("a queue");
    broker.topic("news").await.expect("a topic");
    broker.stream("clicks").shards(1).await.expect("a stream");
    Service::new(broker)
}

/// `None` if the text makes no request at all.
fn request(text: &[u8]) -> Option<Request<Bytes>> {
    let end = text.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((text, &[][..]), |end| (&text[..end], &text[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, path) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(Bytes::copy_from_slice(body)).ok()
}

/// Every answer is one of its protocol, and no request is the service's own failure.
fn assert_answer(response: &Response<Body>) {
    assert!(response.status().as_u16() < 500, "{response:?}");
    let Some(body) = response.body().whole().filter(|body| !body.is_empty()) else { return };
    let kind = response.headers()[CONTENT_TYPE].to_str().expect("a content type");
    match kind {
        "application/x-amz-cbor-1.1" => {
            ciborium::from_reader::<ciborium::Value, _>(&body[..]).expect("CBOR");
        }
        "text/xml" => {
            let text = std::str::from_utf8(body).expect("XML is text");
            assert!(text.starts_with('<') && text.ends_with('>'), "{text}");
            let is_none =
                |c| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
            assert!(!text.contains(is_none), "characters that XML has not: {text:?}");
        }
        "application/x-pem-file" => {}
        _ => {
            serde_json::from_slice::<serde_json::Value>(body).expect("JSON");
        }
    }
}
