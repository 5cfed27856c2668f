//! Which workers are stopped when there are too many, and which are spared: protection from scale-in (rules S40 to S44).

use std::{collections::BTreeMap, fmt, time::Duration};

use broker_core::Timestamp;

use super::after;
use crate::Error;

/// How long a task is protected if nothing is said (rule S43).
const TASK_PROTECTION: Duration = Duration::from_secs(120 * 60);
/// The longest protection of a task, in minutes: two days.
const TASK_PROTECTION_MINUTES_MAX: u32 = 2_880;

/// A worker of a roster. Numbers are given out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker-{}", self.0)
    }
}

/// Whether a worker may be stopped because there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// It may.
    #[default]
    None,
    /// Not until the protection is lifted, as with EC2 instances.
    UntilLifted,
    /// Not before that time, as with ECS tasks.
    Until(Timestamp),
}

impl Protection {
    /// That of an ECS task which says nothing else: two hours.
    pub fn task(now: Timestamp) -> Self {
        Self::Until(after(now, TASK_PROTECTION))
    }

    /// That of an ECS task, for 1 to 2,880 minutes.
    ///
    /// # Errors
    ///
    /// If there are fewer or more minutes.
    pub fn task_minutes(minutes: u32, now: Timestamp) -> Result<Self, Error> {
        if !(1..=TASK_PROTECTION_MINUTES_MAX).contains(&minutes) {
            return Err(Error::setting("minutes", minutes, "must be between 1 and 2880"));
        }
        Ok(Self::Until(after(now, Duration::from_secs(u64::from(minutes) * 60))))
    }

    /// Whether it protects at `now`.
    pub fn holds(self, now: Timestamp) -> bool {
        match self {
            Self::None => false,
            Self::UntilLifted => true,
            Self::Until(end) => now < end,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    InService,
    Stopping,
}

#[derive(Debug, Clone, Copy)]
struct Worker {
    stage: Stage,
    /// What was the default when it was launched; it holds from when the worker is in service.
    protect_later: bool,
    protection: Protection,
}

/// The workers of a pool or a fleet, and what is known of each.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    workers: BTreeMap<WorkerId, Worker>,
    protect_new: bool,
    launched: u64,
}

/// What to do for the desired count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// So many are to be started.
    pub start: u32,
    /// These are to be stopped.
    pub stop: Vec<WorkerId>,
    /// So many more would be stopped, were they not protected. The desired count is lower even so (rule S42).
    pub held: u32,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {}, stop {}", self.start, self.stop.len())?;
        if self.held > 0 {
            write!(
                f,
                "; could not scale to the desired count: {} more are protected from scale-in",
                self.held
            )?;
        }
        Ok(())
    }
}

impl Roster {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether workers that are launched from now on are protected. Those that are there keep what they have.
    pub fn protect_new(&mut self, protect: bool) {
        self.protect_new = protect;
    }

    /// A worker is being started.
    pub fn launch(&mut self) -> WorkerId {
        let id = WorkerId(self.launched);
        self.launched += 1;
        let protect_later = self.protect_new;
        self.workers
            .insert(id, Worker { stage: Stage::Starting, protect_later, protection: Protection::None });
        id
    }

    /// A worker runs now.
    pub fn in_service(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.stage == Stage::Starting
        {
            worker.stage = Stage::InService;
            if worker.protect_later {
                worker.protection = Protection::UntilLifted;
            }
        }
    }

    /// Protects a worker, or lifts its protection. Answers whether it is there and may go on: one that is being stopped
    /// takes no new work.
    pub fn protect(&mut self, id: WorkerId, protection: Protection) -> bool {
        match self.workers.get_mut(&id) {
            Some(worker) if worker.stage == Stage::InService => {
                worker.protection = protection;
                true
            }
            _ => false,
        }
    }

    /// A worker leaves: stopped by hand, replaced because it was unhealthy, or ended by itself. Protection is of no use
    /// against that (rule S41). One that comes back is a new one, without a flag.
    pub fn remove(&mut self, id: WorkerId) -> bool {
        self.workers.remove(&id).is_some()
    }

    /// Workers that run and may take work.
    pub fn running(&self) -> u32 {
        self.count(Stage::InService)
    }

    /// Workers that are being started.
    pub fn starting(&self) -> u32 {
        self.count(Stage::Starting)
    }

    /// Workers that are being stopped.
    pub fn stopping(&self) -> u32 {
        self.count(Stage::Stopping)
    }

    fn count(&self, stage: Stage) -> u32 {
        let count = self.workers.values().filter(|worker| worker.stage == stage).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether a worker is protected.
    pub fn is_protected(&self, id: WorkerId, now: Timestamp) -> bool {
        self.workers.get(&id).is_some_and(|worker| worker.protection.holds(now))
    }

    /// Says what to do to have `desired` workers, and takes those that are to be stopped for stopping. Of the workers that are
    /// not protected, those that are still starting are stopped first, then the youngest: the others are warm.
    pub fn plan(&mut self, desired: u32, now: Timestamp) -> Plan {
        let have = self.running() + self.starting();
        let start = desired.saturating_sub(have);
        let excess = have.saturating_sub(desired);
        let free = |stage| {
            let mine = move |worker: &Worker| worker.stage == stage && !worker.protection.holds(now);
            self.workers.iter().rev().filter(move |(_, worker)| mine(worker)).map(|(id, _)| *id)
        };
        let wanted = usize::try_from(excess).unwrap_or(usize::MAX);
        let stop: Vec<WorkerId> = free(Stage::Starting).chain(free(Stage::InService)).take(wanted).collect();
        for id in &stop {
            if let Some(worker) = self.workers.get_mut(id) {
                worker.stage = Stage::Stopping;
            }
        }
        let stopped = u32::try_from(stop.len()).unwrap_or(u32::MAX);
        Plan { start, held: excess - stopped, stop }
    }
}
