//! Telemetry: spans, metrics and the trace context of messages, with the names of OpenTelemetry's messaging conventions.
//!
//! | file | what it is for |
//! |---|---|
//! | `counts` | what a mapping has done so far, as numbers |
//! | `events` | what a mapping does, as it happens |
//! | `metrics` | the same for the `metrics` facade |
//! | `trace` | W3C trace context and `AWSTraceHeader`: read from messages, written to messages |
//! | `sending` | a queue whose sends are told, and whose messages carry the trace context |
//! | `spans` | the spans of receive, process and settle, and links to who sent |

mod counts;
mod events;
mod metrics;
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

use broker_core::MessageId;
pub use counts::Counts;
pub(crate) use counts::{Counter, Counters};
pub use events::{Events, WorkerEvent};
pub use sending::Traced;
pub use spans::{Link, send_span};
pub(crate) use spans::{process_span, receive_span, settle_span};
use tokio::sync::broadcast;
pub use trace::{TRACE_PARENT, TRACE_STATE, TraceContext, TraceError};

use self::metrics::Instruments;
use crate::handler::Failure;

/// How many events a slow listener may be behind before it misses some.
const EVENTS_KEPT: usize = 1_024;

/// Where a mapping tells what it does.
pub(crate) struct Telemetry {
    pub(crate) counters: Counters,
    pub(crate) link: Option<Arc<Link>>,
    instruments: Instruments,
    events: broadcast::Sender<WorkerEvent>,
    /// Somebody has asked for events: before that none are made.
    listened: AtomicBool,
}

impl Telemetry {
    pub(crate) fn new(queue: &str, link: Option<Arc<Link>>) -> Arc<Self> {
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        Arc::new(Self {
            counters: Counters::default(),
            link,
            instruments: Instruments::new(queue),
            events,
            listened: AtomicBool::new(false),
        })
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

    pub(crate) fn lease_lost(&self, id: MessageId) {
        self.counters.add(Counter::LeasesLost, 1);
        self.tell(|| WorkerEvent::LeaseLost { id });
    }

    pub(crate) fn workers(&self, running: usize) {
        self.instruments.workers(running);
        self.tell(|| WorkerEvent::Workers { running });
    }
}
