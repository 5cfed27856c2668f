//! Dropped futures: every operation, behind every other one, dropped after every poll on a store that takes its time.
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
};

/// More polls than any operation needs: one that gets here hangs.
const POLLS_MAX: usize = 500;
/// An operation that takes so long hangs.
const HANGS: Duration = Duration::from_secs(60);
const TOLD_MAX: usize = 10;

/// Every pair of operations in so many.
pub(crate) fn run(part: usize, parts: usize) -> anyhow::Result<Outcome> {
    let (begun, mut futures, mut points, mut bad) = (begin()?, 0, 0, Vec::new());
    let pairs = Op::all().flat_map(|first| Op::all().map(move |second| [first, second]));
    for pair in pairs.skip(part).step_by(parts) {
        // A runtime for each: what a dropped future has left is not to be waited for by the next one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        futures += 2;
        for opened_again in [false, true] {
            match runtime.block_on(sweep(&begun, pair, opened_again)) {
                Ok(polls) => points += polls,
                Err(error) if bad.len() < TOLD_MAX => {
                    bad.push(format!("{pair:?}, opened again: {opened_again}: {error:#}"));
                }
                Err(_) => {}
            }
        }
    }
    Ok(Outcome::new("cancel", vec![("futures", futures), ("points", points)], bad))
}

/// A store that can block, which a gate holds up, and a world on it.
struct Prepared {
    store: Arc<CrashStorage>,
    gate: Gate,
    world: World,
    seen: Seen,
}

/// A world in which the first operation was done; opened again if so, so that everything is in the store alone.
async fn prepared((begun, known): &Begun, first: Op, opened_again: bool) -> anyhow::Result<Prepared> {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
    begun.iter().try_for_each(|(batch, how)| store.commit(batch, *how))?;
    let gate = Gate::new();
    let slow = Arc::new(SlowStorage::new(store.clone()).gated(&gate));
    let mut world = World::open(slow.clone(), known.clone()).await?;
    first.run(&mut world).await?;
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

/// Drops the second operation after one poll, then after two, until it gets to its end. Returns how often it was dropped.
async fn sweep(begun: &Begun, [first, second]: [Op; 2], opened_again: bool) -> anyhow::Result<u64> {
    let mut whole = prepared(begun, first, opened_again).await?;
    second.run(&mut whole.world).await?;
    let after = Seen::of(&whole.world.broker).await?;
    for polls in 1..POLLS_MAX {
        let what = || format!("dropped after {polls} polls");
        let Prepared { store, gate, mut world, seen: before } = prepared(begun, first, opened_again).await?;
        let done = until_dropped(pin!(second.run(&mut world)), &gate, polls).await;
        let dropped = done.is_none();
        done.unwrap_or(Ok(()))?;
        world.broker.flush().await?;
        world.moved().await?;
        let (seen, now_ms) = (Seen::of(&world.broker).await?, world.now_ms());
        // A receive that is dropped gives back what it had; what it has moved to the dead-letter queue is moved.
        let given_back = after.given_back(&before);
        let allowed = if dropped { &[&before, &after, &given_back][..] } else { &[&after] };
        same(&seen, allowed.iter().copied(), now_ms).with_context(what)?;
        // And as a new process finds it.
        let survivors = store.restart(Survive::Kill, Arc::new(MemStorage::new()))?;
        let opened = World::open(Arc::new(survivors), world.known_now()).await.with_context(what)?;
        same(&Seen::of(&opened.broker).await?, [&seen], now_ms).with_context(what)?;
        if !dropped {
            return Ok(polls as u64 - 1);
        }
        let again = tokio::time::timeout(HANGS, second.run(&mut world)).await;
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
