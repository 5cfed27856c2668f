//! Laws 5 to 9: what a batch does, how it becomes visible, and what deletes remove.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{EVERYTHING, Subject, commit, keys, meta, row, seqs};
use crate::storage::{Batch, Durability, Storage};

/// Batches that a reader races with. Enough to meet a window of some microseconds, few enough for a slow device.
const RACED_BATCHES: u64 = 1_000;

/// Law 5: for one key the last write wins, range deletes and trims included.
pub fn a_batch_applies_in_order<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    commit(&store, |batch| {
        batch.put_meta(b"old", b"before");
        batch.put_row(1, 1, "before");
    });
    commit(&store, |batch| {
        batch.put_meta(b"twice", b"first");
        batch.put_meta(b"twice", b"second");
        batch.put_meta(b"gone", b"put");
        batch.delete_meta(b"gone");
        batch.delete_meta(b"old");
        batch.put_meta(b"old", b"after");
        batch.put_meta(b"range-in", b"put before the range went");
        batch.delete_meta_range(b"range", b"rangf");
        batch.put_meta(b"range-back", b"put after the range went");
        batch.put_row(1, 2, "trimmed in the same batch");
        batch.put_row(1, 3, "deleted in the same batch");
        batch.put_row(1, 4, "stays");
        batch.delete_row(1, 3);
        batch.trim_rows(1, 3);
        batch.put_row(1, 5, "put after the trim");
        batch.put_row(2, 1, "trimmed whole");
        batch.trim_rows(2, u64::MAX);
    });
    assert_eq!(keys(&store, &[0], &[255]), [&b"old"[..], b"range-back", b"twice"], "the keys left");
    assert_eq!(meta(&store, b"twice").as_deref(), Some(&b"second"[..]), "put, then put");
    assert_eq!(meta(&store, b"old").as_deref(), Some(&b"after"[..]), "deleted, then put");
    assert_eq!(seqs(&store, 1), [4, 5], "rows put, deleted and trimmed in one batch");
    assert_eq!(seqs(&store, 2), [0; 0], "a partition that lived only inside a batch");
}

/// Law 6: nobody sees a part of a batch. What a crash leaves of one is for
/// [`commits_survive_reopening_in_prefix_order`](super::commits_survive_reopening_in_prefix_order).
pub fn a_batch_is_atomic_across_both_spaces<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let pair = |batch: &mut Batch, number: u64| {
        batch.put_row(1, 2 * number, "left");
        batch.put_row(2, number, "never deleted");
        batch.put_meta(b"first", &number.to_be_bytes());
        if let Some(before) = number.checked_sub(1) {
            batch.delete_row(1, 2 * before);
            batch.delete_row(1, 2 * before + 1);
        }
        batch.put_meta(b"last", &number.to_be_bytes());
        batch.put_row(1, 2 * number + 1, "right");
    };
    commit(&store, |batch| pair(batch, 0));
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            while !done.load(Ordering::Acquire) {
                no_part_of_a_batch_shows(&store);
            }
        });
        for number in 1..RACED_BATCHES {
            if reader.is_finished() {
                break;
            }
            commit(&store, |batch| pair(batch, number));
        }
        done.store(true, Ordering::Release);
        reader.join().expect("a reader saw a part of a batch");
    });
}

fn no_part_of_a_batch_shows(store: &impl Storage) {
    let both = seqs(store, 1);
    assert!(
        both.len() == 2 && both[0].is_multiple_of(2) && both[1] == both[0] + 1,
        "a scan of rows: {both:?}"
    );
    let entries = store.meta_range(b"a", b"z", EVERYTHING).expect("meta can be read");
    assert!(entries.len() == 2 && entries[0].1 == entries[1].1, "a scan of meta: {entries:?}");
    // Across two reads only the order is fixed: what one has shown, the next must show too.
    let last = || {
        let value = meta(store, b"last").expect("the first batch put it");
        u64::from_be_bytes(value[..].try_into().expect("eight bytes"))
    };
    let seen = last();
    assert!(row(store, 2, seen).is_some(), "meta of batch {seen} shows, its row does not");
    let next = seen + 1;
    assert!(row(store, 2, next).is_none() || last() >= next, "the row of batch {next} shows, its meta not");
}

/// Law 7: to the caller at once, and to every other thread.
pub fn a_commit_is_visible_when_it_returns<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    for (number, durability) in
        [Durability::Memory, Durability::Buffered, Durability::Synced].into_iter().cycle().take(9).enumerate()
    {
        let seq = number as u64;
        let mut batch = Batch::new();
        batch.put_row(1, seq, "row");
        batch.put_meta(b"seq", &seq.to_be_bytes());
        store.commit(&batch, durability).expect("a lawful batch commits");
        let check = || {
            assert!(row(&store, 1, seq).is_some(), "the row of a {durability:?} commit");
            assert_eq!(seqs(&store, 1).last(), Some(&seq), "a scan after a {durability:?} commit");
            assert_eq!(meta(&store, b"seq").as_deref(), Some(&seq.to_be_bytes()[..]), "its meta entry");
        };
        check();
        std::thread::scope(|threads| threads.spawn(check).join().expect("another thread sees it too"));
    }
}

/// Law 8: and a partition that never existed trims silently.
pub fn trim_removes_only_what_is_below<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let all = [0, 1, 2, 3, 500, 501, 1 << 40];
    commit(&store, |batch| {
        for seq in all {
            batch.put_row(7, seq, "row");
            batch.put_row(8, seq, "row");
        }
    });
    for below in [0, 1, 3, 3, 2, 400, 501, (1 << 40) + 1, u64::MAX, 0] {
        let before = seqs(&store, 7);
        commit(&store, |batch| {
            batch.trim_rows(7, below);
            batch.trim_rows(99, below);
        });
        let expected: Vec<_> = before.into_iter().filter(|seq| *seq >= below).collect();
        assert_eq!(seqs(&store, 7), expected, "trimmed below {below}");
    }
    assert_eq!(seqs(&store, 8), all, "the partition next to it");
    commit(&store, |batch| batch.put_row(7, (1 << 40) + 1, "row"));
    assert_eq!(seqs(&store, 7), [(1 << 40) + 1], "a trimmed partition goes on");
}

/// Law 9: rows, meta entries and ranges that are not there, in partitions and spaces that are or are not.
pub fn deleting_what_is_missing_is_silent<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let miss = |batch: &mut Batch| {
        batch.delete_row(1, 1);
        batch.delete_row(u64::MAX, u64::MAX - 1);
        batch.delete_meta(b"missing");
        batch.delete_meta_range(b"m", b"n");
        batch.trim_rows(3, 10);
    };
    commit(&store, miss);
    commit(&store, |batch| {
        batch.put_row(1, 0, "before");
        batch.put_row(1, 2, "after");
        batch.put_meta(b"l", b"before");
        batch.put_meta(b"n", b"after");
        batch.put_row(1, 3, "twice deleted");
    });
    commit(&store, miss);
    commit(&store, |batch| batch.delete_row(1, 3));
    commit(&store, |batch| batch.delete_row(1, 3));
    assert_eq!(seqs(&store, 1), [0, 2], "the neighbours of a missing row");
    assert_eq!(keys(&store, &[0], &[255]), [&b"l"[..], b"n"], "the neighbours of a missing key");
}
