//! What is counted of segments, which says when they are tidied, and trims that end where a block or a segment does.

use broker_core::storage::{Batch, Durability, Page, Storage};
use tempfile::TempDir;

use super::*;
use crate::{LogOptions, LogStorage};

const ROWS: u64 = 1_200;

fn commit(store: &LogStorage, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(&batch, Durability::Buffered).expect("a lawful batch");
}

/// A store with a sealed segment of so many rows in three blocks, and one that is being written.
fn sealed(home: &TempDir) -> LogStorage {
    let options = LogOptions { segment_bytes: 20_000, prewrite_bytes: 0, reserve_bytes: 0, cached_blocks: 4 };
    let store = LogStorage::open_with(home.path(), &options).expect("an empty directory");
    commit(&store, |batch| (0..ROWS).for_each(|seq| batch.put_row(1, seq, vec![7; 100])));
    commit(&store, |batch| batch.put_row(2, 0, "another segment"));
    assert_eq!(store.state.read().sealed.len(), 1);
    store
}

/// Whether what is counted is what there is. Returns how many segments there are, and how many of them are sparse.
fn counted(store: &LogStorage) -> (usize, usize) {
    let state = store.state.read();
    let sum = |of: fn(&Sealed) -> u64| state.sealed.values().map(of).sum::<u64>();
    let of_parts = |sealed: &Sealed| sealed.parts.values().map(|part| part.live_bytes).sum();
    assert_eq!(state.sealed_bytes, sum(|sealed| sealed.file_bytes));
    assert_eq!((state.live_bytes, state.live_bytes), (sum(|sealed| sealed.live_bytes), sum(of_parts)));
    (state.sealed.len(), state.sparse.len())
}

#[test]
fn segments_count_what_lives_in_them() {
    let home = TempDir::new().expect("a directory");
    let store = sealed(&home);
    assert_eq!(counted(&store), (1, 0));
    // A quarter is dead, then more than half; then nearly all, and the rest is moved.
    for (below, expected) in [(300, (1, 0)), (650, (1, 1)), (1_150, (0, 0))] {
        commit(&store, |batch| batch.trim_rows(1, below));
        assert_eq!(counted(&store), expected, "{below} rows are dead");
    }
}

#[test]
fn a_trim_ends_exactly_where_it_says() {
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    for below in [1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 88, 2 * BLOCK_ROWS, ROWS - 1, ROWS] {
        let home = TempDir::new().expect("a directory");
        let store = sealed(&home);
        commit(&store, |batch| batch.trim_rows(1, below));
        let left = store.rows(1, 0..u64::MAX, all).expect("an undamaged store");
        assert!(left.into_iter().map(|(seq, _)| seq).eq(below..ROWS), "a trim below {below}");
        counted(&store);
    }
}

#[test]
fn half_is_worth_keeping() {
    let home = TempDir::new().expect("a directory");
    let store = sealed(&home);
    let mut state = store.state.write();
    let sealed = state.sealed.values_mut().next().expect("one");
    sealed.file_bytes = 2 * sealed.live_bytes;
    assert!(!sealed.is_sparse());
    sealed.file_bytes += 1;
    assert!(sealed.is_sparse());
}
