//! I/O errors and full disks at every commit and every read: the broker stops, says how certain it is, and what it had
//! promised is there after reopening.

use std::sync::Arc;

use broker_core::{
    Certainty, Error, ReceiveOptions,
    storage::{
        Storage,
        faults::{Afterwards, CrashStorage, FailingStorage, Fault},
    },
};
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

/// Memory behind a profile that says whether it can block.
fn memory(can_block: bool) -> Arc<dyn Storage> {
    Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block))
}

/// Runs the script on a failing store; what it promised must be there when the store works again. Returns how many
/// commits had begun when it ended, and what failed.
fn run_and_reopen(
    kind: Kind,
    inner: &Arc<dyn Storage>,
    failing: FailingStorage,
    seed: u64,
) -> (usize, Option<Error>) {
    let mut ledger = Ledger::new(kind);
    let failing = Arc::new(failing);
    block_on(async {
        let opened = World::open(kind, failing.clone(), START).await;
        let (now, commits, failure) = match opened {
            Ok(world) => {
                let ran = run(&world, seed, &mut ledger).await;
                // Of those that have begun by now, a flush tells the failure.
                let commits = failing.commits();
                let failure = match (ran.err(), world.broker.flush().await.err()) {
                    // A device that has failed in the background fails reads too, perhaps before the broker knows.
                    (Some(Error::Storage(_)), Some(stopped)) => Some(stopped),
                    (ran, flushed) => ran.or(flushed),
                };
                if let Some(Error::Indeterminate(_)) = failure {
                    stays_stopped(&world, &failing).await;
                }
                (world.millis(), commits, failure)
            }
            Err(failure) => (START, failing.commits(), Some(failure)),
        };
        let world = World::open(kind, inner.clone(), now).await.unwrap();
        ledger.check_duplicates(&world).await;
        ledger.check(&world.drain().await, true);
        (commits, failure)
    })
}

/// Once stopped, always stopped: nothing is committed any more, and every call says so.
async fn stays_stopped(world: &World, failing: &FailingStorage) {
    let commits = failing.commits();
    let sent = world.queue.send(world.message("too-late", 0)).await.unwrap_err();
    assert!(matches!(sent, Error::Poisoned(_)), "{sent}");
    assert_eq!(sent.certainty(), Certainty::Rejected);
    let received = world.queue.receive(ReceiveOptions::default()).await.unwrap_err();
    assert!(matches!(received, Error::Poisoned(_)), "{received}");
    assert!(matches!(world.broker.flush().await, Err(Error::Poisoned(_))));
    assert!(matches!(world.broker.queue("new").await, Err(Error::Poisoned(_))));
    assert_eq!(failing.commits(), commits, "a failed commit is not tried again, nor is another");
}

fn of_each_kind(runs: &[(u64, bool)]) -> impl Iterator<Item = (Kind, u64, bool)> {
    let kinds = [Kind::Standard, Kind::DeadLetters, Kind::Fifo];
    kinds.into_iter().flat_map(|kind| runs.iter().map(move |(seed, can_block)| (kind, *seed, *can_block)))
}

#[test]
fn a_failure_at_any_commit_stops_the_broker_and_breaks_no_promise() {
    let runs = [(1, false), (2, false), (3, true)];
    for (kind, seed, can_block) in of_each_kind(&runs) {
        let inner = memory(can_block);
        let (commits, _) = run_and_reopen(kind, &inner, FailingStorage::new(inner.clone()), seed);
        for number in 0..commits {
            for (fault, afterwards) in [(Fault::Io, Afterwards::Works), (Fault::DiskFull, Afterwards::Fails)]
            {
                let inner = memory(can_block);
                let failing =
                    FailingStorage::new(inner.clone()).fail_commit(number, fault).afterwards(afterwards);
                let (commits, failure) = run_and_reopen(kind, &inner, failing, seed);
                // One in the background may not come before the script ends.
                if commits <= number {
                    continue;
                }
                let failure = failure.expect("the failure reaches a caller");
                // A commit in the background fails unseen; the next call says that the broker has stopped.
                let told = matches!(failure, Error::Indeterminate(_) | Error::Poisoned(_));
                assert!(told, "commit {number}: {failure}");
            }
        }
    }
}

#[test]
fn a_failed_read_is_told_and_loses_nothing() {
    for (kind, seed, can_block) in of_each_kind(&[(1, false), (2, true)]) {
        let inner = memory(can_block);
        let counting = Arc::new(FailingStorage::new(inner.clone()));
        block_on(async {
            let world = World::open(kind, counting.clone(), START).await.unwrap();
            run(&world, seed, &mut Ledger::new(kind)).await.unwrap();
        });
        for number in 0..counting.reads() {
            let inner = memory(can_block);
            let fault = if number % 2 == 0 { Fault::Io } else { Fault::Damage };
            let failing = FailingStorage::new(inner.clone()).fail_read(number, fault);
            let (_, failure) = run_and_reopen(kind, &inner, failing, seed);
            if let Some(failure) = failure {
                let certainty = if fault == Fault::Damage { Certainty::Corrupt } else { Certainty::Rejected };
                assert!(matches!(failure, Error::Storage(_)), "read {number}: {failure}");
                assert_eq!(failure.certainty(), certainty);
            }
        }
    }
}

#[test]
fn a_waiting_receive_is_told_that_the_broker_has_stopped() {
    let inner = memory(true);
    let failing = Arc::new(FailingStorage::new(inner).fail_commit(2, Fault::DiskFull));
    block_on(async {
        let world = World::open(Kind::Standard, failing, START).await.unwrap();
        let queue = world.queue.clone();
        let options = ReceiveOptions::up_to(1).wait_time(std::time::Duration::from_secs(20));
        let waiting = tokio::spawn(async move { queue.receive(options).await });
        tokio::task::yield_now().await;
        let sent = world.queue.send("the disk is full").await.unwrap_err();
        assert_eq!(sent.certainty(), Certainty::Indeterminate);
        let told = waiting.await.unwrap().unwrap_err();
        assert!(matches!(told, Error::Poisoned(_) | Error::Indeterminate(_)), "{told}");
    });
}
