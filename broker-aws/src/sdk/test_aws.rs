//! An AWS for a test: a service over brokers in memory, and what clients of it need.

use aws_types::SdkConfig;
use broker_core::{Broker, Limits, LocalQueue, LocalStream, LocalTopic, Result};

use super::{InMemory, Probe, history::History, sdk_config};
use crate::{
    Realm, Realms as _, Service, ServiceBuilder,
    wire::{arn::arn, is_fifo, queue_url::queue_url},
};

/// An AWS for a test: SQS, SNS and Kinesis in memory and in this process, for clients of the official SDK.
///
/// Each one is a world of its own. Its time is that of tokio: on paused time, a long poll of 20 seconds takes none.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use broker_aws::TestAws;
///
/// let aws = TestAws::start().await?;
/// let orders = aws.queue("orders").await?;
/// let sqs = aws_sdk_sqs::Client::new(&aws.config());
///
/// sqs.send_message().queue_url(&orders).message_body("socks").send().await.expect("sent");
/// let received = sqs.receive_message().queue_url(&orders).wait_time_seconds(20).send().await.expect("received");
/// assert_eq!(received.messages()[0].body(), Some("socks"));
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct TestAws {
    service: Service,
    broker: Broker,
    home: Realm,
    history: History,
}

impl TestAws {
    /// An empty AWS with the limits of the real one, and without its waits of 60 seconds. Must be called inside a tokio runtime with its
    /// timer enabled.
    pub async fn start() -> Result<Self> {
        Self::with_limits(Limits::aws()).await
    }

    /// The same with other limits.
    pub async fn with_limits(limits: Limits) -> Result<Self> {
        Self::with(limits, |service| service).await
    }

    /// The same with other limits, and with the options of the service that `set` sets; its home stays what it is.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use async_trait::async_trait;
    /// use broker_aws::{AllowedHosts, Outgoing, TestAws, Unreachable};
    /// use broker_core::Limits;
    /// use bytes::Bytes;
    /// use http::{Request, StatusCode};
    ///
    /// /// Takes what SNS delivers.
    /// struct Hook(tokio::sync::mpsc::UnboundedSender<Request<Bytes>>);
    ///
    /// #[async_trait]
    /// impl Outgoing for Hook {
    ///     async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, Unreachable> {
    ///         self.0.send(request).map(|()| StatusCode::OK).map_err(|gone| Unreachable(gone.to_string()))
    ///     }
    /// }
    ///
    /// let (hook, mut delivered) = tokio::sync::mpsc::unbounded_channel();
    /// let hosts = AllowedHosts::loopback().host("hooks.example.com");
    /// let aws = TestAws::with(Limits::aws(), |service| service.http_endpoints(Hook(hook), hosts)).await?;
    /// let topic = aws.topic("news").await?;
    /// let sns = aws_sdk_sns::Client::new(&aws.config());
    /// let subscribe = sns.subscribe().topic_arn(topic).protocol("http").endpoint("http://hooks.example.com/news");
    /// subscribe.send().await.expect("subscribed");
    /// let confirmation = delivered.recv().await.expect("a request");
    /// assert_eq!(confirmation.headers()["x-amz-sns-message-type"], "SubscriptionConfirmation");
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn with(limits: Limits, set: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Result<Self> {
        let (home, history) = (Realm::default(), History::new());
        let (at_home, observer) = (home.clone(), history.clone());
        let realms = InMemory::new(move |realm, builder| {
            let builder = builder.limits(limits.clone());
            if *realm == at_home { builder.observer(observer.clone()) } else { builder }
        });
        let broker = realms.broker(&home).await?;
        let service = set(Service::builder(realms)).home(home.clone()).build();
        Ok(Self { service, broker, home, history })
    }

    /// What clients of the account `000000000000` in `us-east-1` need.
    pub fn config(&self) -> SdkConfig {
        self.config_in(&self.home)
    }

    /// What clients of another account or region need. What is there is seen from nowhere else.
    pub fn config_in(&self, realm: &Realm) -> SdkConfig {
        sdk_config(&self.service, realm, &self.broker)
    }

    /// The broker behind [`config`](Self::config): what clients create there has the same names here.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The service that answers the clients.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// What has happened to the messages of this queue, of the account `000000000000` in `us-east-1`; it need not exist yet.
    pub fn probe(&self, queue: &str) -> Probe {
        Probe::new(queue.to_owned(), self.history.clone(), self.broker.clone())
    }

    /// Creates a queue, or opens it, and returns its URL. One whose name ends with `.fifo` is FIFO, with deduplication by content.
    pub async fn queue(&self, name: &str) -> Result<String> {
        let builder = self.broker.queue(name);
        let builder = if is_fifo(name) { builder.fifo().dedup_by_content() } else { builder };
        let queue: LocalQueue = builder.await?;
        Ok(queue_url("http://localhost", &self.home, queue.name()))
    }

    /// Creates a topic, or opens it, and returns its ARN. One whose name ends with `.fifo` is FIFO, with deduplication by content.
    pub async fn topic(&self, name: &str) -> Result<String> {
        let builder = self.broker.topic(name);
        let builder = if is_fifo(name) { builder.fifo().dedup_by_content() } else { builder };
        let topic: LocalTopic = builder.await?;
        Ok(arn("sns", &self.home, topic.name()))
    }

    /// Creates a stream with so many shards, or opens it, and returns its ARN.
    pub async fn stream(&self, name: &str, shards: u32) -> Result<String> {
        let stream: LocalStream = self.broker.stream(name).shards(shards).await?;
        Ok(arn("kinesis", &self.home, &format!("stream/{}", stream.name())))
    }
}
