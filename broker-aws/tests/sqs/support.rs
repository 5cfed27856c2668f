//! What the tests share: an AWS with a client, errors as clients see them, and requests by hand.

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{Message, MessageAttributeValue, QueueAttributeName},
};
use aws_smithy_types::Blob;
use broker_aws::{Service, TestAws};
use broker_core::Limits;
use bytes::Bytes;

pub(crate) use crate::refusal::{Refusal, refusal};

/// An AWS and a client of its SQS.
pub(crate) struct World {
    pub(crate) aws: TestAws,
    pub(crate) sqs: Client,
}

/// An empty one.
pub(crate) async fn world() -> World {
    world_with(Limits::aws()).await
}

pub(crate) async fn world_with(limits: Limits) -> World {
    let aws = TestAws::with_limits(limits).await.unwrap();
    let sqs = Client::new(&aws.config());
    World { aws, sqs }
}

/// One with a queue, and the queue's URL.
pub(crate) async fn world_and_queue(name: &str) -> (World, String) {
    let world = world().await;
    let url = world.aws.queue(name).await.unwrap();
    (world, url)
}

impl World {
    pub(crate) async fn send(&self, url: &str, body: &str) -> String {
        let sent = self.sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
        sent.message_id.unwrap()
    }

    /// What a short poll finds.
    pub(crate) async fn receive(&self, url: &str, max: i32) -> Vec<Message> {
        let receive = self.sqs.receive_message().queue_url(url).max_number_of_messages(max);
        receive.send().await.unwrap().messages.unwrap_or_default()
    }

    /// The receipt of the one message that a short poll finds.
    pub(crate) async fn receipt(&self, url: &str) -> String {
        let mut received = self.receive(url, 1).await;
        received.pop().expect("a message").receipt_handle.unwrap()
    }

    /// All attributes of a queue.
    pub(crate) async fn attributes(&self, url: &str) -> HashMap<String, String> {
        let get = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let attributes = get.send().await.unwrap().attributes.unwrap_or_default();
        attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
    }

    /// Visible, in flight, delayed.
    pub(crate) async fn counts(&self, url: &str) -> [String; 3] {
        let attributes = self.attributes(url).await;
        ["", "NotVisible", "Delayed"]
            .map(|of| attributes[&format!("ApproximateNumberOfMessages{of}")].clone())
    }
}

pub(crate) const INVALID: &str = "InvalidParameterValue";
pub(crate) const MISSING: &str = "MissingParameter";

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets time pass; on paused time that takes none.
pub(crate) async fn advance(by: Duration) {
    tokio::time::sleep(by).await;
}

pub(crate) fn text_attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

pub(crate) fn binary_attribute(value: &[u8]) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new(value)).build().unwrap()
}

/// A response, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The text of the first element of this name.
    #[track_caller]
    pub(crate) fn element(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = self.body.find(&open).unwrap_or_else(|| panic!("{name} in {}", self.body)) + open.len();
        let to = self.body[from..].find(&close).unwrap_or_else(|| panic!("{close} in {}", self.body)) + from;
        &self.body[from..to]
    }
}

/// Sends a request as it is.
pub(crate) async fn ask(service: &Service, request: http::Request<Bytes>) -> Answer {
    let (parts, body) = service.handle(request).await.into_parts();
    let body = body.whole().expect("a whole body").clone();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// An operation in JSON.
pub(crate) async fn ask_json(service: &Service, operation: &str, body: impl Into<Bytes>) -> Answer {
    let request = http::Request::post("http://localhost/")
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .body(body.into())
        .unwrap();
    ask(service, request).await
}

/// An operation in the query form, to this path.
pub(crate) async fn ask_query(service: &Service, path: &str, form: &str) -> Answer {
    let request = http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form.to_owned()))
        .unwrap();
    ask(service, request).await
}
