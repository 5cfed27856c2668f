//! Models: the same random operations on memory and on each durable store, with equal results to the last byte.
//!
//! Everything that decides is given: the clock, the seed, the order. So ids, receipts, sequence numbers and errors are the same
//! too, and a run is compared by what its results print.

mod inline;
mod steps;

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use broker_core::{Broker, ManualClock, MemoryBounds, storage::Storage};
use broker_mem::MemStorage;

use crate::{
    report::{Outcome, TRACE},
    schedules::Dice,
    store::{Store, in_memory},
    work::trace_of,
};
use inline::Inline;
use steps::Run;

/// Bounds so small that paging is part of every run.
const TINY: MemoryBounds = MemoryBounds { ready: 3, delayed: 2, staged: 3, staged_bytes: 64, searched: 6 };
const BEGIN_MS: u64 = 1_700_000_000_000;
/// What one run does.
pub(crate) const OPERATIONS: u64 = 200;
/// A store is used for so many runs, each on queues, topics and streams of its own.
const RUNS_OF_A_STORE: u64 = 4;
/// One run in so many commits on a thread of its own, as a program does. To change threads costs time, and changes no result.
const ON_A_THREAD: u64 = 8;
const TOLD_MAX: usize = 10;

/// Where a run takes place.
enum Ground<'a> {
    Memory(MemStorage),
    Disk(Store, &'a Path),
}

impl Ground<'_> {
    fn storage(&self, number: u64) -> anyhow::Result<Arc<dyn Storage>> {
        Ok(match self {
            Self::Memory(storage) => Arc::new(storage.clone()),
            Self::Disk(store, directory) if number.is_multiple_of(ON_A_THREAD) => store.open(directory)?,
            Self::Disk(store, directory) => Arc::new(Inline(store.open(directory)?)),
        })
    }

    /// The broker on it, for the run of that number.
    async fn open(
        &self,
        number: u64,
        clock: &ManualClock,
        bounds: MemoryBounds,
        seed: u64,
    ) -> anyhow::Result<Broker> {
        let builder = Broker::builder_on(self.storage(number)?).clock(clock.clone()).memory(bounds);
        Ok(builder.seed(seed).open().await?)
    }
}

/// Does the runs of these numbers.
pub(crate) fn run(store: Store, runs: std::ops::Range<u64>, seed: u64) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (begin, mut number, mut results, mut bad) = (runs.start, runs.start, 0, Vec::new());
    let mut trace = 0_u64;
    while number < runs.end && bad.len() < TOLD_MAX {
        let home = in_memory()?;
        let directory = home.path().join("store");
        let (memory, disk) = (Ground::Memory(MemStorage::new()), Ground::Disk(store, &directory));
        for _ in 0..RUNS_OF_A_STORE.min(runs.end - number) {
            let dice = Dice::new(seed << 40 ^ number);
            let expected = runtime.block_on(one(&memory, number, dice.clone()))?;
            let found = runtime.block_on(one(&disk, number, dice)).context("on the durable store")?;
            results += found.len() as u64;
            trace = trace.wrapping_add(trace_of(number, found.iter().map(String::as_str)));
            if let Some(difference) = difference(&expected, &found) {
                bad.push(format!("run {number}, seed {seed}: {difference}"));
                number += 1;
                break;
            }
            number += 1;
        }
    }
    let runs = ("runs", number - begin);
    let figures =
        vec![runs, ("operations", OPERATIONS), ("results", results), ("seed", seed), (TRACE, trace)];
    Ok(Outcome::new(store.named("models_log", "models_sled"), figures, bad))
}

/// What the operations of a run have answered.
async fn one(ground: &Ground<'_>, number: u64, mut dice: Dice) -> anyhow::Result<Vec<String>> {
    let bounds = if dice.roll(2) == 0 { TINY } else { MemoryBounds::default() };
    let clock = ManualClock::new(BEGIN_MS + number * 1_000_000_000);
    let (mut seed, mut results, mut left) = (number << 20, Vec::new(), OPERATIONS);
    let mut receipts = Vec::new();
    while left > 0 {
        seed += 1;
        let broker = ground.open(number, &clock, bounds, seed).await?;
        let mut run = Run::new(&broker, &clock, number, &mut dice, &mut receipts).await?;
        // From one opening to the next.
        for _ in 0..(20 + run.dice.roll(100)).min(left) {
            results.push(run.step().await);
            left -= 1;
        }
        broker.close().await?;
    }
    Ok(results)
}

/// The first results that differ.
fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let mut pairs = expected.iter().zip(found).enumerate();
    let (at, (expected, found)) = pairs.find(|(_, (expected, found))| expected != found)?;
    Some(format!("operation {at} answers {found} instead of {expected}"))
}
