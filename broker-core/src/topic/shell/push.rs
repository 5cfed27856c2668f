//! Who takes the messages of push subscribers, and how long. Publishers have nothing to do with it: however slow a
//! subscriber is, only its own backlog grows.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{LocalTopic, worker::Worker};
use crate::{
    error::{Error, Result},
    queue::LocalQueue,
    sync::{AbortHandle, AtomicU64, Ordering},
    topic::{
        envelope::{Envelope, wrap},
        notification::Notification,
        subscription::{Endpoint, SubscriptionId},
    },
};

/// What became of an attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The subscriber has it.
    Delivered,
    /// The subscriber refuses it, and would refuse it again: no retry, it goes to the dead-letter queue (rule N54).
    ClientError(String),
    /// It did not work this time: it is tried again as the delivery policy says.
    ServerError(String),
}

impl From<()> for DeliveryOutcome {
    fn from((): ()) -> Self {
        Self::Delivered
    }
}

/// An error is one of the server, so that the delivery is tried again.
impl<E: fmt::Display> From<Result<(), E>> for DeliveryOutcome {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Delivered,
            Err(error) => Self::ServerError(error.to_string()),
        }
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// Whether it wants messages raw, and not in an envelope ([`LocalTopic::in_envelope`]).
    pub raw_delivery: bool,
    /// The content type that its delivery policy asks for.
    pub content_type: Option<String>,
}

/// Whoever takes the messages of push subscribers: a handler in this process, or what speaks a protocol to an endpoint.
///
/// Any function from a [`Notification`] to a future is one; what that returns becomes a [`DeliveryOutcome`]. A handler may
/// get a message more than once. A panic is an error of the server.
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Delivers a message, or says why not. Dropped when its time is up, and with what [`LocalTopic::attach`] returned.
    async fn deliver(&self, notification: Notification, to: &Recipient) -> DeliveryOutcome;

    /// How long an attempt may take, by default 15 seconds (rule N53). Then it is dropped, and counts as an error of the
    /// server.
    fn timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}

#[async_trait]
impl<F, Fut> Deliver for F
where
    F: Fn(Notification) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: Into<DeliveryOutcome>,
{
    async fn deliver(&self, notification: Notification, _: &Recipient) -> DeliveryOutcome {
        self(notification).await.into()
    }
}

/// An attached subscriber. Dropping it ends the deliveries: an attempt under way is dropped, and its message is delivered
/// when somebody is attached again, as what is published meanwhile.
#[derive(Debug)]
#[must_use = "nothing is delivered after this is dropped"]
pub struct Attached {
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<()>,
    worker: AbortHandle,
    detach: Detach,
}

impl Attached {
    /// Takes up no more messages, and returns when the attempts under way have ended.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // The worker never sends: this is the end of its sender.
        let _ = self.stopped.changed().await;
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.worker.abort();
        // Somebody else can be attached at once: what the worker had is given back when it goes.
        self.detach.now();
    }
}

impl LocalTopic {
    /// Delivers the messages of a push subscriber, those that have waited included, until what is returned is dropped.
    ///
    /// Subscriptions survive a restart, whoever delivers does not: attach it again. One at a time can be attached.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::{Endpoint, Notification};
    ///
    /// let topic = broker.topic("orders").await?;
    /// let audit = topic.subscribe(Endpoint::handler("audit")).await?;
    /// let attached = topic
    ///     .attach(audit.id, |order: Notification| async move { println!("{}", order.text()) })
    ///     .await?;
    /// topic.publish("order 1").await?;
    /// attached.stop().await;
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn attach(&self, id: SubscriptionId, deliver: impl Deliver) -> Result<Attached> {
        let cell = &*self.cell;
        let number = cell.number_of(id)?;
        let (there, ticket) = cell.operate(|inner, _, _| {
            inner.subscription(number).cloned().ok_or_else(|| cell.no_subscription(id))
        })?;
        ticket.wait().await?;
        let (Some(backlog), Some((order, _))) = (&there.backlog, there.definition.push) else {
            let reason = "is a queue, which gets its messages without anybody's help";
            return Err(Error::invalid("subscription", id, reason));
        };
        let detach = Detach::attach(&there.attached)
            .ok_or_else(|| Error::invalid("subscription", id, "has somebody attached already"))?;
        let (stop, stopping) = watch::channel(false);
        let (running, stopped) = watch::channel(());
        let worker = Worker {
            topic: self.clone(),
            backlog: LocalQueue { cell: backlog.clone(), broker: self.broker.clone() },
            number,
            deliver: Arc::new(deliver),
        };
        let ended = detach.clone();
        let runtime = cell.engine.pipeline.runtime();
        let task = runtime.spawn(async move {
            // Dropped in this order, the other way round: whoever has seen it stop can attach again.
            let _running = running;
            let _detach = ended;
            // An error means that the broker has stopped or the subscription is gone: both are known elsewhere.
            let _ = worker.run(order, stopping).await;
        });
        Ok(Attached { stop, stopped, worker: task.abort_handle(), detach })
    }

    /// A message in the JSON envelope (rule N40) that this subscriber of a protocol is to get.
    pub fn in_envelope(&self, notification: &Notification, subscription: SubscriptionId) -> String {
        let envelope = &self.cell.engine.envelope;
        let url = envelope.unsubscribe_url(&self.cell.name, subscription);
        let wrapped = wrap(envelope, notification, notification.text(), &url);
        String::from_utf8(wrapped).expect("JSON is UTF-8")
    }
}

/// The hold of a worker on its subscription: let go when the worker ends, however it ends, or when it is to.
#[derive(Debug, Clone)]
struct Detach {
    attached: Arc<AtomicU64>,
    own: u64,
}

impl Detach {
    /// Takes hold, if nobody else has.
    fn attach(attached: &Arc<AtomicU64>) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        let taken = attached.compare_exchange(0, own, Ordering::AcqRel, Ordering::Relaxed);
        taken.ok().map(|_| Self { attached: attached.clone(), own })
    }

    fn now(&self) {
        // Somebody else may have taken hold since.
        let _ = self.attached.compare_exchange(self.own, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl Drop for Detach {
    fn drop(&mut self) {
        self.now();
    }
}
