//! The metrics of a mapping for the `metrics` facade, with the names of OpenTelemetry's messaging conventions.
//!
//! Whoever installs a recorder does so before mappings start: they ask for their instruments once.

use std::{borrow::Cow, time::Duration};

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

use crate::handler::FailureKind;

/// Messages that the queue has taken.
pub(super) const SENT: &str = "messaging.client.sent.messages";
/// Messages handed to the application.
const CONSUMED: &str = "messaging.client.consumed.messages";
/// How long a send, a receive or a settle took, in seconds.
pub(super) const OPERATION: &str = "messaging.client.operation.duration";
/// How long the handler took, in seconds.
const PROCESS: &str = "messaging.process.duration";
/// How many workers there are: of ours, as OpenTelemetry has no name for it.
const WORKERS: &str = "messaging.worker.count";

/// What `messaging.system` is: a system without a registered name.
pub(super) const SYSTEM: &str = "broker";

pub(super) struct Instruments {
    consumed: Counter,
    receive: Histogram,
    settle: Histogram,
    process: Histogram,
    process_failed: [Histogram; KINDS.len()],
    workers: Gauge,
}

const KINDS: [FailureKind; 5] = [
    FailureKind::Error,
    FailureKind::Panic,
    FailureKind::Timeout,
    FailureKind::Payload,
    FailureKind::Rejected,
];

pub(super) fn labels(queue: &str, operation: &'static str, more: Option<Label>) -> Vec<Label> {
    let destination = Cow::<'static, str>::Owned(queue.to_owned());
    let common = [
        Label::new("messaging.system", SYSTEM),
        Label::new("messaging.destination.name", destination),
        Label::new("messaging.operation.name", operation),
        Label::new("messaging.operation.type", operation),
    ];
    common.into_iter().chain(more).collect()
}

impl Instruments {
    pub(super) fn new(queue: &str) -> Self {
        let failed = |kind: FailureKind| {
            let error = Label::new("error.type", kind.as_str());
            histogram!(PROCESS, labels(queue, "process", Some(error)))
        };
        Self {
            consumed: counter!(CONSUMED, labels(queue, "receive", None)),
            receive: histogram!(OPERATION, labels(queue, "receive", None)),
            settle: histogram!(OPERATION, labels(queue, "settle", None)),
            process: histogram!(PROCESS, labels(queue, "process", None)),
            process_failed: KINDS.map(failed),
            workers: gauge!(WORKERS, labels(queue, "process", None)),
        }
    }

    pub(super) fn received(&self, messages: usize, took: Duration) {
        self.consumed.increment(messages as u64);
        self.receive.record(took);
    }

    pub(super) fn processed(&self, took: Duration, failed: Option<FailureKind>) {
        match failed.and_then(|kind| KINDS.iter().position(|known| *known == kind)) {
            Some(at) => self.process_failed[at].record(took),
            None => self.process.record(took),
        }
    }

    pub(super) fn settled(&self, took: Duration) {
        self.settle.record(took);
    }

    pub(super) fn workers(&self, running: usize) {
        // Far below the numbers that a double cannot hold.
        self.workers.set(u32::try_from(running).unwrap_or(u32::MAX));
    }
}
