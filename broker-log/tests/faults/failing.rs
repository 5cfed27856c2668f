//! A device that refuses one call, or all from one on: the store stops, and loses nothing that it had acknowledged.

use std::{io::ErrorKind, sync::Arc};

use broker_core::storage::{Durability, Storage, StorageError};
use broker_log::{
    LogOptions, LogStorage,
    faults::{Content, Disk, Failure, History, Image, Luck, Numbers, options},
};

use crate::seeds;

const COMMITS: usize = 40;

/// What a history came to before it failed.
#[derive(Default)]
struct Outcome {
    committed: usize,
    synced: usize,
    failed: bool,
}

fn run(disk: &Disk, history: &mut History, options: &LogOptions) -> Outcome {
    let mut outcome = Outcome::default();
    let store = match LogStorage::open_on(Arc::new(disk.clone()), options) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, StorageError::Io { .. }), "{error}");
            return Outcome { failed: true, ..outcome };
        }
    };
    for _ in 0..COMMITS {
        let (batch, durability) = (history.batch(), history.durability());
        match store.commit(&batch, durability) {
            Ok(()) => {
                outcome.committed += 1;
                if durability == Durability::Synced {
                    outcome.synced = outcome.committed;
                }
            }
            Err(error) => {
                assert!(matches!(error, StorageError::Io { .. } | StorageError::Engine(_)), "{error}");
                let calls = disk.calls();
                assert!(store.commit(&batch, durability).is_err(), "it commits after an error");
                let content = Content::of(&store).expect("it can still be read");
                assert!(content == history.after[outcome.committed], "readers see a commit that failed");
                drop(store);
                assert_eq!(disk.calls(), calls, "it writes after an error");
                return Outcome { failed: true, ..outcome };
            }
        }
    }
    outcome
}

fn reopen(image: &Image, history: &History, outcome: &Outcome, least: usize, what: &str) {
    let store = LogStorage::open_on(Arc::new(Disk::with(image)), &options(0));
    let store = store.unwrap_or_else(|error| panic!("{what}: {error}"));
    let content = Content::of(&store).expect("an undamaged store");
    let found = content.commits();
    assert!((least..=outcome.committed + 1).contains(&found), "{what}: {found} commits, not {least} or more");
    assert!(content == history.after[found], "{what}: not the content after {found} commits");
}

#[test]
fn a_call_that_fails_stops_the_store_and_loses_nothing_that_was_acknowledged() {
    let mut failures = 0;
    for seed in seeds(9) {
        let options = options(seed);
        let whole = Disk::default();
        assert!(!run(&whole, &mut History::new(seed), &options).failed);
        for call in 0..whole.calls() {
            let (kind, lasting) = [
                (ErrorKind::StorageFull, false),
                (ErrorKind::Other, true),
                (ErrorKind::Other, false),
                (ErrorKind::StorageFull, true),
            ][call % 4];
            let what = format!("seed {seed}, call {call}, {kind:?}, lasting: {lasting}");
            let (disk, mut history) = (Disk::default(), History::new(seed));
            disk.fail(Failure { call, kind, lasting });
            let outcome = run(&disk, &mut history, &options);
            failures += usize::from(outcome.failed);
            reopen(&disk.now(), &history, &outcome, outcome.committed, &what);
            let mut luck = Luck::Mixed(Numbers::new(call as u64));
            let image = disk.after_cut(disk.calls(), &mut luck);
            reopen(&image, &history, &outcome, outcome.synced, &format!("{what}, then a power cut"));
        }
    }
    println!("{failures} failures were met by a commit or by opening");
}
