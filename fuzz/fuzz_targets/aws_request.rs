//! Any request to the AWS service, in any of its protocols: no panic, no error that is not the sender's, and an answer in the protocol of
//! the request.
#![no_main]

use arbitrary::Arbitrary;
use broker_aws::Service;
use broker_core::Broker;
use broker_fuzz::block_on;
use broker_mem::MemStorage;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Form {
    Json,
    Cbor,
    Query,
    Presigned,
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    form: Form,
    target: &'a str,
    authorization: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    requests: Vec<&'a [u8]>,
}

fuzz_target!(|input: Input<'_>| {
    block_on(async {
        let broker = Broker::open(MemStorage::new()).await.expect("an empty store opens");
        broker.queue("orders").await.expect("a queue");
        broker.stream("clicks").await.expect("a stream");
        let service = Service::new(broker);
        for body in input.requests.iter().take(4) {
            let Some(request) = request(&input, body) else { continue };
            let response = service.handle(request).await;
            assert!(response.status().as_u16() < 500, "{response:?}");
            if let Some(body) = response.body().whole().filter(|_| !matches!(input.form, Form::Cbor)) {
                std::str::from_utf8(body).expect("JSON and XML are text");
            }
        }
    });
});

/// `None` if the parts make no request at all.
fn request(input: &Input<'_>, body: &[u8]) -> Option<http::Request<Bytes>> {
    let mut request = http::Request::post("/000000000000/orders");
    for (name, value) in [("authorization", input.authorization), ("host", input.host)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let body = Bytes::copy_from_slice(body);
    match input.form {
        Form::Json => request.header("x-amz-target", input.target).body(body).ok(),
        Form::Cbor => {
            let request = request.header("content-type", "application/x-amz-cbor-1.1");
            request.header("x-amz-target", input.target).body(body).ok()
        }
        Form::Query => request.body(body).ok(),
        Form::Presigned => {
            let query = std::str::from_utf8(&body).ok()?;
            http::Request::get(format!("/000000000000/orders?{query}")).body(Bytes::new()).ok()
        }
    }
}
