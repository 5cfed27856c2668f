//! How much goes to the new version when: a pure machine that is told the time and how the new version is.

use broker_core::Timestamp;

use super::{Deploy, Strategy, Verdict};
use crate::{Result, scaling::after};

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Work is going over.
    Shifting,
    /// All work goes to the new version, which is watched.
    Watching,
    /// The new version is the only one.
    Done,
    /// The new version was not well: all work goes to the old one again.
    RolledBack(Verdict),
}

impl Stage {
    /// Whether nothing more is decided.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::RolledBack(_))
    }
}

/// A deployment that is going on.
///
/// ```
/// use std::time::Duration;
/// use broker_core::Timestamp;
/// use broker_worker::deploy::{Deploy, Rollout, Stage, Verdict};
///
/// let at = |second: u64| Timestamp::from_millis(second * 1_000);
/// let mut rollout = Rollout::start(Deploy::canary(10, Duration::from_secs(300)), at(0))?;
/// assert_eq!(rollout.traffic(Verdict::Unknown, at(299)), 10);
/// assert_eq!(rollout.traffic(Verdict::Well, at(300)), 100);
/// assert_eq!(rollout.stage(), Stage::Done);
/// # Ok::<(), broker_worker::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    plan: Deploy,
    stage: Stage,
    since: Timestamp,
}

impl Rollout {
    /// Begins.
    ///
    /// # Errors
    ///
    /// If the plan cannot be carried out.
    pub fn start(plan: Deploy, now: Timestamp) -> Result<Self> {
        plan.check()?;
        Ok(Self { plan, stage: Stage::Shifting, since: now })
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The plan.
    pub fn plan(&self) -> &Deploy {
        &self.plan
    }

    /// The percentage of invocations that go to the new version now. For a rolling deployment see
    /// [`workers`](Self::workers).
    pub fn traffic(&mut self, verdict: Verdict, now: Timestamp) -> u8 {
        self.go_back_if(verdict);
        let passed = now.since(self.since);
        let share = match (self.stage, &self.plan.strategy) {
            (Stage::RolledBack(_), _) => return 0,
            (Stage::Watching | Stage::Done, _) => 100,
            (_, Strategy::Canary { percent, bake }) if passed < *bake => *percent,
            (_, Strategy::Linear { percent, every }) => {
                let steps = passed.as_millis() / every.as_millis().max(1) + 1;
                u8::try_from(steps.saturating_mul((*percent).into()).min(100)).unwrap_or(100)
            }
            _ => 100,
        };
        self.watch_if(share == 100, now);
        share
    }

    /// The workers of the old and of the new version that there should be now, if there should be `desired` in all and so
    /// many run of each. Those that finish something yet count as running.
    pub fn workers(
        &mut self,
        verdict: Verdict,
        desired: u32,
        (old, new): (u32, u32),
        now: Timestamp,
    ) -> (u32, u32) {
        self.go_back_if(verdict);
        let (least, most) = match self.plan.strategy {
            Strategy::Rolling { minimum_healthy_percent, maximum_percent } => {
                (minimum_healthy_percent, maximum_percent)
            }
            _ => (0, 10_000),
        };
        if let Stage::RolledBack(_) = self.stage {
            let (new, old) = replace(desired, (least, most), (new, old));
            return (old, new);
        }
        self.watch_if(old == 0 && new >= desired, now);
        replace(desired, (least, most), (old, new))
    }

    /// When to ask again, if nothing else happens.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.stage, &self.plan.strategy) {
            (Stage::Watching, _) => Some(after(self.since, self.plan.watch)),
            (Stage::Shifting, Strategy::Canary { bake, .. }) => Some(after(self.since, *bake)),
            (Stage::Shifting, Strategy::Linear { every, .. }) => {
                let steps = now.since(self.since).as_millis() / every.as_millis().max(1) + 1;
                let steps = u32::try_from(steps).unwrap_or(u32::MAX);
                Some(after(self.since, every.saturating_mul(steps)))
            }
            _ => None,
        }
    }

    fn go_back_if(&mut self, verdict: Verdict) {
        if verdict.is_unwell() && !self.stage.is_end() {
            self.stage = Stage::RolledBack(verdict);
        }
    }

    /// Goes on to watching if all work has gone over, and to the end if that has been long enough.
    fn watch_if(&mut self, over: bool, now: Timestamp) {
        if self.stage == Stage::Shifting && over {
            (self.stage, self.since) = (Stage::Watching, now);
        }
        if self.stage == Stage::Watching && now.since(self.since) >= self.plan.watch {
            self.stage = Stage::Done;
        }
    }
}

/// The next step of replacing workers `from` one version `to` another: as many are started as the upper limit allows, and as
/// many stopped as the lower one can spare.
fn replace(desired: u32, (least, most): (u32, u32), (from, to): (u32, u32)) -> (u32, u32) {
    let share = |percent: u32| u64::from(desired) * u64::from(percent);
    let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let (lower, mut upper) = (count(share(least).div_ceil(100)), count(share(most) / 100));
    if lower >= desired && upper <= desired {
        upper = desired.saturating_add(1);
    }
    let room = upper.saturating_sub(from.saturating_add(to));
    let keep = lower.saturating_sub(to);
    (from.min(keep), desired.min(to.saturating_add(room)))
}
