//! A stream about to be created or opened, and what should differ from the defaults.

use std::{
    collections::BTreeMap,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use super::Broker;
use crate::{
    error::Result,
    storage::Durability,
    stream::{
        LocalStream,
        settings::{RecordDistribution, StreamMode, StreamSettings},
    },
};

/// A stream about to be created or opened: see [`Broker::stream`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// use std::time::Duration;
///
/// let week = Duration::from_secs(7 * 86_400);
/// let clicks = broker.stream("clicks").shards(4).retention(week).await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a builder does nothing until it is awaited"]
pub struct StreamBuilder {
    broker: Broker,
    name: String,
    shards: Option<u32>,
    settings: StreamSettings,
    tags: BTreeMap<String, String>,
}

impl StreamBuilder {
    pub(super) fn new(broker: Broker, name: String) -> Self {
        Self { broker, name, shards: None, settings: StreamSettings::new(), tags: BTreeMap::new() }
    }

    /// How many shards it begins with, by default four.
    pub fn shards(self, count: u32) -> Self {
        Self { shards: Some(count), ..self }
    }

    /// All settings at once, in place of those given before.
    pub fn settings(self, settings: StreamSettings) -> Self {
        Self { settings, ..self }
    }

    /// How long a record is kept: 24 hours to 365 days, by default 24 hours.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = Some(retention);
        self
    }

    /// The largest record in bytes, its partition key included: 1 MiB to 10 MiB, by default 1 MiB.
    pub fn max_record_size(mut self, bytes: usize) -> Self {
        self.settings.max_record_size = Some(bytes);
        self
    }

    /// What a put survives before it is answered, by default [`Durability::Synced`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = Some(durability);
        self
    }

    /// Who decides on the number of shards.
    pub fn mode(mut self, mode: StreamMode) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Who decides on the shard of a record.
    pub fn distribution(mut self, distribution: RecordDistribution) -> Self {
        self.settings.distribution = Some(distribution);
        self
    }

    /// The limits of Kinesis for the traffic of a shard hold.
    pub fn throttled(mut self) -> Self {
        self.settings.throttled = Some(true);
        self
    }

    /// A tag, set if the stream is new.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl IntoFuture for StreamBuilder {
    type Output = Result<LocalStream>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { broker, name, shards, settings, tags } = self;
            broker.create_or_open_stream(&name, shards, &settings, &tags).await
        })
    }
}
