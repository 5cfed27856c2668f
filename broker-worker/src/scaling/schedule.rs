//! Scheduled actions: bounds and counts that change at a time of day.

use std::time::Duration;

use broker_core::Timestamp;

/// Changes bounds, the count, or all of them at a time, once or again and again. It does not wait for any cooldown.
///
/// What it sets stays until another action, so a minimum for working hours takes two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    pub(crate) name: String,
    at: Timestamp,
    every: Option<Duration>,
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) desired: Option<u32>,
}

impl Scheduled {
    /// An action at `at` that changes nothing yet. The name is for decisions to refer to.
    pub fn at(name: impl Into<String>, at: Timestamp) -> Self {
        Self { name: name.into(), at, every: None, min: None, max: None, desired: None }
    }

    /// Again each time that so much has passed: a day, a week.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = Some(every);
        self
    }

    /// Sets the least number of workers.
    pub fn min(mut self, workers: u32) -> Self {
        self.min = Some(workers);
        self
    }

    /// Sets the most workers.
    pub fn max(mut self, workers: u32) -> Self {
        self.max = Some(workers);
        self
    }

    /// Sets how many there should be. A policy may change that at once.
    pub fn desired(mut self, workers: u32) -> Self {
        self.desired = Some(workers);
        self
    }

    /// The last time that it was due, after `since` and not after `now`.
    pub(crate) fn due(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let late = now.as_millis().checked_sub(self.at.as_millis())?;
        let every =
            self.every.and_then(|every| u64::try_from(every.as_millis()).ok()).filter(|every| *every > 0);
        let last = Timestamp::from_millis(now.as_millis() - every.map_or(late, |every| late % every));
        (last > since).then_some(last)
    }
}
