//! How many workers poll a queue (rules L45, L55, L60, L61): a pure machine that is told what workers find.
//!
//! More are wanted when nobody waits for messages any more: whoever polled has found some. They come at the rate of the
//! rules, and leave when polls find nothing.

use crate::error::{Error, Result};

/// Workers at the start, and to which an idle mapping goes back.
const START: usize = 5;
/// What an idle mapping may go down to.
const IDLE_MIN: usize = 2;
/// The most workers of a standard queue.
const STANDARD_MAX: usize = 1_250;
/// The most workers of a FIFO queue. There the number of active groups is the limit, and this one is only there so that
/// there is one.
const FIFO_MAX: usize = 10_000;
/// Between two new workers: 300 a minute.
const GROWTH_MS: u64 = 60_000 / 300;
/// After a failed invocation no worker is added for so long (L45 says "gradually").
const PAUSE_AFTER_FAILURE_MS: u64 = 60_000;
/// After so long without a message an idle mapping goes down to two workers.
const IDLE_MS: u64 = 300_000;
/// Invocations at once of one provisioned poller.
pub(super) const PER_POLLER: usize = 10;
/// Between two new provisioned pollers: 1,000 invocations a minute.
const PROVISIONED_GROWTH_MS: u64 = 60_000 * PER_POLLER as u64 / 1_000;

/// How many workers poll: each receives a batch, has it handled, settles it, and only then receives again. So nothing is
/// received that cannot run (rule L61).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pollers {
    /// As many as are needed: 5 at first, 300 more each minute, up to 1,250 (on a FIFO queue as many as there are
    /// active groups, at once).
    Automatic,
    /// The same, with another most: 2 to 1,000 (`MaximumConcurrency`).
    Maximum(usize),
    /// Provisioned pollers: each has up to 10 invocations at once, makes up to 10 calls and takes up to 1 MB a second.
    Provisioned {
        /// The least: 2 to 200.
        min: usize,
        /// The most: 2 to 10,000.
        max: usize,
    },
    /// So many, until [`Running::resize`](super::Running::resize) says otherwise: for a pool that is scaled on depth.
    Fixed(usize),
}

impl Pollers {
    pub(super) fn check(self) -> Result<()> {
        let wrong = |field, value: usize, reason: &str| Err(Error::setting(field, value, reason));
        match self {
            Self::Maximum(max) if !(2..=1_000).contains(&max) => {
                wrong("maximum_concurrency", max, "must be between 2 and 1000")
            }
            Self::Provisioned { min, .. } if !(2..=200).contains(&min) => {
                wrong("minimum_pollers", min, "must be between 2 and 200")
            }
            Self::Provisioned { max, .. } if !(2..=10_000).contains(&max) => {
                wrong("maximum_pollers", max, "must be between 2 and 10000")
            }
            Self::Provisioned { min, max } if min > max => {
                wrong("maximum_pollers", max, "must not be below the minimum")
            }
            Self::Fixed(count) if count > FIFO_MAX => wrong("workers", count, "must be at most 10000"),
            _ => Ok(()),
        }
    }
}

/// Whether a worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    Leave,
}

/// Whether there are to be more workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// So many more, now.
    Spawn(usize),
    /// Ask again at this time.
    At(u64),
    /// Not before something is found.
    Enough,
}

/// The workers of a mapping.
#[derive(Debug)]
pub(super) struct PollerState {
    policy: Pollers,
    fifo: bool,
    /// Failed invocations take no worker away (rule L45).
    steady: bool,
    enabled: bool,
    running: usize,
    waiting: usize,
    grows_at: u64,
    found_at: u64,
}

impl PollerState {
    pub(super) fn new(policy: Pollers, fifo: bool, steady: bool, now: u64) -> Self {
        let (running, waiting, grows_at, found_at) = (0, 0, now, now);
        Self { policy, fifo, steady, enabled: true, running, waiting, grows_at, found_at }
    }

    /// How many workers run, and how many of them wait for messages.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.running, self.waiting)
    }

    /// The most that there may be, and how many are always there.
    fn bounds(&self) -> (usize, usize) {
        let most = if self.fifo { FIFO_MAX } else { STANDARD_MAX };
        match self.policy {
            _ if !self.enabled => (0, 0),
            Pollers::Automatic => (most, START),
            Pollers::Maximum(max) => (max, START.min(max)),
            Pollers::Provisioned { min, max } => (max * PER_POLLER, min * PER_POLLER),
            Pollers::Fixed(count) => (count, count),
        }
    }

    /// Which pollers there are of provisioned ones.
    pub(super) fn provisioned(&self) -> Option<usize> {
        let provisioned = matches!(self.policy, Pollers::Provisioned { .. });
        provisioned.then(|| self.running.div_ceil(PER_POLLER).max(1))
    }

    /// Changes a fixed number. Returns whether there is one.
    pub(super) fn resize(&mut self, count: usize) -> bool {
        let fixed = matches!(self.policy, Pollers::Fixed(_));
        if fixed {
            self.policy = Pollers::Fixed(count.min(FIFO_MAX));
        }
        fixed
    }

    pub(super) fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// How many workers to add now. They count as running and waiting.
    pub(super) fn grow(&mut self, now: u64) -> Growth {
        let (most, always) = self.bounds();
        let few = if now < self.grows_at { always.min(IDLE_MIN) } else { always };
        let (every, more) = match self.policy {
            Pollers::Provisioned { .. } => (PROVISIONED_GROWTH_MS, PER_POLLER),
            _ if self.fifo => (0, 1),
            _ => (GROWTH_MS, 1),
        };
        if self.running < few && !self.shrunk_on_purpose(now) {
            self.grows_at = self.grows_at.max(now + every);
            return self.spawn(few - self.running);
        }
        if self.waiting > 0 || self.running >= most {
            return Growth::Enough;
        }
        if now < self.grows_at {
            return Growth::At(self.grows_at);
        }
        self.grows_at = now + every;
        self.spawn(more.min(most - self.running))
    }

    /// Whether it has fewer workers than at the start because it is idle.
    fn shrunk_on_purpose(&self, now: u64) -> bool {
        matches!(self.policy, Pollers::Automatic)
            && self.running >= IDLE_MIN
            && now.saturating_sub(self.found_at) >= IDLE_MS
    }

    fn spawn(&mut self, count: usize) -> Growth {
        self.running += count;
        self.waiting += count;
        Growth::Spawn(count)
    }

    /// A worker begins to wait for messages, unless there are too many workers.
    pub(super) fn wait(&mut self) -> Next {
        if self.running > self.bounds().0 {
            return self.leave();
        }
        self.waiting += 1;
        Next::Stay
    }

    /// A waiting worker has got messages. Returns whether more workers may be wanted.
    pub(super) fn found(&mut self, now: u64) -> bool {
        self.waiting -= 1;
        self.found_at = now;
        self.waiting == 0 && self.running < self.bounds().0
    }

    /// A waiting worker is asked whether it should go, because the number was changed.
    pub(super) fn leave_if_too_many(&mut self) -> Next {
        if self.running <= self.bounds().0 {
            return Next::Stay;
        }
        self.waiting -= 1;
        self.leave()
    }

    /// The poll of a waiting worker has found nothing.
    pub(super) fn empty(&mut self, now: u64) -> Next {
        let (_, always) = self.bounds();
        let idle = matches!(self.policy, Pollers::Automatic) && now.saturating_sub(self.found_at) >= IDLE_MS;
        let keep = if idle { IDLE_MIN } else { always };
        if self.running <= keep {
            return Next::Stay;
        }
        self.waiting -= 1;
        self.leave()
    }

    /// An invocation has failed, of a worker that does not wait.
    pub(super) fn failed(&mut self, now: u64) -> Next {
        if self.steady || matches!(self.policy, Pollers::Fixed(_)) {
            return Next::Stay;
        }
        self.grows_at = self.grows_at.max(now + PAUSE_AFTER_FAILURE_MS);
        if self.running > IDLE_MIN { self.leave() } else { Next::Stay }
    }

    /// A worker that does not wait has ended in a way that it should not.
    pub(super) fn vanished(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    fn leave(&mut self) -> Next {
        self.running -= 1;
        Next::Leave
    }
}
