//! Damping: how long a change is given to show its effect, in the two flavours of AWS.

use std::time::Duration;

use broker_core::Timestamp;

use super::after;
use crate::Error;

/// The cooldown where nothing else is said, in both services.
const COOLDOWN: Duration = Duration::from_secs(300);
/// The longest default warm-up.
const WARM_UP_MAX: Duration = Duration::from_secs(3_600);
/// A worker that was asked for counts as coming for so long. After that it is taken to have failed to start, or a fleet that
/// cannot get larger could never get smaller.
pub(crate) const LAUNCH_MAX: Duration = Duration::from_secs(600);

/// How changes are damped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// As Application Auto Scaling (ECS and others): a cooldown after each change.
    Cooldown {
        /// For policies without cooldowns of their own.
        default: Duration,
    },
    /// As an EC2 Auto Scaling group: new workers warm up, and their metric does not count meanwhile. Simple policies
    /// have a cooldown.
    WarmUp {
        /// For policies without a warm-up of their own: up to an hour. `None`, as by default, means the cooldown.
        default_warm_up: Option<Duration>,
        /// For simple policies without a cooldown of their own.
        default_cooldown: Duration,
    },
}

impl Timing {
    /// Cooldowns of 300 seconds, as for ECS services, spot fleets, EMR, Aurora, `SageMaker` and custom resources.
    pub fn cooldown() -> Self {
        Self::Cooldown { default: COOLDOWN }
    }

    /// No cooldown by default, as for target tracking of `DynamoDB`, Comprehend and provisioned concurrency of Lambda.
    pub fn no_cooldown() -> Self {
        Self::Cooldown { default: Duration::ZERO }
    }

    /// Warm-up as in a new Auto Scaling group: 300 seconds, which is the default cooldown.
    pub fn warm_up() -> Self {
        Self::WarmUp { default_warm_up: None, default_cooldown: COOLDOWN }
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Self::WarmUp { default_warm_up: Some(warm_up), .. } if warm_up > WARM_UP_MAX => {
                Err(Error::setting("default_warm_up", format!("{warm_up:?}"), "must be 3600 seconds at most"))
            }
            _ => Ok(()),
        }
    }

    /// How long adding workers is damped.
    pub(crate) fn scale_out(self, own: Option<Duration>) -> Duration {
        own.unwrap_or(match self {
            Self::Cooldown { default } => default,
            Self::WarmUp { default_warm_up, default_cooldown } => default_warm_up.unwrap_or(default_cooldown),
        })
    }

    /// How long taking workers away is damped, or a simple policy pauses.
    pub(crate) fn scale_in(self, own: Option<Duration>) -> Duration {
        own.unwrap_or(match self {
            Self::Cooldown { default } | Self::WarmUp { default_cooldown: default, .. } => default,
        })
    }
}

/// Workers that were asked for together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Launch {
    count: u32,
    warm_up: Duration,
    /// Whether they run.
    arrived: bool,
    /// If they run, when they are warm; before that, when they count as failed.
    until: Timestamp,
}

/// What is being damped.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Damping {
    /// The workers seen in service last.
    seen: u32,
    /// With [`Timing::WarmUp`]: what is on its way or warming up.
    launches: Vec<Launch>,
    /// With [`Timing::Cooldown`]: when it ends, and how many workers were added in it.
    cooldown: Option<(Timestamp, u32)>,
}

impl Damping {
    pub(crate) fn start(seen: u32) -> Self {
        Self { seen, ..Self::default() }
    }

    /// Lets time pass, and sees how many workers are in service.
    pub(crate) fn observe(&mut self, in_service: u32, now: Timestamp) {
        self.cooldown = self.cooldown.filter(|(until, _)| now < *until);
        self.launches.retain(|launch| now < launch.until);
        let mut new = in_service.saturating_sub(self.seen);
        self.seen = in_service;
        let mut arrived = Vec::new();
        for launch in self.launches.iter_mut().filter(|launch| !launch.arrived) {
            let count = launch.count.min(new);
            new -= count;
            launch.count -= count;
            arrived.push(Launch { count, arrived: true, until: after(now, launch.warm_up), ..*launch });
        }
        self.launches.extend(arrived);
        self.launches.retain(|launch| launch.count > 0 && now < launch.until);
    }

    /// Workers in service that warm up: their metric does not count.
    pub(crate) fn warming(&self) -> u32 {
        self.launches.iter().filter(|launch| launch.arrived).map(|launch| launch.count).sum()
    }

    /// Workers that were added and have had no time to show effect. What is asked for next includes them (rule S30).
    pub(crate) fn added(&self) -> u32 {
        let launched: u32 = self.launches.iter().map(|launch| launch.count).sum();
        launched + self.cooldown.map_or(0, |(_, added)| added)
    }

    /// Until when no worker may be taken away, if the end is known.
    pub(crate) fn holds_in(&self) -> Option<Timestamp> {
        let launches = self.launches.iter().map(|launch| launch.until).max();
        launches.max(self.cooldown.map(|(until, _)| until))
    }

    /// Workers were added.
    pub(crate) fn scaled_out(&mut self, timing: Timing, count: u32, wait: Duration, now: Timestamp) {
        match timing {
            Timing::Cooldown { .. } => {
                let added = self.cooldown.map_or(0, |(_, added)| added);
                self.cooldown = Some((after(now, wait), added.saturating_add(count)));
                self.cooldown = self.cooldown.filter(|(until, _)| now < *until);
            }
            Timing::WarmUp { .. } => self.launched(count, wait, now),
        }
    }

    /// Workers were taken away.
    pub(crate) fn scaled_in(&mut self, timing: Timing, count: u32, wait: Duration, now: Timestamp) {
        match timing {
            Timing::Cooldown { .. } => {
                self.cooldown = Some((after(now, wait), 0)).filter(|(until, _)| now < *until);
            }
            Timing::WarmUp { .. } => self.not_launched(count),
        }
    }

    /// Workers are on their way.
    fn launched(&mut self, count: u32, warm_up: Duration, now: Timestamp) {
        self.launches.push(Launch { count, warm_up, arrived: false, until: after(now, LAUNCH_MAX) });
    }

    /// Workers that are on their way are called back.
    fn not_launched(&mut self, mut count: u32) {
        for launch in self.launches.iter_mut().rev().filter(|launch| !launch.arrived) {
            let back = launch.count.min(count);
            launch.count -= back;
            count -= back;
        }
        self.launches.retain(|launch| launch.count > 0);
    }
}
