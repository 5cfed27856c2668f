//! How many workers there should be: pure functions of (metrics, state, now). No clock, no `async`, no I/O.
//!
//! A [`Scale`] answers with a [`Decision`]: the count that is wanted now, and why. Whoever has the workers acts on it: a
//! [`pool`](crate::pool) in this process, or a program that starts containers elsewhere. Two come with the crate:
//!
//! - [`Scaler`]: target tracking, step and simple scaling, as Amazon's two auto scaling services do it, several policies at
//!   once, schedules, cooldowns or warm-up;
//! - [`QueueScaler`]: KEDA's scaler of a queue, from and to zero, above an [`Hpa`], which is Kubernetes' one.
//!
//! How Lambda grows and shrinks the pollers of a queue is not here but in [`Pollers`](crate::queue::Pollers), because it goes
//! by what each poll finds and needs no metrics. A fleet outside that has to choose whom to stop has a [`Roster`].
//!
//! The metrics are a [`Sample`]. State is a value: keep it, clone it, start again from it.
//!
//! ```
//! use broker_core::Timestamp;
//! use broker_worker::scaling::{Bounds, Metric, Policy, Sample, Scale as _, Scaler, TargetTracking};
//!
//! // A message takes 0.1 s and may wait for 10 s: 100 per worker.
//! let policy = Policy::target("backlog", TargetTracking::new(Metric::BacklogPerWorker, 100.0));
//! let scaler = Scaler::new(Bounds::new(1, 50)?, [policy])?;
//!
//! let mut state = scaler.start(10, Timestamp::from_millis(0));
//! let mut desired = 10;
//! for minute in 0..=3 {
//!     let now = Timestamp::from_millis(minute * 60_000);
//!     desired = scaler.decide(&mut state, &Sample::new(10).visible(1_500), now).desired;
//! }
//! assert_eq!(desired, 15); // three minutes with 150 per worker
//! # Ok::<(), broker_worker::Error>(())
//! ```

mod adjust;
mod alarm;
mod bounds;
mod decision;
mod hpa;
mod policy;
mod queue_scaler;
mod queue_target;
mod roster;
mod round;
mod sample;
mod scaler;
mod schedule;
mod step;
mod target;
mod timing;
mod weigh;

pub use adjust::Adjustment;
pub use alarm::{Aggregation, Alarm, Comparison};
pub use bounds::Bounds;
pub use decision::{Decision, Reason};
pub use hpa::{Behavior, Hpa, HpaState, Pod, RateChange, RatePolicy, Reading, Select};
pub use policy::Policy;
pub use queue_scaler::{QueueScaler, QueueScalerState};
pub use queue_target::{Fallback, FallbackBehavior, Pause, QueueTarget};
pub use roster::{Plan, Protection, Roster, WorkerId};
pub(crate) use round::number;
pub use sample::{Metric, Sample};
pub use scaler::{Scaler, ScalerState, Suspended};
pub use schedule::Scheduled;
pub use step::{SimpleScaling, Step, StepScaling};
pub use target::TargetTracking;
pub use timing::Timing;

use std::time::Duration;

use broker_core::Timestamp;

/// Decides how many workers there should be.
///
/// Implementors owe: the answer depends on the arguments alone; it is within the bounds that the scaler was given, except
/// where a rule says that a human's word counts for more; deciding twice for the same moment changes nothing more.
pub trait Scale: Send + Sync + 'static {
    /// What is remembered between decisions.
    type State: Clone + Send + Sync + 'static;

    /// The state of a fleet that has `desired` workers at `now`.
    fn start(&self, desired: u32, now: Timestamp) -> Self::State;

    /// What should be, by what was measured at `now`. `now` may stand still, but not go back.
    fn decide(&self, state: &mut Self::State, sample: &Sample, now: Timestamp) -> Decision;

    /// The most workers that this scaler ever asks for.
    fn most(&self, state: &Self::State) -> u32;
}

/// `time` and `wait` later, at most the end of time.
pub(crate) fn after(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(time.as_millis().saturating_add(wait))
}
