//! What the tests of telemetry see: spans with their fields, and metrics with their labels.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use metrics_util::debugging::{DebugValue, Snapshotter};
use parking_lot::Mutex;
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A trace context as W3C writes it.
pub(crate) const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The fields of spans, by the names of the spans.
#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<Span>>>);

type Span = (&'static str, HashMap<String, String>);

thread_local! {
    /// Who collects the spans of this thread, which is that of one test.
    static COLLECTING: RefCell<Option<Spans>> = const { RefCell::new(None) };
}

/// One subscriber for the whole process: one for each test would be asked, or not, by how the tests happen to run beside each other.
struct Collector;

fn collecting<T: Default>(run: impl FnOnce(&mut Vec<Span>) -> T) -> T {
    COLLECTING.with_borrow(|spans| spans.as_ref().map(|spans| run(&mut spans.0.lock())).unwrap_or_default())
}

struct Fields<'f>(&'f mut HashMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let count = collecting(|spans| {
            let mut fields = HashMap::new();
            attributes.record(&mut Fields(&mut fields));
            spans.push((attributes.metadata().name(), fields));
            spans.len() as u64
        });
        span::Id::from_u64(count.max(1))
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        collecting(|spans| spans.get_mut(at).map(|(_, fields)| values.record(&mut Fields(fields))));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Spans {
    /// Collects the spans of this thread from now on.
    pub(crate) fn collect() -> Self {
        // Only the first one succeeds.
        let _ = tracing::subscriber::set_global_default(Collector);
        tracing::callsite::rebuild_interest_cache();
        let spans = Self::default();
        COLLECTING.set(Some(spans.clone()));
        spans
    }

    pub(crate) fn named(&self, name: &str) -> Vec<HashMap<String, String>> {
        self.0.lock().iter().filter(|(of, _)| *of == name).map(|(_, fields)| fields.clone()).collect()
    }
}

/// Asserts that a span has these fields.
pub(crate) fn assert_fields<const N: usize>(span: &HashMap<String, String>, expected: [(&str, &str); N]) {
    for (field, value) in expected {
        assert_eq!(span.get(field).map(String::as_str), Some(value), "{field}");
    }
}

/// Metrics by name, operation and error, after a check of the labels that all have.
pub(crate) struct Metrics(HashMap<(String, String, Option<String>), DebugValue>);

impl Metrics {
    pub(crate) fn of(snapshotter: &Snapshotter, destination: &str, group: Option<&str>) -> Self {
        let metrics = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
            let label = |name: &str| {
                key.key().labels().find(|label| label.key() == name).map(|label| label.value().to_owned())
            };
            assert_eq!(label("messaging.destination.name").as_deref(), Some(destination));
            assert_eq!(label("messaging.consumer.group.name").as_deref(), group);
            assert_eq!(label("messaging.system").as_deref(), Some("broker"));
            let operation = label("messaging.operation.name").unwrap();
            assert_eq!(label("messaging.operation.type"), Some(operation.clone()));
            ((key.key().name().to_owned(), operation, label("error.type")), value)
        });
        Self(metrics.collect())
    }

    fn get(&self, name: &str, operation: &str, error: Option<&str>) -> &DebugValue {
        let key = (name.to_owned(), operation.to_owned(), error.map(str::to_owned));
        self.0.get(&key).unwrap_or_else(|| panic!("there is no {key:?}"))
    }

    pub(crate) fn counter(&self, name: &str, operation: &str) -> u64 {
        match self.get(name, operation, None) {
            DebugValue::Counter(count) => *count,
            other => panic!("{other:?}"),
        }
    }

    /// What was measured, in seconds.
    pub(crate) fn samples(&self, name: &str, operation: &str, error: Option<&str>) -> Vec<f64> {
        match self.get(name, operation, error) {
            DebugValue::Histogram(samples) => samples.iter().map(|sample| sample.into_inner()).collect(),
            other => panic!("{other:?}"),
        }
    }
}
