//! How many requests were answered: the throughput of each operation.

use std::collections::BTreeMap;

use http::{StatusCode, request::Parts};
use parking_lot::Mutex;

use super::text::{Metric, Page};
use crate::request::{self, Api};

const TOTAL: Metric = Metric {
    name: "broker_requests_total",
    kind: "counter",
    help: "Requests answered, by service, status, and operation if it succeeded.",
};

/// Counts answers.
#[derive(Debug, Default)]
pub(in crate::serve) struct Requests {
    counts: Mutex<BTreeMap<Label, u64>>,
}

/// What a request asks for, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) struct Label {
    api: &'static str,
    operation: String,
    status: u16,
}

/// The label of a request.
pub(in crate::serve) fn label(parts: &Parts, body: &[u8]) -> Label {
    let api: Api = request::addressed(parts).0;
    Label { api: api.name(), operation: request::operation(parts, body).unwrap_or_default(), status: 0 }
}

impl Requests {
    /// A request was answered.
    pub(in crate::serve) fn count(&self, mut label: Label, status: StatusCode) {
        label.status = status.as_u16();
        // What succeeded is an operation that there is. All others would be as many as clients can think of.
        if !status.is_success() {
            label.operation.clear();
        }
        *self.counts.lock().entry(label).or_default() += 1;
    }

    pub(super) fn write(&self, page: &mut Page) {
        for (Label { api, operation, status }, count) in &*self.counts.lock() {
            let labels = [("service", *api), ("operation", operation), ("status", &status.to_string())];
            page.add(TOTAL, &labels, super::queues::number(*count));
        }
    }
}
