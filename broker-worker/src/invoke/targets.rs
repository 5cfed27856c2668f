//! The kinds of destinations: queues, topics, functions, buses and object stores.

use std::sync::Arc;

use async_trait::async_trait;
use broker_core::{Entries, PublishMessage, Queue, SendMessage, Topic};
use bytes::Bytes;
use serde_json::Value;

use super::{
    caller::Caller,
    destination::{Destination, DestinationKind, Report},
};
use crate::{
    error::{Error, Result},
    event::Source,
    handler::BoxError,
};

/// What a topic is told has no payloads if it would be larger (rule L21).
const TOPIC_BYTES_MAX: usize = 256 * 1024;

/// Refuses FIFO queues and topics (rule L16), which are known by their names.
pub(super) fn check_standard(field: &'static str, name: &str) -> Result<()> {
    let reason = "a destination is a standard queue or topic, not a FIFO one";
    if name.strip_suffix(".fifo").is_some() { Err(Error::setting(field, name, reason)) } else { Ok(()) }
}

/// A queue as a destination: the record is a message's body.
pub struct QueueDestination {
    queue: Arc<dyn Queue>,
    arn: String,
}

impl QueueDestination {
    /// Refuses a FIFO queue (rule L16).
    pub fn new(queue: Arc<dyn Queue>) -> Result<Arc<Self>> {
        check_standard("destination", queue.name())?;
        let arn = Source::default().queue_arn(queue.name());
        Ok(Arc::new(Self { queue, arn }))
    }
}

#[async_trait]
impl Destination for QueueDestination {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Queue
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        let message = SendMessage::new(report.to_json());
        self.queue.send_batch(Entries::one(message)).await?.all()?;
        Ok(())
    }
}

/// A topic as a destination: the record is published, without the event and the answer if it is larger than 256 KiB.
pub struct TopicDestination {
    topic: Arc<dyn Topic>,
    arn: String,
}

impl TopicDestination {
    /// Refuses a FIFO topic (rule L16).
    pub fn new(topic: Arc<dyn Topic>) -> Result<Arc<Self>> {
        check_standard("destination", topic.name())?;
        let Source { region, account, .. } = Source::default();
        let arn = format!("arn:aws:sns:{region}:{account}:{}", topic.name());
        Ok(Arc::new(Self { topic, arn }))
    }
}

#[async_trait]
impl Destination for TopicDestination {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Topic
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        let mut body = report.to_json();
        if let Report::Invocation(record) = report
            && body.len() > TOPIC_BYTES_MAX
        {
            body = record.without_payloads().to_json();
        }
        self.topic.publish_batch(Entries::one(PublishMessage::new(body))).await?.all()?;
        Ok(())
    }
}

/// Another function as a destination: the record is its event (rule L19).
pub struct FunctionDestination(Caller);

impl FunctionDestination {
    /// The function that this one calls.
    pub fn new(function: Caller) -> Arc<Self> {
        Arc::new(Self(function))
    }
}

#[async_trait]
impl Destination for FunctionDestination {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Function
    }

    fn arn(&self) -> &str {
        self.0.arn()
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        self.0.invoke(report.to_json()).await?;
        Ok(())
    }
}

/// An event bus of yours.
#[async_trait]
pub trait EventBus: Send + Sync + 'static {
    /// Its ARN.
    fn arn(&self) -> &str;

    /// Keeps an event, in the form of `EventBridge`.
    async fn put_event(&self, event: Value) -> Result<(), BoxError>;
}

/// A bus as a destination of asynchronous invocation (rule L19).
pub struct BusDestination {
    bus: Arc<dyn EventBus>,
    source: Source,
}

impl BusDestination {
    /// Events name the account and the region of `source`.
    pub fn new(bus: Arc<dyn EventBus>, source: Source) -> Arc<Self> {
        Arc::new(Self { bus, source })
    }
}

#[async_trait]
impl Destination for BusDestination {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Bus
    }

    fn arn(&self) -> &str {
        self.bus.arn()
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        match report {
            Report::Invocation(record) => {
                self.bus.put_event(record.bus_event(self.bus.arn(), &self.source)).await
            }
            Report::Batch(_) => Err("a bus is not told of records of streams".into()),
        }
    }
}

/// An object store of yours.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// The bucket's ARN.
    fn arn(&self) -> &str;

    /// Keeps an object. Keys have slashes in them, and nothing else that a file system could take amiss.
    async fn put_object(&self, key: &str, body: Bytes) -> Result<(), BoxError>;
}

/// An object store as a destination of what was given up (rules L19, L89).
pub struct ObjectDestination(Arc<dyn ObjectStore>);

impl ObjectDestination {
    /// A destination of this store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self(store))
    }
}

#[async_trait]
impl Destination for ObjectDestination {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Objects
    }

    fn arn(&self) -> &str {
        self.0.arn()
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        let (key, body) = match report {
            Report::Invocation(record) => (record.object_key(), record.to_json()),
            Report::Batch(report) => (report.object_key(), report.to_json_with_payload()),
        };
        self.0.put_object(&key, body.into()).await
    }
}
