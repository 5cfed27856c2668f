//! A topic about to be created or opened, and what should differ from the defaults.

use std::{
    collections::BTreeMap,
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::Broker;
use crate::{
    error::Result,
    storage::Durability,
    topic::{
        LocalTopic,
        retry::DeliveryPolicy,
        settings::{ArchivePolicy, FifoThroughputScope, TopicSettings},
    },
};

/// A topic about to be created or opened: see [`Broker::topic`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let trades = broker.topic("trades.fifo").fifo().dedup_by_content().await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a builder does nothing until it is awaited"]
pub struct TopicBuilder {
    broker: Broker,
    name: String,
    settings: TopicSettings,
    tags: BTreeMap<String, String>,
}

impl TopicBuilder {
    pub(super) fn new(broker: Broker, name: String) -> Self {
        Self { broker, name, settings: TopicSettings::new(), tags: BTreeMap::new() }
    }

    /// All settings at once, in place of those given before.
    pub fn settings(self, settings: TopicSettings) -> Self {
        Self { settings, ..self }
    }

    /// A name to show.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.settings.display_name = Some(name.into());
        self
    }

    /// The largest message in bytes, attributes included: 1 KiB to 1 MiB, by default 256 KiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.max_message_size = Some(bytes);
        self
    }

    /// What a publish survives before it is answered, by default [`Durability::Synced`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = Some(durability);
        self
    }

    /// A FIFO topic, whose name must end with `.fifo`.
    pub fn fifo(mut self) -> Self {
        self.settings.fifo = Some(true);
        self
    }

    /// FIFO: the SHA-256 of the body is the deduplication id of a message that has none.
    pub fn dedup_by_content(mut self) -> Self {
        self.settings.content_based_deduplication = Some(true);
        self
    }

    /// FIFO: among which messages a deduplication id counts as the same, by default among all.
    pub fn fifo_throughput_scope(mut self, scope: FifoThroughputScope) -> Self {
        self.settings.fifo_throughput_scope = Some(scope);
        self
    }

    /// FIFO: keeps messages for so many days, 1 to 365, so that they can be replayed.
    pub fn archive_days(mut self, days: u32) -> Self {
        self.settings.archive_policy = Some(ArchivePolicy::Days(days));
        self
    }

    /// How push subscribers are delivered to that have no policy of their own.
    pub fn delivery_policy(mut self, policy: DeliveryPolicy) -> Self {
        self.settings.delivery_policy = Some(policy);
        self
    }

    /// A tag, set if the topic is new.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl IntoFuture for TopicBuilder {
    type Output = Result<LocalTopic>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.broker.create_topic(&self.name, &self.settings, &self.tags).await })
    }
}
