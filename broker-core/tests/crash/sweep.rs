//! A crash at every commit: whatever survives, the promises hold.

use std::sync::Arc;

use broker_core::storage::faults::{CrashPoint, CrashStorage, Survive};
use broker_mem::MemStorage;

use crate::{
    ledger::Ledger,
    script::{World, drain, millis, run},
};

const START: u64 = 1_000_000;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn store(point: CrashPoint, can_block: bool) -> Arc<CrashStorage> {
    Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point))
}

/// Runs the script on a store that dies at `point`. Returns what it promised and when it died.
fn run_until(store: &Arc<CrashStorage>, seed: u64) -> (Ledger, u64) {
    let mut ledger = Ledger::default();
    let now = block_on(async {
        // Opening is part of the sweep: the first commits create the store and the queue.
        let Ok(world) = World::open(store.clone(), START).await else { return START };
        let ended = run(&world, seed, &mut ledger).await;
        assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
        millis(&world)
    });
    (ledger, now)
}

/// Opens what survived, twice, and checks it.
fn check(store: &CrashStorage, survive: Survive, ledger: &Ledger, now: u64, can_block: bool) {
    let survivors = store.restart(survive, Arc::new(MemStorage::new())).unwrap().can_block(can_block);
    let survivors = Arc::new(survivors);
    block_on(async {
        let first = World::open(survivors.clone(), now).await.unwrap();
        let counters = first.queue.counters().await.unwrap();
        drop(first);
        let world = World::open(survivors, now).await.unwrap();
        assert_eq!(world.queue.counters().await.unwrap(), counters, "opening twice gives the same state");
        let left = drain(&world).await;
        ledger.check(&left, survive == Survive::Kill);
        for body in ["a", "b", "c"] {
            ledger.check_new(world.queue.send(body).await.unwrap().id);
        }
    });
}

fn sweep(seed: u64, can_block: bool) {
    let whole = store(CrashPoint::Never, can_block);
    let (ledger, now) = run_until(&whole, seed);
    check(&whole, Survive::Kill, &ledger, now, can_block);
    let commits = whole.commits();
    assert!(commits > 20, "the script commits often enough to be worth sweeping: {commits}");
    for number in 0..commits {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let store = store(point, can_block);
            let (ledger, now) = run_until(&store, seed);
            let power_cut = |unsynced| Survive::PowerCut { unsynced };
            for survive in [Survive::Kill, power_cut(0), power_cut(1), power_cut(3)] {
                check(&store, survive, &ledger, now, can_block);
            }
        }
    }
}

#[test]
fn no_promise_is_broken_by_a_crash_at_any_commit() {
    for seed in 1..=8 {
        sweep(seed, false);
    }
}

#[test]
fn no_promise_is_broken_by_a_crash_at_any_commit_of_a_store_that_blocks() {
    for seed in 11..=13 {
        sweep(seed, true);
    }
}
