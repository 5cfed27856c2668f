//! A crash at every commit of random histories with transactions: each of those is there as a whole, or not at all, and what
//! was acknowledged is there.

use std::sync::Arc;

use broker_core::storage::faults::{CrashPoint, CrashStorage, Survive};
use broker_mem::MemStorage;

use crate::{
    contents::{START, World},
    disk::Disk,
    script::Script,
    support::block_on,
};

const STEPS: usize = 25;

/// Runs a history on a store that dies at `point`. Returns what it promised and when it ended.
fn run_until(store: &Arc<CrashStorage>, seed: u64) -> (Script, u64) {
    let mut script = Script::new(seed);
    let now = block_on(async {
        let Ok(mut world) = World::open(store.clone(), START).await else { return START };
        let ended = script.run(&mut world, STEPS).await;
        assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
        world.millis()
    });
    (script, now)
}

fn store(point: CrashPoint, can_block: bool) -> Arc<CrashStorage> {
    Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point))
}

fn sweep(seed: u64, can_block: bool) {
    let whole = store(CrashPoint::Never, can_block);
    let (script, _) = run_until(&whole, seed);
    assert!(script.committed > 5, "there are transactions to be cut: {}", script.committed);
    for number in 0..whole.commits() {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let store = store(point, can_block);
            let (script, now) = run_until(&store, seed);
            for survive in
                [Survive::Kill, Survive::PowerCut { unsynced: 0 }, Survive::PowerCut { unsynced: 2 }]
            {
                let survivors = Arc::new(store.restart(survive, Arc::new(MemStorage::new())).unwrap());
                let left = block_on(async { World::open(survivors, now).await.unwrap().drain().await });
                let expected = &script.snapshots[script.acked..];
                assert!(
                    expected.contains(&left),
                    "seed {seed}, {point:?}, {survive:?}: {left:#?} is none of {expected:#?}"
                );
            }
        }
    }
}

// T5
#[test]
fn never_a_part_of_a_transaction_whatever_the_crash() {
    for seed in 1..=8 {
        sweep(seed, false);
    }
}

/// The same on the stores on disk, at fewer of the commits: they take what the broker writes, and are opened with what a crash
/// leaves.
// T5
#[test]
fn never_a_part_of_a_transaction_on_disk_whatever_the_crash() {
    for disk in [Disk::Log, Disk::Sled] {
        let seed = 21;
        let directory = tempfile::tempdir().unwrap();
        let open = |name: String| disk.open(&directory.path().join(name));
        let machine =
            |name: String, point| Arc::new(CrashStorage::new(open(name)).can_block(true).crash_at(point));
        let whole = machine("whole".into(), CrashPoint::Never);
        let (script, _) = run_until(&whole, seed);
        assert!(script.committed > 5, "there are transactions to be cut: {}", script.committed);
        for number in (0..whole.commits()).step_by(3) {
            let point = if number % 2 == 0 { CrashPoint::Before(number) } else { CrashPoint::After(number) };
            let store = machine(format!("run-{number}"), point);
            let (script, now) = run_until(&store, seed);
            let survive = if number % 4 < 2 { Survive::Kill } else { Survive::PowerCut { unsynced: 1 } };
            let survivors = Arc::new(store.restart(survive, open(format!("left-{number}"))).unwrap());
            let left = block_on(async { World::open(survivors, now).await.unwrap().drain().await });
            let expected = &script.snapshots[script.acked..];
            assert!(expected.contains(&left), "{disk:?}, {point:?}, {survive:?}: {left:#?}");
        }
    }
}

// T5
#[test]
fn never_a_part_of_a_transaction_whatever_the_crash_of_a_store_that_blocks() {
    for seed in 11..=14 {
        sweep(seed, true);
    }
}
