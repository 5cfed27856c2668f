//! Schedules: a few tasks on one queue, in memory, in an order that a seed decides at every await.
//!
//! Tasks send, receive with long polls, delete, give back and drop receives half-way; the clock moves only when all is
//! quiet. Checked are: leases that overlap, order within groups, what is lost or comes back, and wake-ups that are lost: a
//! receiver that waits while there is a message that it could have.

mod book;
mod executor;
mod tasks;

use std::time::Duration;

use anyhow::ensure;
use broker_core::{Broker, Clock as _, ManualClock, MemoryBounds, PeekOptions};
use broker_mem::MemStorage;

use crate::{
    report::{Outcome, TRACE},
    work::mix,
};
use book::Book;
pub(crate) use executor::Dice;
use executor::Executor;
use tasks::Worker;

/// Bounds so small that paging is part of every run.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 1, staged: 2, staged_bytes: 64, searched: 4 };
/// When every clock starts.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// How far the clock moves when all is quiet: less than a wait, so that what becomes visible has somebody who waits for it.
const STEP: Duration = Duration::from_secs(3);
/// One schedule in so many runs twice: the same seed gives the same trace.
const REPEATED: u64 = 1_000;
/// A bad seed is told so often and no more.
const TOLD_MAX: usize = 10;

/// Runs the schedules of these numbers.
pub(crate) fn run(numbers: std::ops::Range<u64>, seed: u64) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (mut polls, mut all, mut bad) = (0, 0_u64, Vec::new());
    let schedules = numbers.end - numbers.start;
    for number in numbers {
        let dice = seed << 40 ^ number;
        let ran = runtime.block_on(one(dice)).and_then(|trace| {
            polls += trace.polls;
            all = all.wrapping_add(mix(trace.choices ^ mix(number)));
            if number.is_multiple_of(REPEATED) {
                ensure!(runtime.block_on(one(dice))? == trace, "the same seed has gone another way");
            }
            Ok(())
        });
        if let Err(error) = ran
            && bad.len() < TOLD_MAX
        {
            bad.push(format!("schedule {dice}: {error:#}"));
        }
    }
    let figures = vec![("schedules", schedules), ("polls", polls), ("seed", seed), (TRACE, all)];
    Ok(Outcome::new("schedules", figures, bad))
}

/// What two runs of a seed have in common.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    polls: u64,
    choices: u64,
}

async fn one(seed: u64) -> anyhow::Result<Trace> {
    let (mut dice, clock) = (Dice::new(seed), ManualClock::new(BEGIN_MS));
    let bounds = if dice.roll(2) == 0 { TINY } else { MemoryBounds::default() };
    let builder = Broker::builder(MemStorage::new()).clock(clock.clone()).memory(bounds).seed(seed);
    let broker = builder.open().await?;
    let is_fifo = dice.roll(2) == 0;
    let queue = if is_fifo {
        broker.queue("q.fifo").fifo().dedup_by_content().await?
    } else {
        broker.queue("q").await?
    };
    let book = Book::default();
    let worker = Worker { queue: &queue, clock: &clock, book: &book, is_fifo };
    let mut executor = Executor::new(dice.clone());
    for task in 0..2 + dice.roll(7) {
        executor.spawn(worker.work(task, Dice::new(seed ^ (task + 1) << 50)));
    }
    while executor.run_until_quiet().await > 0 {
        let why = queue.why_empty().await?;
        if why.is_receivable() {
            book.wrong(format!("a receiver waits, and {why}"));
            break;
        }
        book.in_flight(why.counters.in_flight, clock.now());
        clock.advance(STEP);
    }
    let left: Vec<_> =
        queue.peek(PeekOptions::up_to(1_000)).await?.into_iter().map(|peeked| peeked.id).collect();
    book.settle(&left);
    if let Some(wrong) = book.verdict() {
        anyhow::bail!(wrong);
    }
    Ok(Trace { polls: executor.polls, choices: executor.trace })
}

/// A lease that ends before the clock moves is none; one that is longer than any wait is seen to end.
const LEASES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(7), Duration::from_secs(60)];
