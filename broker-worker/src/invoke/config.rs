//! Retries, age and destinations of a function (rule L17). Pure.

use std::{sync::Arc, time::Duration};

use super::{
    destination::{Destination, DestinationKind},
    error::InvokeError,
};
use crate::error::Error;

/// The most retries, and how many there are by default.
const RETRIES_MAX: u32 = 2;
/// How old an event may get: at least a minute, at most six hours, which is also the default.
const AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(21_600));

/// What becomes of events that fail, and who is told of those that are done. What is `None` is as Lambda has it by default.
#[derive(Clone, Default)]
pub struct InvokeConfig {
    /// How often an event is tried again whose function failed: 0 to 2, by default 2.
    pub maximum_retry_attempts: Option<u32>,
    /// How old an event may get: 60 seconds to 6 hours, by default 6 hours.
    pub maximum_event_age: Option<Duration>,
    /// Who is told of an event that succeeded.
    pub on_success: Option<Arc<dyn Destination>>,
    /// Who is told of an event that was given up.
    pub on_failure: Option<Arc<dyn Destination>>,
}

impl std::fmt::Debug for InvokeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arn = |destination: &Option<Arc<dyn Destination>>| {
            destination.as_ref().map(|destination| destination.arn().to_owned())
        };
        f.debug_struct("InvokeConfig")
            .field("maximum_retry_attempts", &self.maximum_retry_attempts)
            .field("maximum_event_age", &self.maximum_event_age)
            .field("on_success", &arn(&self.on_success))
            .field("on_failure", &arn(&self.on_failure))
            .finish()
    }
}

/// What is to change in an [`InvokeConfig`].
#[derive(Clone, Default)]
pub struct InvokeConfigChange {
    /// Sets [`maximum_retry_attempts`](InvokeConfig::maximum_retry_attempts).
    pub maximum_retry_attempts: Option<u32>,
    /// Sets [`maximum_event_age`](InvokeConfig::maximum_event_age).
    pub maximum_event_age: Option<Duration>,
    /// Changes [`on_success`](InvokeConfig::on_success).
    pub on_success: DestinationChange,
    /// Changes [`on_failure`](InvokeConfig::on_failure).
    pub on_failure: DestinationChange,
}

/// What is to become of a destination.
#[derive(Clone, Default)]
pub enum DestinationChange {
    /// It stays.
    #[default]
    Keep,
    /// There is none any more.
    Remove,
    /// It is this one.
    Set(Arc<dyn Destination>),
}

impl DestinationChange {
    fn apply(self, to: &mut Option<Arc<dyn Destination>>) {
        match self {
            Self::Keep => {}
            Self::Remove => *to = None,
            Self::Set(destination) => *to = Some(destination),
        }
    }
}

impl InvokeConfig {
    /// How often an event is tried again.
    pub(super) fn retries(&self) -> u32 {
        self.maximum_retry_attempts.unwrap_or(RETRIES_MAX)
    }

    /// How old an event may get.
    pub(super) fn age_max(&self) -> Duration {
        self.maximum_event_age.unwrap_or(AGE.1)
    }

    /// The same with this change.
    pub(super) fn changed(mut self, change: InvokeConfigChange) -> Self {
        let InvokeConfigChange { maximum_retry_attempts, maximum_event_age, on_success, on_failure } = change;
        self.maximum_retry_attempts = maximum_retry_attempts.or(self.maximum_retry_attempts);
        self.maximum_event_age = maximum_event_age.or(self.maximum_event_age);
        on_success.apply(&mut self.on_success);
        on_failure.apply(&mut self.on_failure);
        self
    }

    /// Refuses to say nothing.
    pub(super) fn check_not_empty(&self) -> Result<(), InvokeError> {
        let Self { maximum_retry_attempts, maximum_event_age, on_success, on_failure } = self;
        let empty = maximum_retry_attempts.is_none() && maximum_event_age.is_none();
        if empty && on_success.is_none() && on_failure.is_none() {
            return Err(InvokeError::NothingConfigured);
        }
        Ok(())
    }

    /// Refuses what the function with this ARN, without a qualifier, cannot have.
    pub(super) fn check(&self, function: &str) -> Result<(), InvokeError> {
        if let Some(retries) = self.maximum_retry_attempts.filter(|retries| *retries > RETRIES_MAX) {
            let reason = format!("must be between 0 and {RETRIES_MAX}");
            return Err(Error::setting("maximum_retry_attempts", retries, reason).into());
        }
        if let Some(age) = self.maximum_event_age.filter(|age| *age < AGE.0 || *age > AGE.1) {
            let reason = format!("must be between {:?} and {:?}", AGE.0, AGE.1);
            return Err(Error::setting("maximum_event_age", format!("{age:?}"), reason).into());
        }
        if let Some(stores) = &self.on_success
            && stores.kind() == DestinationKind::Objects
        {
            let reason = "an object store is told of failures only";
            return Err(Error::setting("on_success", stores.arn(), reason).into());
        }
        let both = self.on_success.iter().chain(&self.on_failure);
        let is_own = |arn: &str| {
            arn.strip_prefix(function).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        for destination in both {
            if destination.kind() == DestinationKind::Function && is_own(destination.arn()) {
                return Err(InvokeError::OwnDestination);
            }
        }
        Ok(())
    }
}
