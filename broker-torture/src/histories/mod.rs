//! Histories of operations on a broker with one of everything, and all that can be seen of it after each.
//!
//! Two suites are made of them: `crash_sim`, which crashes between their commits, and `cancel`, which drops their futures. Both
//! compare what is there with what was there when nothing went wrong: so the model is the broker itself. That it is right
//! is for other suites.

mod background;
mod more;
mod op;
mod others;
mod queues;
mod seen;
mod world;

use std::sync::Arc;

use anyhow::bail;
use broker_core::storage::{Batch, Durability, faults::CrashStorage};
use broker_mem::MemStorage;

pub(crate) use op::Op;
pub(crate) use seen::Seen;
pub(crate) use world::{Known, World};

/// The commits that made a world, and what is known of it.
pub(crate) type Begun = (Vec<(Batch, Durability)>, Known);

/// A world with something in it.
pub(crate) fn begin() -> anyhow::Result<Begun> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
    let world = runtime.block_on(async {
        let mut world = World::open(store.clone(), Known::new()).await?;
        world.furnish().await?;
        Ok::<_, broker_core::Error>(world)
    })?;
    Ok((store.applied(), world.known))
}

/// What is seen at that time is what was seen at one of these moments.
pub(crate) fn same<'a>(
    seen: &Seen,
    moments: impl IntoIterator<Item = &'a Seen>,
    now_ms: u64,
) -> anyhow::Result<()> {
    let (found, mut last) = (seen.at(now_ms), Vec::new());
    for moment in moments {
        last = moment.at(now_ms);
        if last == found {
            return Ok(());
        }
    }
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("; ")
    };
    bail!("what is there never was: {:?} instead of {:?}", only(&found, &last), only(&last, &found))
}

#[cfg(test)]
mod tests {
    use broker_core::storage::Storage as _;

    use super::*;

    /// What only looks, or waits for nothing.
    const CHANGES_NOTHING: [Op; 5] =
        [Op::Look, Op::LookCloser, Op::WatchShards, Op::ReceiveInVain, Op::Reopen];

    /// Whether an operation changes what is seen, after another one.
    async fn changes((begun, known): &Begun, first: Op, op: Op) -> anyhow::Result<bool> {
        let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
        begun.iter().try_for_each(|(batch, how)| store.commit(batch, *how))?;
        let mut world = World::open(store, known.clone()).await?;
        first.run(&mut world).await?;
        let before = Seen::of(&world.broker).await?;
        op.run(&mut world).await?;
        Ok(Seen::of(&world.broker).await? != before)
    }

    /// An operation that never finds what it needs would pass every suite.
    #[test]
    fn every_operation_does_something_behind_some_other_one() {
        let begun = begin().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let everything = || Op::all().chain(Op::WAITING);
        for op in everything().filter(|op| !CHANGES_NOTHING.contains(op)) {
            let mut firsts = everything();
            let found = firsts.any(|first| runtime.block_on(changes(&begun, first, op)).unwrap());
            assert!(found, "{op:?} changes nothing behind any other one");
        }
    }
}
