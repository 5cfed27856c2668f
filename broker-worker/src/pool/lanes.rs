//! The workers of a pool: one mapping, or two while the workers of a version are being replaced by those of another.

use broker_core::Timestamp;

use crate::{
    Result,
    deploy::{Progress, Rollout, Stage, Telling, Versions},
    queue::{Batch, QueueMapping, Running, Workers},
    shutdown::Report,
    telemetry::Counts,
};

/// The workers of one version.
pub(super) struct Lane {
    pub(super) versions: Versions<Batch>,
    pub(super) running: Running,
}

impl Lane {
    pub(super) async fn start(
        mapping: &QueueMapping,
        versions: Versions<Batch>,
        workers: u32,
    ) -> Result<Self> {
        let handler = std::sync::Arc::new(versions.clone());
        let running = mapping.lane(handler, size(workers)).start().await?;
        Ok(Self { versions, running })
    }

    fn workers(&self) -> u32 {
        count(self.running.workers().running)
    }
}

fn size(workers: u32) -> usize {
    usize::try_from(workers).unwrap_or(usize::MAX)
}

fn count(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX)
}

/// A version whose workers replace those of another.
pub(super) struct Replacing {
    pub(super) lane: Lane,
    pub(super) rollout: Rollout,
    pub(super) telling: Telling,
}

/// All workers of a pool.
pub(super) struct Lanes {
    main: Lane,
    replacing: Option<Replacing>,
    /// What lanes did that are gone.
    past: Counts,
}

impl Lanes {
    pub(super) fn new(main: Lane) -> Self {
        Self { main, replacing: None, past: Counts::default() }
    }

    pub(super) fn versions(&self) -> Versions<Batch> {
        self.main.versions.clone()
    }

    /// The version whose workers are just replacing others.
    pub(super) fn replacing(&self) -> Option<String> {
        self.replacing.as_ref().map(|new| new.lane.versions.current())
    }

    pub(super) fn replace(&mut self, new: Replacing) {
        self.replacing = Some(new);
    }

    /// Workers that run, and those of them that hold leases.
    pub(super) fn workers(&self) -> Workers {
        let lanes = [Some(&self.main), self.replacing.as_ref().map(|new| &new.lane)];
        let none = Workers { running: 0, busy: 0 };
        lanes.into_iter().flatten().map(|lane| lane.running.workers()).fold(none, |sum, lane| Workers {
            running: sum.running + lane.running,
            busy: sum.busy + lane.busy,
        })
    }

    /// What all have done.
    pub(super) fn counts(&self) -> Counts {
        let new = self.replacing.as_ref().map(|new| new.lane.running.counts()).unwrap_or_default();
        self.past + self.main.running.counts() + new
    }

    /// The mapping that cannot go on.
    pub(super) fn is_broken(&self) -> bool {
        self.main.running.state() == crate::queue::State::Deleting
    }

    /// How many workers of each version there should be, if there should be so many in all.
    pub(super) fn split(&mut self, desired: u32, now: Timestamp) -> (u32, u32) {
        let Some(new) = &mut self.replacing else { return (desired, 0) };
        let verdict = new.rollout.plan().judge(&new.lane.versions.tally(), now);
        let workers = (self.main.workers(), new.lane.workers());
        new.rollout.workers(verdict, desired, workers, now)
    }

    /// Has so many workers of each version. Those that hold a lease finish first.
    pub(super) fn resize(&self, (old, new): (u32, u32)) {
        self.main.running.resize(size(old));
        if let Some(replacing) = &self.replacing {
            replacing.lane.running.resize(size(new));
        }
    }

    /// Sees whether a replacement is further or at its end. Returns what to tell, and a mapping to stop.
    pub(super) fn settle(&mut self) -> (Option<(String, Progress)>, Option<Running>) {
        let Some(new) = &self.replacing else { return (None, None) };
        let (old_workers, new_workers) = (self.main.workers(), new.lane.workers());
        let all = (old_workers + new_workers).max(1);
        let percent = u8::try_from(u64::from(new_workers) * 100 / u64::from(all)).unwrap_or(100);
        let progress = Progress { stage: new.rollout.stage(), percent };
        let name = new.lane.versions.current();
        let news = new.telling.send_if_modified(|told| std::mem::replace(told, progress) != progress);
        let told = news.then_some((name, progress));
        let over = match progress.stage {
            Stage::Done => old_workers == 0,
            Stage::RolledBack(_) => new_workers == 0,
            Stage::Shifting | Stage::Watching => false,
        };
        let Some(new) = self.replacing.take_if(|_| over) else { return (told, None) };
        let gone = match progress.stage {
            Stage::Done => std::mem::replace(&mut self.main, new.lane),
            _ => new.lane,
        };
        self.past = self.past + gone.running.counts();
        (told, Some(gone.running))
    }

    /// Stops all of them.
    pub(super) fn into_running(self) -> Vec<Running> {
        let new = self.replacing.map(|new| new.lane.running);
        [Some(self.main.running), new].into_iter().flatten().collect()
    }

    /// The report of a pool out of those of its lanes.
    pub(super) fn report(past: Counts, reports: Vec<Report>) -> Option<Report> {
        let mut sum = reports.into_iter().reduce(|sum, lane| Report {
            drained: sum.drained && lane.drained,
            settled_while_stopping: sum.settled_while_stopping + lane.settled_while_stopping,
            released: sum.released + lane.released,
            broken: sum.broken.or(lane.broken),
            counts: sum.counts + lane.counts,
            queue: sum.queue,
        })?;
        sum.counts = sum.counts + past;
        Some(sum)
    }

    pub(super) fn past(&self) -> Counts {
        self.past
    }
}
