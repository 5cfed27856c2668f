//! The fault decorators do what they say; otherwise the tests that lean on them prove nothing.

use std::{io, sync::Arc, thread, time::Duration};

use broker_core::storage::{
    Batch, Durability, Page, Storage, StorageError,
    conformance::Subject,
    faults::{Afterwards, CrashPoint, CrashStorage, FailingStorage, Fault, Gate, SlowStorage, Survive},
};
use broker_mem::MemStorage;

/// An empty store, as the decorators take it.
fn fresh() -> Arc<dyn Storage> {
    Arc::new(MemStorage::new())
}

/// Commits row `number` of partition 1.
fn put(store: &dyn Storage, number: u64, durability: Durability) -> Result<(), StorageError> {
    let mut batch = Batch::new();
    batch.put_row(1, number, "row");
    batch.put_meta(b"newest", &number.to_be_bytes());
    store.commit(&batch, durability)
}

fn rows(store: &dyn Storage) -> Vec<u64> {
    let page = Page { entries: usize::MAX, bytes: usize::MAX };
    let rows = store.rows(1, 0..u64::MAX, page).expect("this store can be read");
    rows.into_iter().map(|(seq, _)| seq).collect()
}

fn survivors(store: &CrashStorage, survive: Survive) -> Vec<u64> {
    let found = MemStorage::new();
    let count = store.survivors(survive, &found).expect("memory does not fail");
    assert_eq!(count, rows(&found).len());
    rows(&found)
}

/// Commits 0 to 5, synced up to 1, buffered up to 3.
fn history(store: &CrashStorage) -> Result<(), StorageError> {
    use Durability::{Buffered, Memory, Synced};
    (0..).zip([Synced, Synced, Memory, Buffered, Memory, Memory]).try_for_each(|(n, d)| put(store, n, d))
}

/// The decorators forward everything: each passes the suite itself.
mod passes_the_conformance_suite {
    use super::*;

    macro_rules! forwards {
        ($name:ident, $decorator:ty, $wrap:expr) => {
            mod $name {
                use super::*;

                struct Decorated;

                impl Subject for Decorated {
                    type Home = MemStorage;
                    type Store = $decorator;

                    fn home(&self) -> MemStorage {
                        MemStorage::new()
                    }

                    fn open(&self, home: &MemStorage) -> $decorator {
                        $wrap(Arc::new(home.clone()))
                    }
                }

                broker_core::storage_conformance!(Decorated);
            }
        };
    }

    forwards!(crash, CrashStorage, CrashStorage::new);
    forwards!(failing, FailingStorage, FailingStorage::new);
    forwards!(slow, SlowStorage, SlowStorage::new);
}

#[test]
fn a_kill_leaves_everything_up_to_the_newest_buffered_commit() {
    let store = CrashStorage::new(fresh());
    history(&store).unwrap();
    assert_eq!(store.commits(), 6);
    assert_eq!(survivors(&store, Survive::Kill), [0, 1, 2, 3]);
}

#[test]
fn a_power_cut_leaves_the_synced_commits_and_a_prefix_of_the_later_ones() {
    let store = CrashStorage::new(fresh());
    history(&store).unwrap();
    assert_eq!(survivors(&store, Survive::PowerCut { unsynced: 0 }), [0, 1]);
    assert_eq!(survivors(&store, Survive::PowerCut { unsynced: 2 }), [0, 1, 2, 3]);
    assert_eq!(survivors(&store, Survive::PowerCut { unsynced: usize::MAX }), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn nothing_survives_a_power_cut_if_nothing_was_synced() {
    let store = CrashStorage::new(fresh());
    put(&store, 0, Durability::Buffered).unwrap();
    assert_eq!(survivors(&store, Survive::PowerCut { unsynced: 0 }), [0; 0]);
}

#[test]
fn the_commit_at_the_crash_is_lost_or_applied_as_chosen_and_fails_either_way() {
    for (point, left) in [(CrashPoint::Before(1), vec![0]), (CrashPoint::After(1), vec![0, 1])] {
        let store = CrashStorage::new(fresh()).crash_at(point);
        assert!(history(&store).is_err() && store.crashed());
        assert_eq!(store.commits(), left.len());
        assert_eq!(survivors(&store, Survive::PowerCut { unsynced: 0 }), left, "{point:?}");
    }
}

#[test]
fn a_machine_that_is_off_answers_nothing() {
    let store = CrashStorage::new(fresh()).crash_at(CrashPoint::Before(0));
    assert!(store.row(1, 0).is_ok());
    assert!(history(&store).is_err());
    let page = Page { entries: 1, bytes: 1 };
    assert!(store.row(1, 0).is_err() && store.rows(1, 0..1, page).is_err());
    assert!(store.meta(b"newest").is_err() && store.meta_range(b"a", b"z", page).is_err());
    assert!(put(&store, 9, Durability::Memory).is_err());
    assert_eq!(store.commits(), 0);
}

#[test]
fn a_restarted_machine_counts_anew_and_can_crash_again() {
    let first = CrashStorage::new(fresh()).can_block(true);
    history(&first).unwrap();
    let second = first.restart(Survive::Kill, fresh()).unwrap().crash_at(CrashPoint::After(1));
    assert_eq!((rows(&second), second.commits()), (vec![0, 1, 2, 3], 0));
    put(&second, 7, Durability::Memory).unwrap();
    assert!(put(&second, 8, Durability::Memory).is_err());
    assert_eq!(survivors(&second, Survive::Kill), [0, 1, 2, 3]);
    assert_eq!(survivors(&second, Survive::PowerCut { unsynced: 0 }), [0, 1], "a kill syncs nothing");

    let third = first.restart(Survive::PowerCut { unsynced: 2 }, fresh()).unwrap();
    assert_eq!(survivors(&third, Survive::PowerCut { unsynced: 0 }), [0, 1, 2, 3], "found on the disk");
    assert!(third.profile().can_block && third.profile().survives_power_loss);
}

#[test]
fn the_chosen_commit_fails_and_stores_nothing() {
    let store = FailingStorage::new(fresh()).fail_commit(1, Fault::DiskFull);
    put(&store, 0, Durability::Synced).unwrap();
    let refused = put(&store, 1, Durability::Synced).unwrap_err();
    assert!(
        matches!(&refused, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    );
    put(&store, 2, Durability::Synced).unwrap();
    assert_eq!((rows(&store), store.commits()), (vec![0, 2], 3));
}

#[test]
fn a_device_can_stay_failed_for_commits_and_for_reads() {
    let store = FailingStorage::new(fresh()).fail_commit(0, Fault::Io).afterwards(Afterwards::Fails);
    assert!(store.row(1, 0).is_ok());
    assert!(put(&store, 0, Durability::Synced).is_err());
    assert!(put(&store, 1, Durability::Synced).is_err());
    assert!(store.row(1, 0).is_err());
    assert_eq!((store.commits(), store.reads()), (2, 2));
}

#[test]
fn the_chosen_read_fails_whatever_kind_of_read_it_is() {
    let page = Page { entries: 1, bytes: 1 };
    for number in 0..4 {
        let store = FailingStorage::new(fresh()).fail_read(number, Fault::Damage);
        let failed = [
            store.row(1, 0).is_err(),
            store.rows(1, 0..9, page).is_err(),
            store.meta(b"newest").is_err(),
            store.meta_range(b"a", b"z", page).is_err(),
        ];
        assert!((0..4).all(|read| failed[read] == (read == number)), "{failed:?}");
    }
}

#[test]
fn a_held_gate_stops_commits_until_it_opens() {
    let gate = Gate::new();
    let store = SlowStorage::new(fresh()).gated(&gate);
    assert!(store.profile().can_block);
    gate.hold();
    thread::scope(|threads| {
        threads.spawn(|| put(&store, 0, Durability::Synced));
        gate.until_waiting(1);
        assert_eq!((gate.waiting(), store.commits(), rows(&store)), (1, 0, vec![]));
        gate.open();
    });
    assert_eq!((gate.waiting(), store.sizes(), rows(&store)), (0, vec![2], vec![0]));
}

#[test]
fn a_delayed_commit_applies_all_the_same() {
    let store = SlowStorage::new(fresh()).delayed(Duration::from_millis(1));
    put(&store, 0, Durability::Synced).unwrap();
    assert_eq!((store.commits(), rows(&store)), (1, vec![0]));
}
