//! A mapping as it is built: a queue, a handler, and how the one gets what is in the other.

use std::{sync::Arc, time::Duration};

use broker_core::{Clock, Queue};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    batch::Batch,
    filter::FilterCriteria,
    keeper::Keeper,
    manager,
    pace::Pace,
    pollers::{PollerState, Pollers},
    running::Running,
    settings::QueueMappingSettings,
    watchdog,
    worker::{Shared, Working},
};
use crate::{
    concurrency::{Gate, Open},
    error::{Error, Result},
    handler::{Handler, SharedHandler},
    telemetry::{Link, Telemetry},
};

/// A queue whose messages a handler gets. Build it, and [`start`](Self::start) it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_worker::{handler::each, queue::{QueueMapping, Received}};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let orders = broker.queue("orders").await?;
/// orders.send("socks").await?;
///
/// let handler = each(|order: String, _: Received| async move { println!("{order}") });
/// let running = QueueMapping::new(orders, handler).batch_size(10).start().await?;
/// # tokio::time::sleep(Duration::from_secs(1)).await;
/// let report = running.stop(Duration::from_secs(30)).await;
/// assert_eq!(report.counts.acked, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a mapping does nothing until it is started"]
pub struct QueueMapping {
    queue: Arc<dyn Queue>,
    handler: SharedHandler<Batch>,
    settings: QueueMappingSettings,
    gate: Arc<dyn Gate>,
    clock: Option<Arc<dyn Clock>>,
    link: Option<Arc<Link>>,
}

impl QueueMapping {
    /// A mapping with the settings of Lambda: see [`QueueMappingSettings`].
    pub fn new(queue: impl Queue, handler: impl Handler<Batch>) -> Self {
        Self::of(Arc::new(queue), Arc::new(handler))
    }

    /// The same for a queue and a handler that are shared.
    pub fn of(queue: Arc<dyn Queue>, handler: SharedHandler<Batch>) -> Self {
        let settings = QueueMappingSettings::default();
        Self { queue, handler, settings, gate: Arc::new(Open), clock: None, link: None }
    }

    /// Replaces all settings.
    pub fn settings(self, settings: QueueMappingSettings) -> Self {
        Self { settings, ..self }
    }

    fn set(mut self, change: impl FnOnce(&mut QueueMappingSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sets [`batch_size`](QueueMappingSettings::batch_size).
    pub fn batch_size(self, messages: usize) -> Self {
        self.set(|settings| settings.batch_size = messages)
    }

    /// Sets [`window`](QueueMappingSettings::window).
    pub fn window(self, window: Duration) -> Self {
        self.set(|settings| settings.window = window)
    }

    /// Sets [`report_batch_item_failures`](QueueMappingSettings::report_batch_item_failures).
    pub fn report_batch_item_failures(self, report: bool) -> Self {
        self.set(|settings| settings.report_batch_item_failures = report)
    }

    /// Sets [`filters`](QueueMappingSettings::filters).
    pub fn filters(self, filters: FilterCriteria) -> Self {
        self.set(|settings| settings.filters = filters)
    }

    /// Sets [`pollers`](QueueMappingSettings::pollers).
    pub fn pollers(self, pollers: Pollers) -> Self {
        self.set(|settings| settings.pollers = pollers)
    }

    /// Sets [`timeout`](QueueMappingSettings::timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.timeout = Some(timeout))
    }

    /// Sets [`heartbeat`](QueueMappingSettings::heartbeat).
    pub fn heartbeat(self, heartbeat: bool) -> Self {
        self.set(|settings| settings.heartbeat = heartbeat)
    }

    /// Asks this gate before each invocation: concurrency that several mappings share.
    pub fn gate(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate, ..self }
    }

    /// Takes time from here. By default it comes from the queue, by whose time leases end: another clock must go as fast.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Links the span of each invocation to the spans that sent its messages: see [`Link`].
    pub fn link(
        self,
        link: impl Fn(&tracing::Span, &crate::telemetry::TraceContext) + Send + Sync + 'static,
    ) -> Self {
        Self { link: Some(Arc::new(link)), ..self }
    }

    /// The queue and the clock, for a pool that looks at the one by the other.
    pub(crate) fn parts(&mut self) -> (Arc<dyn Queue>, Arc<dyn Clock>, SharedHandler<Batch>) {
        let clock = self.clock.get_or_insert_with(|| self.queue.clock()).clone();
        (self.queue.clone(), clock, self.handler.clone())
    }

    /// The same mapping of another handler, with a fixed number of workers.
    pub(crate) fn lane(&self, handler: SharedHandler<Batch>, workers: usize) -> Self {
        let Self { queue, settings, gate, clock, link, .. } = self;
        let (queue, settings, gate) = (queue.clone(), settings.clone(), gate.clone());
        Self { queue, handler, settings, gate, clock: clock.clone(), link: link.clone() }
            .pollers(Pollers::Fixed(workers))
    }

    /// Starts it. Fails if the queue cannot be mapped with these settings, or does not answer; nothing runs then, nor if
    /// this is dropped. Must be called inside a tokio runtime.
    pub async fn start(self) -> Result<Running> {
        let attributes = self.queue.attributes().await?;
        let terms = self.settings.check(&attributes)?;
        let clock = self.clock.unwrap_or_else(|| self.queue.clock());
        let telemetry = Telemetry::new(self.queue.name(), None, self.link);
        let heartbeat = self.settings.heartbeat.then_some(terms.visibility);
        let keeper = Keeper::new(clock.clone(), heartbeat, telemetry.clone());
        if let Some(lease) = heartbeat {
            watchdog::start(keeper.clone(), lease)
                .map_err(|error| Error::NoThread { reason: error.to_string() })?;
        }
        let steady = self.settings.report_batch_item_failures;
        let now = clock.now().as_millis();
        let pollers = PollerState::new(self.settings.pollers, terms.fifo, steady, now);
        let shared = Arc::new(Shared {
            largest: self.queue.largest_receive(),
            queue: self.queue,
            handler: self.handler,
            settings: self.settings,
            terms,
            gate: self.gate,
            clock,
            keeper: keeper.clone(),
            telemetry,
            state: Mutex::new(Working { pollers, pace: Pace::default(), broken: None }),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            resized: Notify::new(),
            wanted: Notify::new(),
        });
        let keeping = tokio::spawn(Keeper::run(Arc::downgrade(&keeper)));
        let managing = tokio::spawn(manager::run(shared.clone()));
        Ok(Running::new(shared, managing, keeping))
    }
}
