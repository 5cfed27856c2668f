//! What the tests of topics share: short spellings, and a handler that writes down what it gets.

use std::{future::IntoFuture, sync::Arc};

use broker_core::{
    Broker, Certainty, Deliver, DeliveryOutcome, Error, LocalQueue, LocalTopic, Message, Notification,
    PublishMessage, Result, SubscriptionCounters, SubscriptionId,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::support::{World, poll, settle_down};

impl World {
    /// The broker closed and opened again, at the same time of the same clock.
    pub(crate) async fn open_again(&self, broker: Broker) -> Broker {
        broker.close().await.unwrap();
        drop(broker);
        self.broker().await
    }

    /// A broker and a standard topic with the defaults.
    pub(crate) async fn news(&self) -> (Broker, LocalTopic) {
        let broker = self.broker().await;
        let topic = broker.topic("news").await.unwrap();
        (broker, topic)
    }

    /// The broker closed and opened again, and its topic.
    pub(crate) async fn news_again(&self, broker: Broker) -> (Broker, LocalTopic) {
        let broker = self.open_again(broker).await;
        let topic = broker.open_topic("news").await.unwrap();
        (broker, topic)
    }
}

/// The message `a12`: of group `a`, and its body is its deduplication id too.
pub(crate) fn fifo(body: impl Into<String>) -> PublishMessage {
    let body = body.into();
    let group = body.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    PublishMessage::new(body.clone()).group_id(group).deduplication_id(body)
}

/// Publishes these messages of a FIFO topic one by one.
pub(crate) async fn publish_all(topic: &LocalTopic, bodies: impl IntoIterator<Item = String>) {
    for body in bodies {
        topic.publish(fifo(body)).await.unwrap();
    }
}

/// `a0` to `a9` and so on.
pub(crate) fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{prefix}{n}")).collect()
}

/// The envelope that a message is.
pub(crate) fn envelope(message: &Message) -> serde_json::Value {
    message.json().expect("an envelope is JSON")
}

/// Everything that a queue has, received and deleted until nothing comes any more.
pub(crate) async fn drain(queue: &LocalQueue) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let page = poll(queue, 10).await;
        if page.is_empty() {
            return all;
        }
        for message in page {
            queue.delete(message.receipt).await.unwrap();
            all.push(message);
        }
    }
}

/// The bodies of everything that a queue has, which is empty afterwards.
pub(crate) async fn bodies(queue: &LocalQueue) -> Vec<String> {
    drain(queue).await.iter().map(|message| message.text().unwrap().to_owned()).collect()
}

/// What became of a subscription's messages.
pub(crate) async fn counters(topic: &LocalTopic, id: SubscriptionId) -> SubscriptionCounters {
    topic.subscription(id).await.unwrap().counters
}

/// The error of a call that must be refused.
pub(crate) async fn refused<T: std::fmt::Debug>(call: impl IntoFuture<Output = Result<T>>) -> Error {
    let error = call.await.unwrap_err();
    assert_eq!(error.certainty(), Certainty::Rejected);
    error
}

/// An attempt to deliver: what, which attempt, and when, in milliseconds since the log was begun.
pub(crate) type Attempt = (String, u32, u64);

/// The attempts that a handler has seen.
#[derive(Clone)]
pub(crate) struct Log {
    seen: Arc<Mutex<Vec<Attempt>>>,
    begin: Instant,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { seen: Arc::default(), begin: Instant::now() }
    }

    /// A handler that writes down each attempt, and answers this.
    pub(crate) fn answering<O, A>(&self, answer: A) -> impl Deliver + use<O, A>
    where
        O: Into<DeliveryOutcome> + Send + 'static,
        A: Fn(&Notification) -> O + Send + Sync + 'static,
    {
        let log = self.clone();
        move |notification: Notification| {
            log.note(&notification);
            let answer = answer(&notification);
            async move { answer }
        }
    }

    /// A handler that writes down each attempt and takes everything.
    pub(crate) fn taking(&self) -> impl Deliver + use<> {
        let log = self.clone();
        move |notification: Notification| {
            log.note(&notification);
            async {}
        }
    }

    pub(crate) fn note(&self, notification: &Notification) {
        let at = u64::try_from(self.begin.elapsed().as_millis()).unwrap();
        self.seen.lock().push((notification.text().to_owned(), notification.attempt, at));
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.seen.lock().clone()
    }

    /// The messages, one for each attempt.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.attempts().into_iter().map(|(text, ..)| text).collect()
    }

    /// When each attempt was.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.attempts().into_iter().map(|(.., at)| at).collect()
    }

    /// Waits until there were so many attempts.
    pub(crate) async fn until(&self, attempts: usize) {
        for _ in 0..200_000 {
            if self.seen.lock().len() >= attempts {
                return;
            }
            settle_down().await;
        }
        panic!("there were {} attempts only", self.attempts().len());
    }
}
