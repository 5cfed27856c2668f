//! Metrics as the autoscaler reads them, and the count that each proposes.

use std::time::Duration;

use broker_core::Timestamp;

use crate::scaling::{after, round};

/// A pod that starts is not expected to be ready for so long (rule S67).
const INITIAL_READINESS: Duration = Duration::from_secs(30);
/// The use of the processor while a pod starts does not count for so long (rule S67).
const CPU_INITIALIZATION: Duration = Duration::from_secs(300);

/// One metric, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A number for all together, and how much of it is for each: `AverageValue` of an external metric, as KEDA uses it.
    Total {
        /// All together.
        total: f64,
        /// For each.
        per_pod: f64,
    },
    /// A number that is to be at its target.
    Value {
        /// What it is.
        value: f64,
        /// What it is to be.
        target: f64,
    },
    /// A number of each pod, whose average is to be at its target.
    Pods {
        /// The pods, those without a number too.
        pods: Vec<Pod>,
        /// What the average is to be.
        target: f64,
        /// Whether it is the use of the processor, which does not count while a pod starts.
        cpu: bool,
    },
    /// It could not be read.
    Failed,
}

/// What is known of a pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pod {
    /// The metric; `None` if it is missing.
    pub value: Option<f64>,
    /// Whether the pod is ready.
    pub ready: bool,
    /// When it was started.
    pub started: Timestamp,
    /// When it last became ready or unready.
    pub turned: Timestamp,
    /// When the metric was measured.
    pub measured: Timestamp,
    /// How long a time the metric sums up.
    pub window: Duration,
}

impl Pod {
    /// Whether its metric does not count because the pod is not ready.
    fn is_unready(&self, cpu: bool, now: Timestamp) -> bool {
        if !cpu {
            return false;
        }
        if after(self.started, CPU_INITIALIZATION) > now {
            return !self.ready || self.measured < after(self.turned, self.window);
        }
        // Later on only a pod that has never been ready does not count.
        !self.ready && after(self.started, INITIAL_READINESS) > self.turned
    }
}

impl Reading {
    /// How many there should be; `None` if that is not known.
    pub(super) fn propose(&self, current: u32, below: f64, above: f64, now: Timestamp) -> Option<u32> {
        let keep = |ratio: f64| round::within(ratio, below, above);
        match self {
            Self::Failed => None,
            Self::Total { total, per_pod } => {
                let ratio = total / (per_pod * f64::from(current));
                let wanted = total / per_pod;
                wanted.is_finite().then(|| if keep(ratio) { current } else { round::up(wanted) })
            }
            Self::Value { value, target } => {
                let ratio = value / target;
                let wanted = ratio * f64::from(current);
                wanted.is_finite().then(|| if keep(ratio) { current } else { round::up(wanted) })
            }
            Self::Pods { pods, target, cpu } => of_pods(pods, *target, *cpu, current, keep, now),
        }
    }
}

/// The count by a metric of each pod. What is missing or not ready is filled in so that it damps the change (rule S66).
fn of_pods(
    pods: &[Pod],
    target: f64,
    cpu: bool,
    current: u32,
    keep: impl Fn(f64) -> bool,
    now: Timestamp,
) -> Option<u32> {
    let (mut known, mut missing, mut unready) = (Vec::new(), 0, 0);
    for pod in pods {
        match pod.value {
            None => missing += 1,
            Some(_) if pod.is_unready(cpu, now) => unready += 1,
            Some(value) => known.push(value),
        }
    }
    if known.is_empty() {
        return None;
    }
    let ratio = |values: &[f64]| values.iter().sum::<f64>() / (target * round::number(values.len() as u64));
    let first = ratio(&known);
    if !first.is_finite() {
        return None;
    }
    let count_unready = unready > 0 && first > 1.0;
    if missing == 0 && !count_unready {
        let wanted = round::up(first * round::number(known.len() as u64));
        return Some(if keep(first) { current } else { wanted });
    }
    let filled = if first < 1.0 { target } else { 0.0 };
    known.extend(std::iter::repeat_n(filled, missing));
    if count_unready {
        known.extend(std::iter::repeat_n(0.0, unready));
    }
    let corrected = ratio(&known);
    if keep(corrected) || (first < 1.0 && corrected > 1.0) || (first > 1.0 && corrected < 1.0) {
        return Some(current);
    }
    let wanted = round::up(corrected * round::number(known.len() as u64));
    let reversed = (corrected < 1.0 && wanted > current) || (corrected > 1.0 && wanted < current);
    Some(if reversed { current } else { wanted })
}
