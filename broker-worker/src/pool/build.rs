//! A pool as it is built: a mapping, and a scaler that decides how many workers it has.

use std::{sync::Arc, time::Duration};

use super::{
    Capacity, RunningPool,
    capacity::Share,
    control::Control,
    events,
    lanes::{Lane, Lanes},
    running::Shared,
};
use crate::{Error, Result, deploy::Versions, queue::QueueMapping, scaling::Scale};

/// How often a pool looks at its queue, which divides the periods of all scalers.
const EVERY: Duration = Duration::from_secs(5);

/// Workers of a queue, as many as a scaler wants. Build it, and [`start`](Self::start) it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_worker::{handler::each, pool::{Capacity, Pool}, queue::{QueueMapping, Received}, scaling::QueueScaler};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let orders = broker.queue("orders").await?;
/// orders.send("socks").await?;
///
/// let handler = each(|_: String, _: Received| async {});
/// let mapping = QueueMapping::new(orders, handler).batch_size(1);
/// let pool = Pool::new(mapping, QueueScaler::new(0, 16)?).capacity(Capacity::new(8)).start().await?;
/// # tokio::time::sleep(Duration::from_secs(1)).await;
/// assert_eq!(pool.counts().acked, 1);
/// pool.stop(Duration::from_secs(30)).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a pool does nothing until it is started"]
pub struct Pool<S> {
    mapping: QueueMapping,
    scaler: S,
    version: String,
    workers: u32,
    every: Duration,
    capacity: Option<Capacity>,
}

impl<S: Scale> Pool<S> {
    /// The workers of a mapping, whose own setting for the number of pollers does not count.
    pub fn new(mapping: QueueMapping, scaler: S) -> Self {
        Self { mapping, scaler, version: "1".into(), workers: 0, every: EVERY, capacity: None }
    }

    /// Sets the name of the handler's version: see [`RunningPool::deploy`]. By default it is `1`.
    pub fn version(self, name: impl Into<String>) -> Self {
        Self { version: name.into(), ..self }
    }

    /// Sets with how many workers to begin, before the scaler has said anything. By default none.
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Sets how often to look at the queue and to ask the scaler: a millisecond at least, by default 5 seconds.
    pub fn every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Takes slots for workers from here, and has no more workers than slots.
    pub fn capacity(self, capacity: Capacity) -> Self {
        Self { capacity: Some(capacity), ..self }
    }

    /// Starts it, and asks the scaler for the first time. Fails as [`QueueMapping::start`] does. Must be called inside a
    /// tokio runtime. Dropped, it ends what it has started, as if the pool was dropped: that may have received messages.
    pub async fn start(mut self) -> Result<RunningPool> {
        if self.every.as_millis() == 0 {
            return Err(Error::setting(
                "every",
                format!("{:?}", self.every),
                "must be a millisecond at least",
            ));
        }
        let (queue, clock, handler) = self.mapping.parts();
        let versions = Versions::of(self.version, handler, clock.clone());
        let mut share = Share::of(self.capacity);
        let granted = share.have(self.workers);
        let lane = Lane::start(&self.mapping, versions, granted).await?;
        let state = self.scaler.start(self.workers, clock.now());
        let shared = Arc::new(Shared::new(Lanes::new(lane), events::channel(), self.mapping, share));
        let mut control = Control::new(shared.clone(), (queue, clock), (self.scaler, state), self.every);
        control.tick().await;
        Ok(RunningPool::new(shared, tokio::spawn(control.run())))
    }
}
