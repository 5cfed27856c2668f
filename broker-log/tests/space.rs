//! Space comes back: from segments without a row, and from those with few.

use std::{fs, path::Path};

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::{LogOptions, LogStorage};
use tempfile::TempDir;

const SEGMENT_BYTES: u64 = 100_000;
const BODY_BYTES: u64 = 1_000;

fn open(home: &TempDir) -> LogStorage {
    let options = LogOptions {
        segment_bytes: SEGMENT_BYTES,
        prewrite_bytes: 20_000,
        reserve_bytes: 0,
        cached_blocks: 16,
    };
    LogStorage::open_with(home.path(), &options).expect("an undamaged store")
}

fn disk_bytes(home: &Path) -> u64 {
    let files = fs::read_dir(home).expect("a readable directory");
    files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
}

fn commit(store: &LogStorage, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(&batch, Durability::Buffered).expect("a lawful batch");
}

fn body(seq: u64) -> Vec<u8> {
    seq.to_le_bytes().repeat(125)
}

fn rows(store: &LogStorage, partition: u64) -> Vec<u64> {
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let rows = store.rows(partition, 0..u64::MAX, all).expect("an undamaged store");
    assert!(rows.iter().all(|(seq, value)| value[..] == body(*seq)), "another body");
    rows.into_iter().map(|(seq, _)| seq).collect()
}

#[test]
fn a_drained_backlog_gives_its_files_back_at_once() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    for seq in 0..2_000 {
        commit(&store, |batch| batch.put_row(1, seq, body(seq)));
    }
    assert!(disk_bytes(home.path()) > 2_000 * BODY_BYTES);
    for seq in 0..2_000 {
        commit(&store, |batch| batch.delete_row(1, seq));
    }
    // One is being written, and one is kept to be written over, each with its index.
    let most = 2 * (SEGMENT_BYTES + SEGMENT_BYTES / 20);
    assert!(disk_bytes(home.path()) <= most, "{}", disk_bytes(home.path()));
    assert_eq!(rows(&store, 1), [0; 0]);
}

#[test]
fn a_trim_gives_whole_files_back_in_one_commit() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    for seq in 0..2_000 {
        commit(&store, |batch| batch.put_row(1, seq, body(seq)));
    }
    commit(&store, |batch| batch.trim_rows(1, 1_950));
    assert!(disk_bytes(home.path()) <= 3 * SEGMENT_BYTES, "{}", disk_bytes(home.path()));
    assert!(rows(&store, 1).into_iter().eq(1_950..2_000));
}

#[test]
fn churn_with_rows_that_stay_uses_less_than_twice_what_lives_and_two_segments() {
    let home = TempDir::new().unwrap();
    let mut store = open(&home);
    let (mut live, mut most) = (Vec::new(), 0);
    for seq in 0..20_000_u64 {
        commit(&store, |batch| {
            batch.put_row(1, seq, body(seq));
            batch.put_meta(b"tail", &seq.to_le_bytes());
            // One in fifty stays for good.
            if seq >= 100 && (seq - 100) % 50 != 0 {
                batch.delete_row(1, seq - 100);
            }
        });
        if seq % 50 == 0 {
            live.push(seq);
        }
        if seq % 100 == 99 {
            let allowed = 2 * (live.len() as u64 + 100) * (BODY_BYTES + 60) + 2 * SEGMENT_BYTES;
            let used = disk_bytes(home.path());
            most = most.max(used * 100 / allowed);
            assert!(used <= allowed, "after {seq}: {used} bytes, {allowed} allowed");
        }
        if seq % 7_000 == 6_999 {
            drop(store);
            store = open(&home);
        }
    }
    println!("at most {most} percent of what is allowed");
    let expected = (0..20_000).filter(|seq| seq % 50 == 0 || *seq >= 19_900);
    assert!(rows(&store, 1).into_iter().eq(expected), "the rows that stay, in order");
}

#[test]
fn stores_that_open_and_close_do_not_grow() {
    let home = TempDir::new().unwrap();
    for seq in 0..200 {
        let store = open(&home);
        assert!(rows(&store, 1).into_iter().eq(0..seq));
        commit(&store, |batch| batch.put_row(1, seq, body(seq)));
    }
    drop(open(&home));
    let files = fs::read_dir(home.path()).unwrap().count();
    assert!(files <= 4, "{files} files");
}

#[test]
fn a_commit_of_more_rows_than_one_call_to_the_system_takes_is_whole() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    let sizes = (0..5_000_u64).map(|seq| usize::try_from(seq % 3).expect("small"));
    commit(&store, |batch| {
        for (seq, bytes) in (0..).zip(sizes.clone()) {
            batch.put_row(1, seq, vec![b'x'; bytes]);
        }
    });
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let rows = store.rows(1, 0..u64::MAX, all).expect("an undamaged store");
    assert!(rows.iter().map(|(_, value)| value.len()).eq(sizes));
}
