//! A mapping as it is built: a stream, a handler, and how the one gets what is in the other.

use std::{sync::Arc, time::Duration};

use broker_core::{Clock, GroupStream, Record, StartingPosition};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    batch::RecordBatch, counts::Extra, filter::StreamFilters, lease::millis, manager, running::RunningStream,
    settings::StreamMappingSettings,
};
use crate::{
    concurrency::{Gate, Open},
    error::Result,
    event::Source,
    handler::{Handler, SharedHandler},
    invoke::Destination,
    queue::State,
    telemetry::{Link, Telemetry, TraceContext},
};

/// Finds the trace context of a record.
type Sender = dyn Fn(&Record) -> Option<TraceContext> + Send + Sync;

/// A stream whose records a function gets. Build it, and [`start`](Self::start) it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_core::{PutRecord, Record};
/// use broker_worker::stream::{StreamMapping, each};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let clicks = broker.stream("clicks").await?;
/// clicks.put(PutRecord::new("user-7", "buy")).await?;
///
/// let bill = each(|click: Record, _| async move { println!("{}", click.partition_key); Ok::<_, std::fmt::Error>(()) });
/// let running = StreamMapping::new("bill", clicks, bill).batch_size(500).start().await?;
/// # tokio::time::sleep(Duration::from_secs(1)).await;
/// assert_eq!(running.counts().done, 1);
/// running.stop(Duration::from_secs(30)).await; // a restart goes on behind what is done
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a mapping does nothing until it is started"]
pub struct StreamMapping {
    function: String,
    stream: Arc<dyn GroupStream>,
    handler: SharedHandler<RecordBatch>,
    settings: StreamMappingSettings,
    gate: Arc<dyn Gate>,
    clock: Option<Arc<dyn Clock>>,
    source: Source,
    id: Uuid,
    sender: Option<Arc<Sender>>,
    link: Option<Arc<Link>>,
}

/// What the handle and the tasks of a mapping share.
pub(super) struct Shared {
    pub(super) function: String,
    pub(super) function_arn: String,
    pub(super) stream: Arc<dyn GroupStream>,
    pub(super) stream_name: Arc<str>,
    pub(super) handler: SharedHandler<RecordBatch>,
    pub(super) settings: StreamMappingSettings,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) source: Source,
    pub(super) id: Uuid,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) extra: Extra,
    pub(super) sender: Option<Arc<Sender>>,
    pub(super) enabled: watch::Sender<bool>,
    pub(super) state: Mutex<State>,
    pub(super) changed: Notify,
    pub(super) stop: CancellationToken,
    pub(super) broken: Mutex<Option<broker_core::Error>>,
}

impl Shared {
    /// How old records may get, in milliseconds: as old as the stream keeps them, at most.
    pub(super) async fn age_max(&self) -> broker_core::Result<u64> {
        let retention = self.stream.attributes().await?.retention;
        let age = self.settings.maximum_record_age.map_or(retention, |age| age.min(retention));
        Ok(millis(age))
    }
}

impl StreamMapping {
    /// A mapping with the settings of Lambda: see [`StreamMappingSettings`]. The function's name, 1 to 64 letters, digits, hyphens and
    /// underscores, is also that of the consumer group whose checkpoints say how far it is: the same function on the same stream
    /// goes on where it was, and several of them share the shards.
    pub fn new(
        function: impl Into<String>,
        stream: impl GroupStream,
        handler: impl Handler<RecordBatch>,
    ) -> Self {
        Self::of(function, Arc::new(stream), Arc::new(handler))
    }

    /// The same for a stream and a handler that are shared.
    pub fn of(
        function: impl Into<String>,
        stream: Arc<dyn GroupStream>,
        handler: SharedHandler<RecordBatch>,
    ) -> Self {
        Self {
            function: function.into(),
            stream,
            handler,
            settings: StreamMappingSettings::default(),
            gate: Arc::new(Open),
            clock: None,
            source: Source::default(),
            id: Uuid::new_v4(),
            sender: None,
            link: None,
        }
    }

    /// Replaces all settings.
    pub fn settings(self, settings: StreamMappingSettings) -> Self {
        Self { settings, ..self }
    }

    fn set(mut self, change: impl FnOnce(&mut StreamMappingSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sets [`batch_size`](StreamMappingSettings::batch_size).
    pub fn batch_size(self, records: usize) -> Self {
        self.set(|settings| settings.batch_size = records)
    }

    /// Sets [`window`](StreamMappingSettings::window).
    pub fn window(self, window: Duration) -> Self {
        self.set(|settings| settings.window = window)
    }

    /// Sets [`starting_position`](StreamMappingSettings::starting_position).
    pub fn starting_position(self, from: StartingPosition) -> Self {
        self.set(|settings| settings.starting_position = from)
    }

    /// Sets [`parallelization_factor`](StreamMappingSettings::parallelization_factor).
    pub fn parallelization_factor(self, factor: usize) -> Self {
        self.set(|settings| settings.parallelization_factor = factor)
    }

    /// Sets [`bisect_batch_on_function_error`](StreamMappingSettings::bisect_batch_on_function_error).
    pub fn bisect_batch_on_function_error(self, bisect: bool) -> Self {
        self.set(|settings| settings.bisect_batch_on_function_error = bisect)
    }

    /// Sets [`maximum_retry_attempts`](StreamMappingSettings::maximum_retry_attempts).
    pub fn maximum_retry_attempts(self, retries: u32) -> Self {
        self.set(|settings| settings.maximum_retry_attempts = Some(retries))
    }

    /// Sets [`maximum_record_age`](StreamMappingSettings::maximum_record_age).
    pub fn maximum_record_age(self, age: Duration) -> Self {
        self.set(|settings| settings.maximum_record_age = Some(age))
    }

    /// Sets [`tumbling_window`](StreamMappingSettings::tumbling_window).
    pub fn tumbling_window(self, length: Duration) -> Self {
        self.set(|settings| settings.tumbling_window = length)
    }

    /// Sets [`report_batch_item_failures`](StreamMappingSettings::report_batch_item_failures).
    pub fn report_batch_item_failures(self, report: bool) -> Self {
        self.set(|settings| settings.report_batch_item_failures = report)
    }

    /// Sets [`filters`](StreamMappingSettings::filters).
    pub fn filters(self, filters: StreamFilters) -> Self {
        self.set(|settings| settings.filters = filters)
    }

    /// Sets [`timeout`](StreamMappingSettings::timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.timeout = timeout)
    }

    /// Sets [`on_failure`](StreamMappingSettings::on_failure).
    pub fn on_failure(self, destination: Arc<dyn Destination>) -> Self {
        self.set(|settings| settings.on_failure = Some(destination))
    }

    /// Asks this gate before each invocation: concurrency that functions share.
    pub fn gate(self, gate: impl Gate) -> Self {
        Self { gate: Arc::new(gate), ..self }
    }

    /// Takes time from here. By default it comes from the stream, which is what its records' times are compared with.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// The account and region that ARNs name.
    pub fn source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The id of the mapping, under which an object store keeps what was given up. By default one by chance.
    pub fn id(self, id: Uuid) -> Self {
        Self { id, ..self }
    }

    /// Finds out who has put a record. A record carries nothing beside its data and its key, so whoever puts it must say so in one of
    /// them, and only the mapping's owner knows how: data of JSON can have the members that
    /// [`TraceContext::of_json`] reads. By default nothing is looked for.
    ///
    /// ```
    /// # use broker_worker::{Handler, stream::{RecordBatch, StreamMapping}};
    /// use broker_worker::telemetry::TraceContext;
    ///
    /// # fn traced(mapping: StreamMapping) -> StreamMapping {
    /// mapping.trace_context(|record| TraceContext::of_json(&record.data))
    /// # }
    /// ```
    pub fn trace_context(
        self,
        sender: impl Fn(&Record) -> Option<TraceContext> + Send + Sync + 'static,
    ) -> Self {
        Self { sender: Some(Arc::new(sender)), ..self }
    }

    /// Links the span of each invocation to the spans that put its records, as far as they
    /// [say so](Self::trace_context): see [`Link`].
    pub fn link(self, link: impl Fn(&tracing::Span, &TraceContext) + Send + Sync + 'static) -> Self {
        Self { link: Some(Arc::new(link)), ..self }
    }

    /// Starts it. When this returns, a mapping that was never there before has its place in the stream. Fails if a setting is refused or
    /// the stream does not answer; nothing runs then, nor if this is dropped, though the mapping may have its place by then. Must be
    /// called inside a tokio runtime.
    pub async fn start(self) -> Result<RunningStream> {
        self.settings.check(&self.function)?;
        let Source { region, account, .. } = &self.source;
        let clock = self.clock.unwrap_or_else(|| self.stream.clock());
        let shared = Arc::new(Shared {
            telemetry: Telemetry::new(self.stream.name(), Some(&self.function), self.link),
            function_arn: format!("arn:aws:lambda:{region}:{account}:function:{}", self.function),
            function: self.function,
            stream_name: self.stream.name().into(),
            stream: self.stream,
            handler: self.handler,
            settings: self.settings,
            gate: self.gate,
            clock,
            source: self.source,
            id: self.id,
            extra: Extra::default(),
            sender: self.sender,
            enabled: watch::Sender::new(true),
            state: Mutex::new(State::Enabling),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            broken: Mutex::new(None),
        });
        let member = shared.stream.join(&shared.function, shared.settings.starting_position).await?;
        let managing = tokio::spawn(manager::run(shared.clone(), member));
        Ok(RunningStream::new(shared, managing))
    }
}
