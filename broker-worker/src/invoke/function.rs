//! A function whose events wait in a queue: as it is built, and as it runs.

use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use broker_core::{Clock, Queue, ReceiptHandle};
use parking_lot::Mutex;
use tokio::task::{Id, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    caller::Caller,
    config::InvokeConfig,
    dead_letter::DeadLetterTarget,
    error::InvokeError,
    event::Invocation,
    stored::OVERHEAD_BYTES,
    worker::{self, later},
};
use crate::{
    concurrency::{Gate, Open},
    error::{Error, Result},
    event::Source,
    handler::{Handler, SharedHandler},
    telemetry::{Events, Link, Telemetry, TraceContext},
};

/// The largest event, in bytes (rule L1).
const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// How long a function may take on one event, at most and by default (rule L3).
const TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// After the deadline of a stop, handlers that were dropped get so long to notice. One that blocks its thread does not; it is left
/// behind, and its event is given back all the same.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How many events are worked on at once by default. A gate may allow fewer.
const PARALLEL: usize = 100;
/// The longest name of a function, in characters.
const NAME_CHARS_MAX: usize = 64;

/// A function whose events wait in a queue of its own. Build it, and [`start`](Self::start) it.
#[must_use = "a function does nothing until it is started"]
pub struct AsyncFunction {
    name: String,
    queue: Arc<dyn Queue>,
    handler: SharedHandler<Invocation>,
    qualifier: String,
    version: String,
    timeout: Duration,
    parallel: usize,
    gate: Arc<dyn Gate>,
    clock: Option<Arc<dyn Clock>>,
    config: Option<InvokeConfig>,
    dead_letter: Option<DeadLetterTarget>,
    source: Source,
    link: Option<Arc<Link>>,
}

/// What the handles and the worker of a function share.
pub(super) struct Shared {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) handler: SharedHandler<Invocation>,
    /// The ARN without a qualifier.
    pub(super) unqualified: String,
    pub(super) arn: String,
    pub(super) version: String,
    pub(super) timeout: Duration,
    pub(super) parallel: usize,
    pub(super) payload_bytes_max: usize,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Mutex<Option<InvokeConfig>>,
    pub(super) dead_letter: Option<DeadLetterTarget>,
    pub(super) telemetry: Arc<Telemetry>,
    /// Events accepted by callers.
    pub(super) accepted: AtomicU64,
    pub(super) stop: CancellationToken,
    pub(super) abort: CancellationToken,
    pub(super) broken: Mutex<Option<broker_core::Error>>,
    /// The events that are worked on, and by which tasks.
    pub(super) working: Mutex<Vec<(Id, ReceiptHandle)>>,
}

impl Shared {
    /// The function's name.
    pub(super) fn name(&self) -> &str {
        self.unqualified.rsplit(':').next().unwrap_or_default()
    }
}

impl AsyncFunction {
    /// A function of this name: 1 to 64 letters, digits, hyphens and underscores. The queue is its own: nobody else sends to it or
    /// receives from it. It is a standard queue without a dead-letter queue.
    pub fn new(name: impl Into<String>, queue: impl Queue, handler: impl Handler<Invocation>) -> Self {
        Self::of(name, Arc::new(queue), Arc::new(handler))
    }

    /// The same for a queue and a handler that are shared.
    pub fn of(name: impl Into<String>, queue: Arc<dyn Queue>, handler: SharedHandler<Invocation>) -> Self {
        Self {
            name: name.into(),
            queue,
            handler,
            qualifier: "$LATEST".into(),
            version: "$LATEST".into(),
            timeout: TIMEOUT_MAX,
            parallel: PARALLEL,
            gate: Arc::new(Open),
            clock: None,
            config: None,
            dead_letter: None,
            source: Source::default(),
            link: None,
        }
    }

    /// The version or alias that is called, and the version that runs then: by default both are `$LATEST`.
    pub fn qualifier(self, qualifier: impl Into<String>, version: impl Into<String>) -> Self {
        Self { qualifier: qualifier.into(), version: version.into(), ..self }
    }

    /// How long the handler may take on one event: 1 millisecond to 15 minutes, which is also the default.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How many events are worked on at once, at most: 1 or more, by default 100.
    pub fn parallel(self, events: usize) -> Self {
        Self { parallel: events, ..self }
    }

    /// Asks this gate before each attempt: concurrency that functions share.
    pub fn gate(self, gate: impl Gate) -> Self {
        Self { gate: Arc::new(gate), ..self }
    }

    /// Takes time from here. By default it comes from the queue, by whose time leases end: another clock must go as fast.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Retries, age and destinations from the start. They can be changed later, and are not stored.
    pub fn config(self, config: InvokeConfig) -> Self {
        Self { config: Some(config), ..self }
    }

    /// Sends events that were given up here, beside telling the destination (rule L15).
    pub fn dead_letter(self, target: DeadLetterTarget) -> Self {
        Self { dead_letter: Some(target), ..self }
    }

    /// The account and region that ARNs name.
    pub fn source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Links the span of each attempt to the span that called the function: see [`Link`]. The context of that is in the event if
    /// the queue is [`Traced`](crate::telemetry::Traced), and stays in it from attempt to attempt.
    pub fn link(self, link: impl Fn(&tracing::Span, &TraceContext) + Send + Sync + 'static) -> Self {
        Self { link: Some(Arc::new(link)), ..self }
    }

    fn check(&self, unqualified: &str) -> Result<(), InvokeError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let named = |text: &str, more: &str| {
            let chars = 1..=NAME_CHARS_MAX;
            chars.contains(&text.chars().count()) && text.chars().all(|c| allowed(c) || more.contains(c))
        };
        let reason = format!("must be 1 to {NAME_CHARS_MAX} letters, digits, hyphens and underscores");
        for (field, text, more) in
            [("name", &self.name, ""), ("qualifier", &self.qualifier, "$"), ("version", &self.version, "$")]
        {
            if !named(text, more) {
                return Err(Error::setting(field, text, reason).into());
            }
        }
        if self.timeout < Duration::from_millis(1) || self.timeout > TIMEOUT_MAX {
            let timeout = format!("{:?}", self.timeout);
            return Err(Error::setting("timeout", timeout, "must be between 1ms and 900s").into());
        }
        if self.parallel == 0 {
            return Err(Error::setting("parallel", 0, "must be at least 1").into());
        }
        self.config.as_ref().map_or(Ok(()), |config| config.check(unqualified))
    }

    /// Refuses a queue that events cannot wait in. Returns how large an event may be in this one.
    async fn check_queue(&self) -> Result<usize, InvokeError> {
        let attributes = self.queue.attributes().await?;
        if attributes.fifo.is_some() {
            let reason = "events wait in a standard queue";
            return Err(Error::setting("queue", self.queue.name(), reason).into());
        }
        if attributes.redrive_policy != broker_core::RedrivePolicy::default() {
            let reason = "a queue of events has no dead-letter queue: give one to the function";
            return Err(Error::setting("queue", self.queue.name(), reason).into());
        }
        if self.queue.largest_receive().wait_time == Some(Duration::ZERO) {
            let reason = "a queue that cannot wait for messages would keep a processor busy";
            return Err(Error::setting("queue", self.queue.name(), reason).into());
        }
        Ok(PAYLOAD_BYTES_MAX.min(attributes.max_message_size.saturating_sub(OVERHEAD_BYTES)))
    }

    /// Starts it: events that wait in the queue are worked on. Fails if a setting is refused or the queue cannot be used; nothing
    /// runs then, nor if this is dropped. Must be called inside a tokio runtime.
    pub async fn start(self) -> Result<RunningFunction, InvokeError> {
        let Source { region, account, .. } = &self.source;
        let unqualified = format!("arn:aws:lambda:{region}:{account}:function:{}", self.name);
        self.check(&unqualified)?;
        let payload_bytes_max = self.check_queue().await?;
        let clock = self.clock.unwrap_or_else(|| self.queue.clock());
        let telemetry = Telemetry::new(self.queue.name(), None, self.link);
        let shared = Arc::new(Shared {
            arn: format!("{unqualified}:{}", self.qualifier),
            unqualified,
            queue: self.queue,
            handler: self.handler,
            version: self.version,
            timeout: self.timeout,
            parallel: self.parallel,
            payload_bytes_max,
            gate: self.gate,
            clock,
            config: Mutex::new(self.config),
            dead_letter: self.dead_letter,
            telemetry,
            accepted: AtomicU64::new(0),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            broken: Mutex::new(None),
            working: Mutex::default(),
        });
        let working = tokio::spawn(worker::run(shared.clone()));
        Ok(RunningFunction { caller: Caller(shared), working })
    }
}

/// A function that runs. Dropped, it ends at once: events that it was working on come again.
pub struct RunningFunction {
    caller: Caller,
    working: JoinHandle<()>,
}

impl Deref for RunningFunction {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        self.caller.0.stop.cancel();
        self.caller.0.abort.cancel();
        self.working.abort();
    }
}

impl RunningFunction {
    /// What it does from now on. Ends when nobody can call the function any more.
    pub fn events(&self) -> Events {
        self.caller.0.telemetry.events()
    }

    /// Waits until the function cannot go on, because its queue cannot. For ever if all is well. Cancel safe.
    pub async fn broken(&self) -> broker_core::Error {
        self.caller.0.stop.cancelled().await;
        self.caller.0.broken.lock().clone().unwrap_or(broker_core::Error::Closed)
    }

    /// Stops: takes no more events, lets the handler finish those that it has for up to `drain`, and gives the rest back to the
    /// queue. Returns whether all were finished. Events can still be sent; they wait.
    ///
    /// Dropped, it ends everything at once, as if the function was dropped.
    pub async fn stop(mut self, drain: Duration) -> bool {
        let shared = self.caller.0.clone();
        shared.stop.cancel();
        let drained = self.ends_within(drain).await;
        if !drained {
            shared.abort.cancel();
            self.ends_within(AFTERMATH).await;
            shared.give_back().await;
        }
        drained
    }

    /// Whether nothing is worked on any more after so long at most.
    async fn ends_within(&mut self, wait: Duration) -> bool {
        let clock = self.caller.0.clock.clone();
        tokio::select! {
            biased;
            _ = &mut self.working => true,
            () = clock.sleep_until(later(clock.now(), wait)) => false,
        }
    }
}
