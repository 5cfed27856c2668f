//! Telemetry: spans, metrics and the trace context of messages, with the names of OpenTelemetry's messaging conventions. Mappings of
//! queues, mappings of streams and functions all tell what they do here, in the same words.
//!
//! | file | what it is for |
//! |---|---|
//! | `counts` | what a mapping has done so far, as numbers |
//! | `events` | what a mapping does, as it happens |
//! | `metrics` | the same for the `metrics` facade |
//! | `trace` | W3C trace context and `AWSTraceHeader`: read from messages, written to messages |
//! | `sending`, `putting` | a queue whose sends are told, and whose messages carry the trace context; a stream likewise |
//! | `spans` | the spans of receive, process and settle, and links to who sent |
//!
//! # Trace context
//!
//! Who sends says in which trace he is, and the span of the invocation is linked to that.
//!
//! | from | how the context travels | who writes it |
//! |---|---|---|
//! | a queue | the attributes `traceparent` and `tracestate` of W3C; `AWSTraceHeader` where those do not fit | [`Traced`], or [`TraceContext::inject`] |
//! | a function | the same, in the stored event, from attempt to attempt | a [`Traced`] queue of events |
//! | a stream | a record carries nothing beside its data: members of a JSON object, for mappings that [look for them](crate::stream::StreamMapping::trace_context). Other data cannot carry it | [`TracedStream`], or whoever puts |

mod counts;
mod events;
mod metrics;
mod putting;
mod sending;
mod spans;
mod trace;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{MessageId, ShardId};
pub use counts::Counts;
pub(crate) use counts::{Counter, Counters};
pub use events::{Events, WorkerEvent};
pub use putting::TracedStream;
pub use sending::Traced;
pub use spans::{Link, send_span};
pub(crate) use spans::{describe_failure, describe_only};
use tokio::sync::broadcast;
pub use trace::{TRACE_PARENT, TRACE_STATE, TraceContext, TraceError};
use tracing::Span;

use self::metrics::Instruments;
use crate::handler::Failure;

/// How many events a slow listener may be behind before it misses some.
const EVENTS_KEPT: usize = 1_024;

/// Where a mapping of a queue or a stream, or a function, tells what it does.
pub(crate) struct Telemetry {
    /// The queue or the stream.
    source: String,
    /// The consumer group, of a stream.
    group: Option<String>,
    pub(crate) counters: Counters,
    link: Option<Arc<Link>>,
    instruments: Instruments,
    events: broadcast::Sender<WorkerEvent>,
    /// Somebody has asked for events: before that none are made.
    listened: AtomicBool,
}

impl Telemetry {
    pub(crate) fn new(source: &str, group: Option<&str>, link: Option<Arc<Link>>) -> Arc<Self> {
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        Arc::new(Self {
            source: source.to_owned(),
            group: group.map(str::to_owned),
            counters: Counters::default(),
            link,
            instruments: Instruments::new(source, group),
            events,
            listened: AtomicBool::new(false),
        })
    }

    pub(crate) fn receive_span(&self) -> Span {
        spans::receive_span(&self.source, self.group.as_deref())
    }

    /// The span of an invocation, linked to who sent its messages.
    pub(crate) fn process_span(&self, messages: usize, senders: impl Iterator<Item = TraceContext>) -> Span {
        let span = spans::process_span(&self.source, self.group.as_deref(), messages);
        spans::link_to(&span, senders, self.link.as_deref());
        span
    }

    pub(crate) fn settle_span(&self, messages: usize) -> Span {
        spans::settle_span(&self.source, self.group.as_deref(), messages)
    }

    /// The events from now on.
    pub(crate) fn events(&self) -> Events {
        self.listened.store(true, Ordering::Relaxed);
        Events::new(self.events.subscribe())
    }

    /// Tells those who listen, and makes the event only then.
    pub(crate) fn tell(&self, event: impl FnOnce() -> WorkerEvent) {
        if self.listened.load(Ordering::Relaxed) {
            // Who stopped listening meanwhile does not want it.
            let _ = self.events.send(event());
        }
    }

    pub(crate) fn received(&self, messages: usize, took: Duration) {
        self.counters.add(Counter::Received, messages);
        self.instruments.received(messages, took);
        self.tell(|| WorkerEvent::Received { messages });
    }

    pub(crate) fn processed(&self, messages: usize, took: Duration, failure: Option<&Failure>) {
        self.counters.add(Counter::Invocations, 1);
        if failure.is_some() {
            self.counters.add(Counter::FailedInvocations, 1);
        }
        self.instruments.processed(took, failure.map(|failure| failure.kind));
        match failure {
            Some(failure) => self.tell(|| WorkerEvent::Failed { messages, took, failure: failure.clone() }),
            None => self.tell(|| WorkerEvent::Succeeded { messages, took }),
        }
    }

    pub(crate) fn rejected(&self, messages: usize, why: &Failure) {
        self.counters.add(Counter::Rejected, 1);
        tracing::warn!(messages, reason = why.message, "a transaction was rejected");
        self.tell(|| WorkerEvent::Rejected { messages, reason: why.message.clone() });
    }

    pub(crate) fn settled(&self, settled: Counts, took: Duration) {
        self.counters.add_all(&settled);
        self.instruments.settled(took);
        self.tell(|| WorkerEvent::Settled { counts: settled });
    }

    pub(crate) fn filtered(&self, messages: usize) {
        self.counters.add(Counter::Filtered, messages);
        self.tell(|| WorkerEvent::Filtered { messages });
    }

    /// A batch waits for a permit.
    pub(crate) fn throttled(&self, messages: usize) {
        self.counters.add(Counter::Throttled, 1);
        self.tell(|| WorkerEvent::Throttled { messages });
    }

    /// A destination was not told of so many messages.
    pub(crate) fn destination_failed(&self, messages: usize, error: &str) {
        self.counters.add(Counter::DestinationFailures, messages);
        self.instruments.destination_failures.increment(1);
        self.tell(|| WorkerEvent::DeliveryFailed { messages, error: error.to_owned() });
    }

    /// A dead letter is lost.
    pub(crate) fn dead_letter_failed(&self, error: &str) {
        self.counters.add(Counter::DeadLetterErrors, 1);
        self.instruments.dead_letter_errors.increment(1);
        self.tell(|| WorkerEvent::DeliveryFailed { messages: 1, error: error.to_owned() });
    }

    pub(crate) fn lease_lost(&self, id: MessageId) {
        self.counters.add(Counter::LeasesLost, 1);
        self.tell(|| WorkerEvent::LeaseLost { id });
    }

    pub(crate) fn shard_lost(&self, shard: ShardId) {
        self.counters.add(Counter::LeasesLost, 1);
        self.tell(|| WorkerEvent::ShardLost { shard });
    }

    pub(crate) fn workers(&self, running: usize) {
        self.instruments.workers(running);
        self.tell(|| WorkerEvent::Workers { running });
    }
}
