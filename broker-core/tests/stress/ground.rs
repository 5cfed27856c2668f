//! Where a stress test runs: a store, bounds, a clock that stands still unless it is moved, and dice.

use std::{future::Future, sync::Arc, time::Duration};

use broker_core::{
    Broker, LocalQueue, ManualClock, MemoryBounds, QueueCounters, ReceiveOptions,
    storage::{Storage, faults::CrashStorage},
};
use broker_mem::MemStorage;
use tempfile::TempDir;

use crate::disk::Disk;

/// Bounds so small that paging, the time index and cold leases are part of every run.
const TINY: MemoryBounds = MemoryBounds { ready: 3, delayed: 2, staged: 2, staged_bytes: 64, searched: 6 };

/// Longer than any run moves the clock: no lease ends by itself.
pub(crate) const LEASE: Duration = Duration::from_secs(3_600);

/// A run that has not ended by then never will. Wide, since the machine may be busy with other tests.
const STUCK: Duration = Duration::from_secs(600);

enum Kind {
    Inline(MemStorage),
    Threaded(Arc<CrashStorage>),
    OnDisk(Disk, TempDir),
}

/// A store and how brokers are opened on it.
pub(crate) struct Ground {
    kind: Kind,
    memory: MemoryBounds,
    pub(crate) clock: ManualClock,
}

impl Ground {
    fn new(kind: Kind) -> Self {
        Self { kind, memory: MemoryBounds::default(), clock: ManualClock::new(1_000_000) }
    }

    pub(crate) fn inline() -> Self {
        Self::new(Kind::Inline(MemStorage::new()))
    }

    pub(crate) fn threaded() -> Self {
        Self::new(Kind::Threaded(Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true))))
    }

    pub(crate) fn on(disk: Disk) -> Self {
        Self::new(Kind::OnDisk(disk, tempfile::tempdir().unwrap()))
    }

    pub(crate) fn tiny(self) -> Self {
        Self { memory: TINY, ..self }
    }

    /// Whether everything that waits is read again and again.
    pub(crate) fn is_tiny(&self) -> bool {
        self.memory == TINY
    }

    /// Less work where each commit goes to a disk.
    pub(crate) fn scaled(&self, count: usize) -> usize {
        if matches!(self.kind, Kind::OnDisk(..)) { count / 4 } else { count }
    }

    fn store(&self) -> Arc<dyn Storage> {
        match &self.kind {
            Kind::Inline(memory) => Arc::new(memory.clone()),
            Kind::Threaded(store) => store.clone(),
            Kind::OnDisk(disk, dir) => disk.open(&dir.path().join("store")),
        }
    }

    /// A broker on the store, one at a time, and its queue.
    pub(crate) async fn open(&self) -> (Broker, LocalQueue) {
        let builder = Broker::builder_on(self.store()).clock(self.clock.clone()).memory(self.memory);
        let broker = builder.seed(11).open().await.unwrap();
        let queue = broker.queue("busy").visibility_timeout(LEASE).await.unwrap();
        (broker, queue)
    }

    /// Runs a scenario, which must come to its end.
    pub(crate) async fn run<F: Future<Output = ()>>(self, scenario: impl FnOnce(Self) -> F) {
        tokio::time::timeout(STUCK, scenario(self)).await.expect("the scenario comes to its end");
    }
}

/// A small generator of numbers, seeded per task.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// Drops a call that is not done after so many turns of the scheduler.
pub(crate) async fn cut<T>(turns: usize, call: impl Future<Output = T>) -> Option<T> {
    let turns = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        output = call => Some(output),
        () = turns => None,
    }
}

/// A short poll for as many as there can be.
pub(crate) fn short_poll() -> ReceiveOptions {
    ReceiveOptions::up_to(10).wait_time(Duration::ZERO)
}

/// A long poll, which on a clock that stands still has no end.
pub(crate) fn long_poll(max: usize) -> ReceiveOptions {
    ReceiveOptions::up_to(max).wait_time(Duration::from_secs(20))
}

pub(crate) const EMPTY: QueueCounters = QueueCounters { visible: 0, in_flight: 0, delayed: 0 };
