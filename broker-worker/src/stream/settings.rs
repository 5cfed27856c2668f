//! What a stream mapping is told once, and what is refused.

use std::{sync::Arc, time::Duration};

use broker_core::StartingPosition;

use super::filter::StreamFilters;
use crate::{
    error::{Error, Result},
    invoke::{Destination, DestinationKind},
};

/// The largest batch.
const BATCH_MAX: usize = 10_000;
/// The longest window that a batch is gathered in.
const WINDOW_MAX: Duration = Duration::from_secs(300);
/// The most batches of a shard at once.
const PARALLEL_MAX: usize = 10;
/// The most retries that can be set; without a number there are as many as it takes.
const RETRIES_MAX: u32 = 10_000;
/// How old records may get, if a limit is set: at least a minute, at most a week.
const AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(604_800));
/// The longest tumbling window.
const TUMBLING_MAX: Duration = Duration::from_secs(900);
/// How long an invocation may take (rule L3).
const TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// The longest name of a function, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The settings of a stream mapping, with the defaults of Lambda but for the starting position, which Lambda wants to be told.
#[derive(Clone)]
pub struct StreamMappingSettings {
    /// The most records of a batch: 1 to 10,000, by default 100.
    pub batch_size: usize,
    /// How long a batch is gathered: 0 to 300 seconds, by default 0, which hands over what one read has found. It begins when the
    /// batch before is done.
    pub window: Duration,
    /// Where a mapping begins that was never there before: at the horizon, at the end, or at a time that is not in the future. By
    /// default at the horizon. [`Latest`](StartingPosition::Latest) is the end at the moment of the start; what is put while the
    /// mapping is being made may be before it (rule L81).
    pub starting_position: StartingPosition,
    /// How many batches of a shard are worked on at once: 1 to 10, by default 1. Records of one key keep their order (rule L80).
    pub parallelization_factor: usize,
    /// Whether a batch that fails is cut in two, so that a record that always fails is left alone (rule L86). By default not.
    pub bisect_batch_on_function_error: bool,
    /// How often a batch is tried again after the function has failed: 0 to 10,000. By default as often as it takes.
    pub maximum_retry_attempts: Option<u32>,
    /// How old records may get: 60 seconds to 7 days. By default as old as the stream keeps them.
    pub maximum_record_age: Option<Duration>,
    /// How long tumbling windows are: up to 900 seconds; by default there are none. They go by shard, so there is one lane then.
    pub tumbling_window: Duration,
    /// Whether JSON answers may name single records that failed (rule L87). By default not.
    pub report_batch_item_failures: bool,
    /// Which records the handler wants. By default all.
    pub filters: StreamFilters,
    /// How long an invocation may take: 1 millisecond to 15 minutes, which is the default.
    pub timeout: Duration,
    /// Who is told of records that were given up: a queue, a topic or an object store. By default nobody.
    pub on_failure: Option<Arc<dyn Destination>>,
}

impl Default for StreamMappingSettings {
    fn default() -> Self {
        Self {
            batch_size: 100,
            window: Duration::ZERO,
            starting_position: StartingPosition::TrimHorizon,
            parallelization_factor: 1,
            bisect_batch_on_function_error: false,
            maximum_retry_attempts: None,
            maximum_record_age: None,
            tumbling_window: Duration::ZERO,
            report_batch_item_failures: false,
            filters: StreamFilters::default(),
            timeout: TIMEOUT_MAX,
            on_failure: None,
        }
    }
}

impl StreamMappingSettings {
    /// Refuses what no stream can be mapped with.
    pub(super) fn check(&self, function: &str) -> Result<()> {
        let between = |field, value: String, ok: bool, range: &str| {
            if ok { Ok(()) } else { Err(Error::setting(field, value, format!("must be {range}"))) }
        };
        let time = |duration: Duration| format!("{duration:?}");
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let named = (1..=NAME_CHARS_MAX).contains(&function.chars().count()) && function.chars().all(allowed);
        between("function", function.into(), named, "1 to 64 letters, digits, hyphens and underscores")?;
        let batch = (1..=BATCH_MAX).contains(&self.batch_size);
        between("batch_size", self.batch_size.to_string(), batch, "between 1 and 10000")?;
        between("window", time(self.window), self.window <= WINDOW_MAX, "between 0s and 300s")?;
        let factor = self.parallelization_factor;
        let parallel = (1..=PARALLEL_MAX).contains(&factor);
        between("parallelization_factor", factor.to_string(), parallel, "between 1 and 10")?;
        if let Some(retries) = self.maximum_retry_attempts {
            let ok = retries <= RETRIES_MAX;
            between("maximum_retry_attempts", retries.to_string(), ok, "between 0 and 10000")?;
        }
        if let Some(age) = self.maximum_record_age {
            let ok = (AGE.0..=AGE.1).contains(&age);
            between("maximum_record_age", time(age), ok, "between 60s and 604800s")?;
        }
        let tumbling = self.tumbling_window;
        let whole = tumbling.is_zero() || (Duration::from_secs(1)..=TUMBLING_MAX).contains(&tumbling);
        between("tumbling_window", time(tumbling), whole, "0s, or between 1s and 900s")?;
        let timeout = (Duration::from_millis(1)..=TIMEOUT_MAX).contains(&self.timeout);
        between("timeout", time(self.timeout), timeout, "between 1ms and 900s")?;
        if !tumbling.is_zero() && factor > 1 {
            let reason = "a tumbling window has its state by shard, so it needs a factor of 1";
            return Err(Error::setting("parallelization_factor", factor, reason));
        }
        match &self.on_failure {
            Some(bad) if matches!(bad.kind(), DestinationKind::Function | DestinationKind::Bus) => {
                let reason = "records that were given up are told to a queue, a topic or an object store";
                Err(Error::setting("on_failure", bad.arn(), reason))
            }
            _ => Ok(()),
        }
    }
}
