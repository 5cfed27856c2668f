//! A queue about to be created or opened, and what should differ from the defaults.

use std::{
    collections::BTreeMap,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use super::Broker;
use crate::{
    error::Result,
    queue::{
        LocalQueue,
        redrive::{RedriveAllowPolicy, RedrivePolicy},
        settings::{DeduplicationScope, QueueSettings},
    },
    storage::Durability,
};

/// A queue about to be created or opened: see [`Broker::queue`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// use std::time::Duration;
///
/// let orders = broker.queue("orders").visibility_timeout(Duration::from_secs(60)).await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a builder does nothing until it is awaited"]
pub struct QueueBuilder {
    broker: Broker,
    name: String,
    settings: QueueSettings,
    tags: BTreeMap<String, String>,
}

impl QueueBuilder {
    pub(super) fn new(broker: Broker, name: String) -> Self {
        Self { broker, name, settings: QueueSettings::new(), tags: BTreeMap::new() }
    }

    /// All settings at once, in place of those given before.
    pub fn settings(self, settings: QueueSettings) -> Self {
        Self { settings, ..self }
    }

    /// How long a received message stays invisible: 0 to 12 hours, by default 30 seconds.
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { settings: self.settings.visibility_timeout(timeout), ..self }
    }

    /// How long a new message stays invisible: 0 to 15 minutes, by default zero.
    pub fn delay(self, delay: Duration) -> Self {
        Self { settings: self.settings.delay(delay), ..self }
    }

    /// How long a message is kept: 1 minute to 14 days, by default 4 days.
    pub fn retention(self, retention: Duration) -> Self {
        Self { settings: self.settings.retention(retention), ..self }
    }

    /// The largest message in bytes, attributes included: 1 KiB to 1 MiB, by default the most.
    pub fn max_message_size(self, bytes: usize) -> Self {
        Self { settings: self.settings.max_message_size(bytes), ..self }
    }

    /// How long a receive waits for a message if it does not say: 0 to 20 seconds, by default zero.
    pub fn receive_wait_time(self, wait: Duration) -> Self {
        Self { settings: self.settings.receive_wait_time(wait), ..self }
    }

    /// What a send or delete survives before it is answered, by default [`Durability::Synced`].
    pub fn durability(self, durability: Durability) -> Self {
        Self { settings: self.settings.durability(durability), ..self }
    }

    /// A FIFO queue, whose name must end with `.fifo`.
    pub fn fifo(self) -> Self {
        Self { settings: self.settings.fifo(true), ..self }
    }

    /// FIFO: the SHA-256 of the body is the deduplication id of a message that has none.
    pub fn dedup_by_content(self) -> Self {
        Self { settings: self.settings.content_based_deduplication(true), ..self }
    }

    /// FIFO: among which messages a deduplication id counts as the same, by default among all.
    pub fn deduplication_scope(self, scope: DeduplicationScope) -> Self {
        Self { settings: self.settings.deduplication_scope(scope), ..self }
    }

    /// Messages go to `queue`, which must exist, after they were received `max_receive_count` times: 1 to 1,000.
    pub fn dead_letter(self, queue: impl Into<String>, max_receive_count: u32) -> Self {
        let policy = RedrivePolicy::to(queue, max_receive_count);
        Self { settings: self.settings.redrive_policy(policy), ..self }
    }

    /// Which queues may have this one as their dead-letter queue, by default all.
    pub fn redrive_allow_policy(self, policy: RedriveAllowPolicy) -> Self {
        Self { settings: self.settings.redrive_allow_policy(policy), ..self }
    }

    /// A tag, set if the queue is new.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl IntoFuture for QueueBuilder {
    type Output = Result<LocalQueue>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.broker.create_queue(&self.name, &self.settings, &self.tags).await })
    }
}
