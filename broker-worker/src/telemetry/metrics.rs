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
    pub(super) destination_failures: Counter,
    pub(super) dead_letter_errors: Counter,
}

const KINDS: [FailureKind; 5] = [
    FailureKind::Error,
    FailureKind::Panic,
    FailureKind::Timeout,
    FailureKind::Payload,
    FailureKind::Rejected,
];

/// Deliveries of what was given up or done that failed: of ours too, after the metrics of Lambda (rule L15).
pub(super) const DESTINATION_FAILURES: &str = "broker.worker.destination_delivery_failures";
/// Dead letters that were lost, likewise.
pub(super) const DEAD_LETTER_ERRORS: &str = "broker.worker.dead_letter_errors";

/// The labels of an operation on a queue or a stream.
pub(super) fn labels(name: &str, operation: &'static str, more: Option<Label>) -> Vec<Label> {
    let destination = Cow::<'static, str>::Owned(name.to_owned());
    let common = [
        Label::new("messaging.system", SYSTEM),
        Label::new("messaging.destination.name", destination),
        Label::new("messaging.operation.name", operation),
        Label::new("messaging.operation.type", operation),
    ];
    common.into_iter().chain(more).collect()
}

impl Instruments {
    /// Of a queue, or of a stream and a consumer group.
    pub(super) fn new(name: &str, group: Option<&str>) -> Self {
        let labels = |operation| {
            let group = group.map(|group| Label::new("messaging.consumer.group.name", group.to_owned()));
            labels(name, operation, group)
        };
        let failed = |kind: FailureKind| {
            let mut labels = labels("process");
            labels.push(Label::new("error.type", kind.as_str()));
            histogram!(PROCESS, labels)
        };
        Self {
            consumed: counter!(CONSUMED, labels("receive")),
            receive: histogram!(OPERATION, labels("receive")),
            settle: histogram!(OPERATION, labels("settle")),
            process: histogram!(PROCESS, labels("process")),
            process_failed: KINDS.map(failed),
            workers: gauge!(WORKERS, labels("process")),
            destination_failures: counter!(DESTINATION_FAILURES, labels("settle")),
            dead_letter_errors: counter!(DEAD_LETTER_ERRORS, labels("settle")),
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
