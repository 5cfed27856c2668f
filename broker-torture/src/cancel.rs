//! Dropped futures: every operation, behind every other one, dropped after every poll on a store that takes its time; in a full
//! run also behind two others, by a seed.
//!
//! What was called has happened or not, whole, and a crash agrees with what was seen before it. What was dropped can be done
//! again, so nothing that it held stays behind.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use anyhow::{Context as _, bail};
use broker_core::storage::{
    Storage as _,
    faults::{CrashStorage, Gate, SlowStorage, Survive},
};
use broker_mem::MemStorage;

use crate::{
    histories::{Begun, Op, Seen, World, begin, same},
    report::Outcome,
    schedules::Dice,
};

/// More polls than any operation needs: one that gets here hangs.
const POLLS_MAX: usize = 500;
/// An operation that takes so long hangs.
const HANGS: Duration = Duration::from_secs(60);
const TOLD_MAX: usize = 10;

/// One part of the suite.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Which of so many.
    pub(crate) first: usize,
    pub(crate) every: usize,
    /// How many histories of three operations all parts have together, besides all of two.
    pub(crate) longer: u64,
    pub(crate) seed: u64,
}

impl Part {
    /// Drops the last operation of each history, everywhere.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let (begun, mut futures, mut points, mut bad) = (begin(true)?, 0, 0, Vec::new());
        for history in self.histories() {
            // A runtime for each: what a dropped future has left is not to be waited for by the next one.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            futures += 2;
            for opened_again in [false, true] {
                match runtime.block_on(sweep(&begun, &history, opened_again)) {
                    Ok(polls) => points += polls,
                    Err(error) if bad.len() < TOLD_MAX => {
                        bad.push(format!("{history:?}, opened again: {opened_again}: {error:#}"));
                    }
                    Err(_) => {}
                }
            }
        }
        let figures = vec![("futures", futures), ("points", points), ("seed", self.seed)];
        Ok(Outcome::new("cancel", figures, bad))
    }

    fn histories(self) -> impl Iterator<Item = Vec<Op>> {
        let all: Vec<_> = Op::all().chain(Op::WAITING).collect();
        let pairs = all.clone().into_iter();
        let seconds = all.clone();
        let pairs =
            pairs.flat_map(move |first| seconds.clone().into_iter().map(move |second| vec![first, second]));
        let by_seed = (0..self.longer).map(move |number| {
            let mut dice = Dice::new(self.seed << 40 ^ number);
            (0..3).map(|_| all[dice.index(all.len())]).collect()
        });
        pairs.chain(by_seed).skip(self.first).step_by(self.every)
    }
}

/// A store that can block, which a gate holds up, and a world on it.
struct Prepared {
    store: Arc<CrashStorage>,
    gate: Gate,
    world: World,
    seen: Seen,
}

/// A world in which these operations were done; opened again if so, so that everything is in the store alone.
async fn prepared((begun, known): &Begun, first: &[Op], opened_again: bool) -> anyhow::Result<Prepared> {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
    begun.iter().try_for_each(|(batch, how)| store.commit(batch, *how))?;
    let gate = Gate::new();
    let slow = Arc::new(SlowStorage::new(store.clone()).gated(&gate));
    let mut world = World::open(slow.clone(), known.clone()).await?;
    for op in first {
        op.carry_out(&mut world).await?;
    }
    if opened_again {
        world.broker.close().await?;
        let known = world.known_now();
        drop(world);
        world = World::open(slow, known).await?;
    }
    // Looking reads messages into memory, so it is done in another world.
    let known = world.known_now();
    let copy = store.restart(Survive::Kill, Arc::new(MemStorage::new()))?;
    let seen = Seen::of(&World::open(Arc::new(copy), known).await?.broker).await?;
    Ok(Prepared { store, gate, world, seen })
}

/// Drops the last operation after one poll, then after two, until it gets to its end. Returns how often it was dropped.
async fn sweep(begun: &Begun, history: &[Op], opened_again: bool) -> anyhow::Result<u64> {
    let Some((last, first)) = history.split_last() else { return Ok(0) };
    let after_op = async |op: Op| {
        let mut whole = prepared(begun, first, opened_again).await?;
        op.carry_out(&mut whole.world).await?;
        anyhow::Ok(Seen::of(&whole.world.broker).await?)
    };
    let after = after_op(*last).await?;
    let half = if let Some(op) = last.half() { Some(after_op(op).await?) } else { None };
    for polls in 1..POLLS_MAX {
        let what = || format!("dropped after {polls} polls");
        let Prepared { store, gate, mut world, seen: before } = prepared(begun, first, opened_again).await?;
        let done = until_dropped(pin!(last.run(&mut world)), &gate, polls).await;
        let dropped = done.is_none();
        done.unwrap_or(Ok(()))?;
        if dropped && *last == Op::Reopen {
            world = world.again().await?;
        }
        world.broker.flush().await?;
        world.settled().await?;
        let (seen, now_ms) = (Seen::of(&world.broker).await?, world.now_ms());
        let done = last.seen_if_dropped(&before, &after);
        let there = [Some(&before), Some(&done), half.as_ref()];
        let allowed = if dropped { &there[..] } else { &[Some(&after)] };
        same(&seen, allowed.iter().copied().flatten(), now_ms).with_context(what)?;
        // And as a new process finds it.
        let survivors = store.restart(Survive::Kill, Arc::new(MemStorage::new()))?;
        let opened = World::open(Arc::new(survivors), world.known_now()).await.with_context(what)?;
        same(&Seen::of(&opened.broker).await?, [&seen], now_ms).with_context(what)?;
        if !dropped {
            return Ok(polls as u64 - 1);
        }
        let again = tokio::time::timeout(HANGS, last.carry_out(&mut world)).await;
        again.with_context(|| format!("{}, it cannot be done again", what()))??;
    }
    bail!("it never ends")
}

/// Runs the future to its end, or drops it after so many polls. No commit ends while it is polled, so that every commit is a place
/// to drop it at.
async fn until_dropped<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
    gate: &Gate,
    polls: usize,
) -> Option<T> {
    let mut left = polls;
    std::future::poll_fn(|context| {
        gate.hold();
        let polled = future.as_mut().poll(context);
        gate.open();
        left -= 1;
        match polled {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}
