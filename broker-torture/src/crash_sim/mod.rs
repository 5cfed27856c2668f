//! Crashes between batches: every short history, every commit to crash at, every way to lose what was not synced.
//!
//! A history of up to three operations runs on a store that records its commits, and after each operation all that can be
//! seen of the broker is noted. Then the disk of each possible crash is made, and opened: what is to be seen must be what
//! was seen after some operation, and not before the last one that was promised to survive. From there five more operations
//! go on, with crashes during the opening and each of them. So the model is the broker itself, which never crashed; that it is
//! right is for other suites.

pub(crate) mod files;
mod recording;

use std::sync::Arc;

use anyhow::Context as _;
use broker_core::storage::{Batch, Durability, Storage};
use broker_log::{LogOptions, LogStorage};
use broker_mem::MemStorage;
use tempfile::TempDir;

use crate::{
    histories::{Begun, Known, Op, Seen, World, begin, same},
    report::{Outcome, TRACE},
    schedules::Dice,
    store::{Store, in_memory},
    work::mix,
};
use recording::Recording;

/// As its line begins.
pub(crate) const SUITE: &str = "crash_sim";
/// How many operations follow each crash.
const MORE: usize = 5;
/// A bad history is told so often and no more.
const TOLD_MAX: usize = 10;
/// A runtime is given up after so many histories, with all that brokers have left in it.
const HISTORIES_OF_A_RUNTIME: usize = 500;

/// Where the images are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Memory,
    /// In memory too: files and their calls are simulated.
    Log,
    Sled,
}

/// A disk, and what it lies on.
struct Disk {
    store: Arc<dyn Storage>,
    _home: Option<TempDir>,
}

impl Ground {
    /// The figure that says how many of the images were on it.
    fn figure(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Log => "log",
            Self::Sled => "sled",
        }
    }

    /// A disk with these commits on it, as it is when a process starts.
    fn disk<'a>(self, commits: impl IntoIterator<Item = &'a (Batch, Durability)>) -> anyhow::Result<Disk> {
        // No power cut follows, so nothing need be synced.
        let fill = |store: &dyn Storage| {
            commits.into_iter().try_for_each(|(batch, _)| store.commit(batch, Durability::Buffered))
        };
        match self {
            Self::Memory => {
                let store = MemStorage::new();
                fill(&store)?;
                Ok(Disk { store: Arc::new(store), _home: None })
            }
            Self::Log => {
                let disk = Arc::new(broker_log::faults::Disk::default());
                let open = || LogStorage::open_on(disk.clone(), &LogOptions::default());
                fill(&open()?)?;
                Ok(Disk { store: Arc::new(open()?), _home: None })
            }
            Self::Sled => {
                let home = in_memory()?;
                let directory = home.path().join("store");
                fill(&*Store::Sled.open(&directory)?)?;
                Ok(Disk { store: Store::Sled.open(&directory)?, _home: Some(home) })
            }
        }
    }
}

/// What was tried.
#[derive(Default)]
struct Tried {
    histories: u64,
    points: u64,
    images: u64,
    /// A sum of what stands for each recording.
    trace: u64,
}

impl Tried {
    fn recorded(&mut self, recording: &Recording) {
        self.trace = self.trace.wrapping_add(mix(recording.trace));
    }
}

/// One part of the suite: one history in so many, on one ground.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) ground: Ground,
    pub(crate) every: usize,
    /// Which of so many.
    pub(crate) first: usize,
    pub(crate) seed: u64,
}

impl Part {
    pub(crate) fn run(&self) -> anyhow::Result<Outcome> {
        let (mut tried, mut bad) = (Tried::default(), Vec::new());
        // By their numbers mixed, so that each kind of history is among them.
        let mine = |number: u64| usize::try_from(mix(number)).unwrap_or(0) % self.every == self.first;
        let histories = (0..).zip(all_histories()).filter(|(number, _)| mine(*number));
        let histories: Vec<_> = histories.map(|(_, history)| history).collect();
        let begun = begin(false)?;
        if self.first == 0 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            runtime.block_on(self.creation(&begun, &mut tried))?;
        }
        for some in histories.chunks(HISTORIES_OF_A_RUNTIME) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            for history in some {
                if bad.len() >= TOLD_MAX {
                    break;
                }
                tried.histories += 1;
                if let Err(error) = runtime.block_on(self.history(&begun, history, &mut tried)) {
                    bad.push(format!("{history:?}, seed {}: {error:#}", self.seed));
                }
            }
        }
        let Tried { histories, points, images, trace } = tried;
        let figures = vec![
            ("histories", histories),
            ("points", points),
            ("images", images),
            (self.ground.figure(), images),
            ("seed", self.seed),
            (TRACE, trace),
        ];
        Ok(Outcome::new(SUITE, figures, bad))
    }

    /// A crash after each commit of creating a world, and what goes on from there.
    async fn creation(&self, (begun, known): &Begun, tried: &mut Tried) -> anyhow::Result<()> {
        for commits in 0..=begun.len() {
            tried.points += 1;
            let what = || format!("a creation that ends after {commits} commits");
            self.go_on(&begun[..commits].iter().collect::<Vec<_>>(), known, tried)
                .await
                .with_context(what)?;
        }
        Ok(())
    }

    async fn history(&self, (begun, known): &Begun, history: &[Op], tried: &mut Tried) -> anyhow::Result<()> {
        let first = Recording::of(Ground::Memory.disk(begun)?.store, known.clone(), history).await?;
        tried.recorded(&first);
        let last = history.len();
        for (survivors, moments) in first.images(last) {
            tried.points += 1;
            let what = || format!("a crash that leaves {survivors} commits");
            let known = &first.after[last].known;
            let commits: Vec<_> = begun.iter().chain(&first.commits[..survivors]).collect();
            let opened = self.go_on(&commits, known, tried).await.with_context(what)?;
            same(&opened, first.seen(moments), known.now_ms).with_context(what)?;
        }
        Ok(())
    }

    /// Opens a disk with these commits, does some more, and crashes again while it opens and at each of those. Returns what was
    /// seen when it was open.
    async fn go_on(
        &self,
        commits: &[&(Batch, Durability)],
        known: &Known,
        tried: &mut Tried,
    ) -> anyhow::Result<Seen> {
        let mut dice = Dice::new(self.seed << 40 ^ tried.points);
        let all: Vec<_> = Op::all().collect();
        let more: Vec<_> = (0..MORE).map(|_| all[dice.index(all.len())]).collect();
        let disk = self.ground.disk(commits.iter().copied())?;
        let mut second = Recording::of(disk.store, known.clone(), &more).await?;
        tried.images += 1;
        tried.recorded(&second);
        for number in 0..=MORE {
            for (survivors, moments) in second.images(number) {
                let what = || format!("then {more:?}, and at {number} a crash that leaves {survivors}");
                let known = &second.after[number].known;
                let disk = self.ground.disk(commits.iter().copied().chain(&second.commits[..survivors]))?;
                let world = World::open(disk.store, known.clone()).await.with_context(what)?;
                let seen = Seen::of(&world.broker).await.with_context(what)?;
                tried.images += 1;
                same(&seen, second.seen(moments), known.now_ms).with_context(what)?;
            }
        }
        Ok(second.after.swap_remove(0).seen)
    }
}

/// Every sequence of up to two operations, and of three of those that most happens with.
fn all_histories() -> impl Iterator<Item = Vec<Op>> {
    let one = || Op::all().map(|op| vec![op]);
    let two = one().flat_map(|first| Op::all().map(move |second| [&first[..], &[second]].concat()));
    let most = || Op::MOST.into_iter().flat_map(|first| Op::MOST.map(|second| [first, second]));
    let three = most().flat_map(|two| Op::MOST.map(|third| [&two[..], &[third]].concat()));
    std::iter::once(Vec::new()).chain(one()).chain(two).chain(three)
}
