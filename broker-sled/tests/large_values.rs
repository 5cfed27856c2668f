//! sled never syncs what it writes to `blobs/`; so nothing may be written there.

mod common;

use std::path::Path;

use broker_core::storage::{Batch, Durability, Page, Storage, StorageError};
use broker_sled::SledStorage;
use tempfile::TempDir;

/// A body of 1 MiB with ten attributes of 256-byte names and values, and a margin for the broker's own fields.
const LARGEST_MESSAGE: usize = (1 << 20) + 10 * 2 * 256 + 1_024;

fn blobs(home: &Path) -> usize {
    common::files_below(&home.join("store/sled/blobs")).len()
}

fn commit(store: &SledStorage, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(&batch, Durability::Buffered).expect("a lawful batch");
}

/// Bytes that do not compress and differ from row to row.
fn value(seq: u64, len: usize) -> Vec<u8> {
    let mut state = seq | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn blobs_stay_empty_under_a_backlog_of_the_largest_messages() {
    let home = TempDir::new().unwrap();
    let store = SledStorage::open(home.path()).unwrap();
    for seq in 0..40 {
        commit(&store, |batch| {
            batch.put_row(1, seq, value(seq, LARGEST_MESSAGE));
            batch.put_meta(&seq.to_be_bytes(), &[7; 40]);
        });
        if seq % 3 == 2 {
            commit(&store, |batch| batch.delete_row(1, seq - 2));
        }
        assert_eq!(blobs(home.path()), 0, "after message {seq}");
    }
    drop(store);
    let store = SledStorage::open(home.path()).unwrap();
    for seq in (0..40).filter(|seq| seq % 3 != 0 || *seq == 39) {
        assert!(store.row(1, seq).unwrap().unwrap() == value(seq, LARGEST_MESSAGE), "row {seq}");
    }
    commit(&store, |batch| batch.trim_rows(1, u64::MAX));
    drop(store);
    assert_eq!(blobs(home.path()), 0, "after all are gone");
}

#[test]
fn blobs_stay_empty_under_values_of_eight_mebibytes() {
    let home = TempDir::new().unwrap();
    let store = SledStorage::open(home.path()).unwrap();
    for seq in 0..4 {
        commit(&store, |batch| batch.put_row(1, seq, value(seq, 8 << 20)));
    }
    assert!(store.row(1, 3).unwrap().unwrap() == value(3, 8 << 20));
    drop(store);
    assert_eq!(blobs(home.path()), 0);
}

#[test]
fn blobs_stay_empty_under_the_largest_meta_entries() {
    let home = TempDir::new().unwrap();
    let store = SledStorage::open(home.path()).unwrap();
    // Zero bytes are the longest to spell, and the number leads, so that neighbours have no beginning in common.
    let key = |number: u64| [&number.swap_bytes().to_be_bytes()[..], &[0; 1_016]].concat();
    for number in 0..2_000 {
        let len = if number % 10 == 0 { 65_536 } else { 100 };
        commit(&store, |batch| batch.put_meta(&key(number), &value(number, len)));
    }
    for number in (0..2_000).step_by(7) {
        commit(&store, |batch| batch.delete_meta(&key(number)));
    }
    assert!(store.meta(&key(10)).unwrap().unwrap() == value(10, 65_536));
    drop(store);
    assert_eq!(blobs(home.path()), 0);
    let store = SledStorage::open(home.path()).unwrap();
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let left = store.meta_range(&[0], &[255; 1_024], all).unwrap();
    assert_eq!(left.len(), 2_000 - 2_000_usize.div_ceil(7));
}

#[test]
fn a_value_above_the_limit_is_refused_before_anything_is_written() {
    let home = TempDir::new().unwrap();
    let store = SledStorage::open(home.path()).unwrap();
    let max = store.profile().value_bytes_max;
    let mut batch = Batch::new();
    batch.put_meta(b"before", b"it");
    batch.put_row(1, 1, vec![0; max + 1]);
    let error = store.commit(&batch, Durability::Synced).unwrap_err();
    assert!(matches!(error, StorageError::ValueTooLarge { .. }), "{error}");
    assert_eq!(store.meta(b"before").unwrap(), None);
}
