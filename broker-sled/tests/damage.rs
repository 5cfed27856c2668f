//! A damaged store opens or says so: never a panic, never a value that nobody wrote.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use broker_core::storage::{Batch, Durability, Page, Storage, StorageError};
use broker_sled::SledStorage;
use bytes::Bytes;
use common::files_below;
use tempfile::TempDir;

const ROWS: u64 = 120;
const PAGE: Page = Page { entries: usize::MAX, bytes: usize::MAX };

/// What a store gives back.
type Content = (BTreeMap<u64, Bytes>, BTreeMap<Bytes, Bytes>);

/// A store with small rows, or small and chunked ones, rewritten meta entries and a history of deletes. All synced.
fn filled(large: usize) -> (TempDir, Content) {
    let home = TempDir::new().expect("a temporary directory");
    let store = SledStorage::open(home.path()).expect("an undamaged store");
    for seq in 0..ROWS {
        let mut batch = Batch::new();
        let len = if seq % 20 == 0 { large } else { 100 + usize::try_from(seq).expect("an undamaged store") };
        batch.put_row(1, seq, vec![u8::try_from(seq).expect("an undamaged store"); len]);
        batch.put_meta(b"tail", &seq.to_be_bytes());
        batch.put_meta(format!("key-{}", seq % 37).as_bytes(), &seq.to_be_bytes().repeat(5));
        if seq >= 40 {
            batch.delete_row(1, seq - 40);
        }
        store.commit(&batch, Durability::Synced).expect("an undamaged store");
    }
    let content = content(&store).expect("an undamaged store");
    (home, content)
}

fn content(store: &SledStorage) -> Result<Content, StorageError> {
    let rows = store.rows(1, 0..u64::MAX, PAGE)?.into_iter().collect();
    let meta = store.meta_range(&[0], &[255], PAGE)?.into_iter().collect();
    Ok((rows, meta))
}

fn copy_of(from: &Path) -> TempDir {
    let home = TempDir::new().expect("a temporary directory");
    for file in files_below(from) {
        let to = home.path().join(file.strip_prefix(from).expect("an undamaged store"));
        fs::create_dir_all(to.parent().expect("an undamaged store")).expect("an undamaged store");
        fs::copy(file, to).expect("an undamaged store");
    }
    home
}

/// Opens and reads a damaged store: everything that was acknowledged is there, or there is an error.
fn whole_or_error(home: &Path, whole: &Content, what: &str) -> bool {
    match SledStorage::open(home).and_then(|store| content(&store)) {
        Ok(found) => {
            // Not assert_eq: nobody reads a whole store in a message.
            assert!(found == *whole, "{what}: the store opens and lacks or changes what was acknowledged");
            true
        }
        Err(StorageError::NewerFormat { place, .. } | StorageError::Corrupt { place, .. }) => {
            assert!(place.contains("store"), "{what}: the error names no file: {place}");
            false
        }
        Err(StorageError::Engine(_)) => false,
        Err(other) => panic!("{what}: an error that does not fit: {other}"),
    }
}

/// Damages a copy of each file of a store in each of some ways, and counts how often an error came of it.
fn damage(large: usize, ways: impl Fn(&[u8]) -> Vec<(usize, Vec<u8>)>) -> usize {
    let (home, whole) = filled(large);
    assert!(whole_or_error(copy_of(home.path()).path(), &whole, "a copy"), "a copy opens");
    let mut errors = 0;
    for file in files_below(home.path()) {
        let name = file.strip_prefix(home.path()).expect("a file below the directory");
        for (place, damaged) in ways(&fs::read(&file).expect("a readable file")) {
            let copy = copy_of(home.path());
            fs::write(copy.path().join(name), damaged).expect("a writable copy");
            let what = format!("{} at {place}", name.display());
            errors += usize::from(!whole_or_error(copy.path(), &whole, &what));
        }
    }
    errors
}

/// One flipped bit in each of at most `limit` places, most of them where something is written.
fn flips(good: &[u8], limit: usize) -> Vec<(usize, Vec<u8>)> {
    let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let unused = (0..good.len()).step_by(good.len() / 10 + 1);
    used.iter()
        .copied()
        .step_by(used.len() / limit + 1)
        .chain(unused)
        .map(|at| {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << (at % 8);
            (at, bad)
        })
        .collect()
}

#[test]
fn a_flipped_bit_gives_an_error_or_every_acknowledged_value() {
    for large in [200, 50_000] {
        let errors = damage(large, |good| flips(good, 120));
        assert!(errors > 120, "only {errors} flips were noticed: the test does not hit what matters");
    }
}

#[test]
fn a_truncated_file_gives_an_error_or_every_acknowledged_value() {
    let errors = damage(50_000, |good| {
        let lengths = [0, 1, 8, 20, good.len() / 4, good.len() / 2, good.len().saturating_sub(1)];
        lengths.iter().map(|len| (*len, good[..(*len).min(good.len())].to_vec())).collect()
    });
    assert!(errors > 10, "only {errors} truncations were noticed");
}

#[test]
fn a_missing_file_gives_an_error_or_every_acknowledged_value() {
    let (home, whole) = filled(200);
    for file in files_below(&home.path().join("store")) {
        let copy = copy_of(home.path());
        let name = file.strip_prefix(home.path()).unwrap();
        fs::remove_file(copy.path().join(name)).unwrap();
        whole_or_error(copy.path(), &whole, &format!("{} removed", name.display()));
    }
}

#[test]
fn a_damaged_or_missing_snapshot_of_the_log_loses_nothing() {
    let (home, whole) = filled(50_000);
    // The snapshot is written at opening.
    drop(SledStorage::open(home.path()).unwrap());
    let is_snapshot = |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b"snap.");
    let snapshots: Vec<_> = files_below(home.path()).into_iter().filter(is_snapshot).collect();
    assert!(!snapshots.is_empty(), "sled writes none any more");
    for file in snapshots {
        let good = fs::read(&file).unwrap();
        let truncated = [0, 1, 7, good.len() / 2, good.len() - 1].map(|len| (len, good[..len].to_vec()));
        for (place, bad) in flips(&good, 40).into_iter().chain(truncated) {
            let copy = copy_of(home.path());
            let name = file.strip_prefix(home.path()).unwrap();
            fs::write(copy.path().join(name), bad).unwrap();
            assert!(whole_or_error(copy.path(), &whole, "a snapshot"), "{} at {place}", name.display());
            fs::remove_file(copy.path().join(name)).ok();
            assert!(whole_or_error(copy.path(), &whole, "a missing snapshot"));
        }
    }
}

#[test]
fn a_directory_that_failed_to_open_opens_again_once_it_is_mended() {
    let (home, whole) = filled(200);
    for file in files_below(&home.path().join("store")) {
        let good = fs::read(&file).unwrap();
        fs::write(&file, vec![0xa5; good.len()]).unwrap();
        let what = file.display().to_string();
        let copy = copy_of(home.path());
        let opened = whole_or_error(copy.path(), &whole, &what);
        assert_eq!(opened, what.contains("snap."), "{what} is overwritten");
        let name = file.strip_prefix(home.path()).unwrap();
        // All of it: sled may have touched the other files while it failed.
        fs::write(&file, good).unwrap();
        for healthy in files_below(&home.path().join("store")) {
            let bytes = fs::read(&healthy).unwrap();
            fs::write(copy.path().join(healthy.strip_prefix(home.path()).unwrap()), bytes).unwrap();
        }
        assert!(whole_or_error(copy.path(), &whole, &what), "{} is mended", name.display());
    }
}
