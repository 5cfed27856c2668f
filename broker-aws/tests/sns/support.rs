//! A service with clients, and words for what they are told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_sns::{
    error::{ProvideErrorMetadata, SdkError},
    types::MessageAttributeValue,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use broker_aws::{AllowedHosts, Outgoing, Realm, Service, SingleRealm, Unreachable, sdk_config};
use broker_core::Broker;
use broker_mem::MemStorage;
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

/// The account and region of all tests.
pub(crate) const PLACE: &str = "us-east-1:000000000000";

/// A service over a broker in memory, with clients of it.
pub(crate) struct Aws {
    pub(crate) broker: Broker,
    pub(crate) service: Service,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
}

impl Aws {
    /// One that reaches no HTTP endpoints.
    pub(crate) async fn start() -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let service = Service::new(broker.clone());
        Self::over(broker, service)
    }

    /// One that reaches HTTP endpoints on loopback and on `hooks.example.com`, which are all this one.
    pub(crate) async fn with_endpoint(endpoint: &Endpoint) -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        Self::reaching(broker, endpoint)
    }

    /// The same over a broker that is there.
    pub(crate) fn reaching(broker: Broker, endpoint: &Endpoint) -> Self {
        let hosts = AllowedHosts::loopback().host("hooks.example.com");
        let service = Service::builder(SingleRealm::new(Realm::default(), broker.clone()))
            .http_endpoints(endpoint.clone(), hosts)
            .build();
        Self::over(broker, service)
    }

    fn over(broker: Broker, service: Service) -> Self {
        let config = sdk_config(&service, &Realm::default(), &broker);
        let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        Self { broker, service, sns, sqs }
    }

    /// The ARN of a new standard topic.
    pub(crate) async fn topic(&self, name: &str) -> String {
        self.sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
    }

    /// The ARN of a new FIFO topic that takes the content for a deduplication id.
    pub(crate) async fn fifo_topic(&self, name: &str) -> String {
        let create = self.sns.create_topic().name(name).attributes("FifoTopic", "true");
        create.attributes("ContentBasedDeduplication", "true").send().await.unwrap().topic_arn.unwrap()
    }

    /// The ARN of a new queue. One whose name ends so is FIFO.
    pub(crate) async fn queue(&self, name: &str) -> String {
        let queue = self.broker.queue(name);
        if name.strip_suffix(".fifo").is_some() { queue.fifo().await } else { queue.await }.unwrap();
        queue_arn(name)
    }

    /// The ARN of a new subscription of a new queue, with these attributes.
    pub(crate) async fn subscribe(&self, topic: &str, queue: &str, attributes: &[(&str, &str)]) -> String {
        let endpoint = self.queue(queue).await;
        let mut subscribe = self.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(endpoint);
        for (name, value) in attributes {
            subscribe = subscribe.attributes(*name, *value);
        }
        subscribe.send().await.unwrap().subscription_arn.unwrap()
    }

    /// Publishes a text, and says its id.
    pub(crate) async fn publish(&self, topic: &str, message: &str) -> String {
        self.sns.publish().topic_arn(topic).message(message).send().await.unwrap().message_id.unwrap()
    }

    /// The next message of a queue, which it then no longer has.
    pub(crate) async fn take(&self, queue: &str) -> broker_core::Message {
        let queue = self.broker.open_queue(queue).await.unwrap();
        let message = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
        let _ = queue.delete(message.receipt).await.unwrap();
        message
    }

    /// The envelope that is the next message of a queue.
    pub(crate) async fn take_envelope(&self, queue: &str) -> Value {
        serde_json::from_slice(&self.take(queue).await.body).unwrap()
    }

    /// How many messages a queue has.
    pub(crate) async fn depth(&self, queue: &str) -> u64 {
        self.broker.open_queue(queue).await.unwrap().counters().await.unwrap().visible
    }

    /// An attribute of a subscription.
    pub(crate) async fn attribute(&self, subscription: &str, name: &str) -> Option<String> {
        let got = self.sns.get_subscription_attributes().subscription_arn(subscription).send().await;
        got.unwrap().attributes.unwrap().remove(name)
    }

    /// The answer to a plain request: its status and body.
    pub(crate) async fn get(&self, url: &str) -> (u16, String) {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        let response = self.service.handle(request).await;
        let status = response.status().as_u16();
        let body = response.body().whole().unwrap().to_vec();
        (status, String::from_utf8(body).unwrap())
    }
}

/// The ARN of a queue.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{PLACE}:{name}")
}

/// The ARN of a topic.
pub(crate) fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:{PLACE}:{name}")
}

/// Code, message and HTTP status of a refusal.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug, E>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (String, String, u16)
where
    SdkError<E, HttpResponse>: ProvideErrorMetadata,
{
    let error = match result {
        Ok(answer) => panic!("not refused: {answer:?}"),
        Err(error) => error,
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (error.code().unwrap_or("").to_owned(), error.message().unwrap_or("").to_owned(), status)
}

/// The message of a refusal with the code `InvalidParameter`.
#[track_caller]
pub(crate) fn invalid<T: std::fmt::Debug, E>(result: Result<T, SdkError<E, HttpResponse>>) -> String
where
    SdkError<E, HttpResponse>: ProvideErrorMetadata,
{
    let (code, message, status) = refusal(result);
    assert_eq!((code.as_str(), status), ("InvalidParameter", 400), "{message}");
    message
}

/// A message attribute with a text.
pub(crate) fn text_attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

/// A request as an endpoint got it, and how long after the start of the test.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) after: Duration,
    pub(crate) request: Request<Bytes>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.request.body()).unwrap()
    }

    pub(crate) fn kind(&self) -> &str {
        self.header("x-amz-sns-message-type").unwrap()
    }
}

/// What an endpoint does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Answer(u16),
    /// There is nobody.
    Refuse,
    /// No answer comes.
    Hang,
}

/// An HTTP endpoint: what it got, and what it does next. Without instructions it takes everything.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    started: Instant,
    got: Arc<Mutex<Vec<Got>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
}

impl Endpoint {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), got: Arc::default(), acts: Arc::default() }
    }

    /// What it does with the next requests.
    pub(crate) fn next(&self, acts: impl IntoIterator<Item = Act>) {
        self.acts.lock().unwrap().extend(acts);
    }

    /// All that it got.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// All of a kind that it got.
    pub(crate) fn notifications(&self) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.kind() == "Notification").collect()
    }

    /// What it has got after so many seconds more. Nothing but virtual time passes.
    pub(crate) async fn after(&self, seconds: u64) -> Vec<Got> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.got()
    }
}

#[async_trait]
impl Outgoing for Endpoint {
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, Unreachable> {
        let got = Got { after: self.started.elapsed(), request };
        self.got.lock().unwrap().push(got);
        let act = self.acts.lock().unwrap().pop_front();
        match act {
            None => Ok(StatusCode::OK),
            Some(Act::Answer(status)) => Ok(StatusCode::from_u16(status).unwrap()),
            Some(Act::Refuse) => Err(Unreachable("connection refused".into())),
            Some(Act::Hang) => std::future::pending().await,
        }
    }
}
