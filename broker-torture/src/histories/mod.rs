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

/// A world with something in it, and with a slow move if its futures are to be dropped, not itself.
pub(crate) fn begin(slow_move: bool) -> anyhow::Result<Begun> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
    let world = runtime.block_on(async {
        let mut world = World::open(store.clone(), Known::new()).await?;
        world.furnish().await?;
        if slow_move {
            world.move_slowly().await?;
        }
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
    use std::{collections::BTreeSet, fs, path::Path};

    use broker_core::storage::Storage as _;

    use super::*;

    /// What only looks, waits for nothing, or is a duplicate.
    const CHANGES_NOTHING: [Op; 6] =
        [Op::Look, Op::LookCloser, Op::WatchShards, Op::ReceiveInVain, Op::Reopen, Op::SendAgain];
    /// The leases of dead letters, which have no counter.
    const NOT_SEEN: [Op; 2] = [Op::WorkDead, Op::DeadExtend];

    /// Whether an operation changes what is seen, after another one.
    async fn changes((begun, known): &Begun, first: Op, op: Op) -> anyhow::Result<bool> {
        let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
        begun.iter().try_for_each(|(batch, how)| store.commit(batch, *how))?;
        let mut world = World::open(store, known.clone()).await?;
        first.carry_out(&mut world).await?;
        let before = Seen::of(&world.broker).await?;
        op.carry_out(&mut world).await?;
        Ok(Seen::of(&world.broker).await? != before)
    }

    /// An operation that never finds what it needs would pass every suite.
    #[test]
    fn every_operation_does_something_behind_some_other_one() {
        let begun = begin(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let everything = || Op::all().chain(Op::WAITING);
        let changes = |op| {
            let mut firsts = everything();
            firsts.any(|first| runtime.block_on(changes(&begun, first, op)).unwrap())
        };
        let idle: Vec<_> = everything()
            .filter(|op| !CHANGES_NOTHING.contains(op) && !NOT_SEEN.contains(op) && !changes(*op))
            .collect();
        assert!(idle.is_empty(), "{idle:?} change nothing behind any other one");
    }

    /// Those that have another name where they are called, or only call one that is there.
    const BY_ANOTHER_NAME: [(&str, &str); 7] = [
        ("create_queue", "queue"),
        ("create_stream", "stream"),
        ("create_topic", "topic"),
        ("create_subscription", "subscribe"),
        ("checkpoint_all", "checkpoint"),
        ("dead", "dead_letter"),
        ("retry_in", "change_visibility_batch"),
    ];

    /// All sources below a directory.
    fn sources(directory: &Path, into: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else {
                *into += &fs::read_to_string(path).unwrap();
            }
        }
    }

    /// By name: two methods of the same name count as one.
    #[test]
    fn every_public_future_of_the_core_is_in_some_operation() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut core, mut operations) = (String::new(), String::new());
        sources(&here.join("../broker-core/src"), &mut core);
        sources(&here.join("src/histories"), &mut operations);
        let futures = core.split("pub async fn ").skip(1);
        let names: BTreeSet<_> = futures.map(|it| it.split(['(', '<']).next().unwrap_or_default()).collect();
        assert!(names.len() > 60, "only {} were found", names.len());
        for name in names {
            let other = BY_ANOTHER_NAME.iter().find(|(known, _)| *known == name);
            let name = other.map_or(name, |(_, other)| other);
            assert!(operations.contains(&format!(".{name}(")), "{name} is in no operation");
        }
    }
}
