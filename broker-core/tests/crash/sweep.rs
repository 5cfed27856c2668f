//! A crash at every commit: whatever survives, the promises hold.

use std::sync::Arc;

use broker_core::storage::faults::{CrashPoint, CrashStorage, Survive};
use broker_mem::MemStorage;

use crate::{
    ledger::Ledger,
    script::run,
    world::{Kind, World},
};

const START: u64 = 1_000_000;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn store(point: CrashPoint, can_block: bool) -> Arc<CrashStorage> {
    Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point))
}

/// Runs the script on a store that dies at `point`. Returns what it promised and when it died.
fn run_until(kind: Kind, store: &Arc<CrashStorage>, seed: u64) -> (Ledger, u64) {
    let mut ledger = Ledger::new(kind);
    let now = block_on(async {
        // Opening is part of the sweep: the first commits create the store and the queue.
        let Ok(world) = World::open(kind, store.clone(), START).await else { return START };
        let ended = run(&world, seed, &mut ledger).await;
        assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
        world.millis()
    });
    (ledger, now)
}

/// Opens what survived, twice, and checks it.
fn check(kind: Kind, store: &CrashStorage, survive: Survive, ledger: &Ledger, now: u64) {
    let survivors = Arc::new(store.restart(survive, Arc::new(MemStorage::new())).unwrap());
    block_on(async {
        let first = World::open(kind, survivors.clone(), now).await.unwrap();
        // A task that was cut off goes on.
        first.moves_end().await.unwrap();
        let counters = first.counters().await;
        drop(first);
        let world = World::open(kind, survivors, now).await.unwrap();
        assert_eq!(world.counters().await, counters, "opening twice gives the same state");
        ledger.check_duplicates(&world).await;
        let left = world.drain().await;
        ledger.check(&left, survive == Survive::Kill);
        for body in ["a", "b", "c"] {
            ledger.check_new(world.queue.send(world.message(body, 0)).await.unwrap().id);
        }
    });
}

fn sweep(kind: Kind, seed: u64, can_block: bool) {
    let whole = store(CrashPoint::Never, can_block);
    let (ledger, now) = run_until(kind, &whole, seed);
    check(kind, &whole, Survive::Kill, &ledger, now);
    let commits = whole.commits();
    assert!(commits > 20, "the script commits often enough to be worth sweeping: {commits}");
    for number in 0..commits {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let store = store(point, can_block);
            let (ledger, now) = run_until(kind, &store, seed);
            let power_cut = |unsynced| Survive::PowerCut { unsynced };
            for survive in [Survive::Kill, power_cut(0), power_cut(1), power_cut(3)] {
                check(kind, &store, survive, &ledger, now);
            }
        }
    }
}

#[test]
fn no_promise_is_broken_by_a_crash_at_any_commit() {
    for seed in 1..=8 {
        sweep(Kind::Standard, seed, false);
    }
}

#[test]
fn no_promise_is_broken_by_a_crash_at_any_commit_of_a_store_that_blocks() {
    for seed in 11..=13 {
        sweep(Kind::Standard, seed, true);
    }
}

#[test]
fn a_dead_letter_is_in_one_queue_whatever_the_crash() {
    for seed in 21..=28 {
        sweep(Kind::DeadLetters, seed, false);
    }
    for seed in 31..=33 {
        sweep(Kind::DeadLetters, seed, true);
    }
}

#[test]
fn groups_and_dead_letters_of_a_fifo_queue_outlive_a_crash_at_any_commit() {
    for seed in 41..=48 {
        sweep(Kind::Fifo, seed, false);
    }
    for seed in 51..=53 {
        sweep(Kind::Fifo, seed, true);
    }
}
