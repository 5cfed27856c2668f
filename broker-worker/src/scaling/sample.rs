//! What was measured at a moment: the metrics of a queue and of its workers.

use std::collections::BTreeMap;

use broker_core::QueueCounters;

use super::round::number;

/// The metrics of one moment. What could not be measured is `None`, and never counts as zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Messages that a receive would find.
    pub visible: Option<u64>,
    /// Messages that are leased.
    pub in_flight: Option<u64>,
    /// Messages that are delayed.
    pub delayed: Option<u64>,
    /// Workers that run. Those that are still starting do not.
    pub in_service: u32,
    /// Further metrics, averages over the workers, for [`Metric::Named`].
    pub named: BTreeMap<String, f64>,
}

impl Sample {
    /// Nothing is known but the number of workers.
    pub fn new(in_service: u32) -> Self {
        Self { in_service, ..Self::default() }
    }

    /// The counters of a queue.
    pub fn of(counters: &QueueCounters, in_service: u32) -> Self {
        Self {
            visible: Some(counters.visible),
            in_flight: Some(counters.in_flight),
            delayed: Some(counters.delayed),
            ..Self::new(in_service)
        }
    }

    /// Messages that a receive would find.
    pub fn visible(mut self, messages: u64) -> Self {
        self.visible = Some(messages);
        self
    }

    /// Messages that are leased.
    pub fn in_flight(mut self, messages: u64) -> Self {
        self.in_flight = Some(messages);
        self
    }

    /// Messages that are delayed.
    pub fn delayed(mut self, messages: u64) -> Self {
        self.delayed = Some(messages);
        self
    }

    /// How many of the workers are busy, for [`Metric::busy`]. Without workers there is no such metric.
    pub fn busy(self, workers: u32) -> Self {
        let all = f64::from(self.in_service);
        if self.in_service == 0 { self } else { self.named(BUSY, 100.0 * f64::from(workers) / all) }
    }

    /// A further metric.
    pub fn named(mut self, name: impl Into<String>, value: f64) -> Self {
        self.named.insert(name.into(), value);
        self
    }
}

/// Which of the metrics a policy looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// Visible messages for each worker in service (rule S1). Without workers there is no such number.
    BacklogPerWorker,
    /// Visible messages. Not for target tracking: it does not move with the number of workers (rule S4).
    Visible,
    /// An average over the workers that the caller measures, by its name in [`Sample::named`].
    Named(String),
}

/// The name of [`Metric::busy`].
const BUSY: &str = "busy";

impl Metric {
    /// Which part of the workers is busy, in percent. A [`pool`](crate::pool) measures it.
    ///
    /// As a second target beside the backlog it keeps the workers that are just enough: they have no backlog, and would be
    /// taken away for it.
    pub fn busy() -> Self {
        Self::Named(BUSY.into())
    }
}

/// One measurement of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// The metric.
    pub(crate) value: f64,
    /// The metric times the workers that it is an average over, if there are any.
    pub(crate) load: Option<f64>,
}

impl Metric {
    /// What the metric is, with so many workers that count; `None` if it is not known.
    pub(crate) fn measure(&self, sample: &Sample, workers: u32) -> Option<Measured> {
        let by = |value: f64| (workers > 0).then(|| value * f64::from(workers));
        let measured = match self {
            Self::BacklogPerWorker => {
                let visible = number(sample.visible?);
                let value = (workers > 0).then(|| visible / f64::from(workers))?;
                Measured { value, load: Some(visible) }
            }
            Self::Visible => Measured { value: number(sample.visible?), load: None },
            Self::Named(name) => {
                let value = *sample.named.get(name)?;
                Measured { value, load: by(value) }
            }
        };
        measured.value.is_finite().then_some(measured)
    }
}
