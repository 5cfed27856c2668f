//! What opening a store does to its files, and what it goes on with.

use std::sync::Arc;

use broker_core::storage::{Batch, Durability, Storage, StorageError};
use broker_log::{
    LogOptions, LogStorage,
    faults::{Content, Disk, Image},
};

/// So much of a file is read at once when frames are looked for.
const READ_AT_ONCE: usize = 1 << 20;

const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 1_500, prewrite_bytes: 0, reserve_bytes: 0, cached_blocks: 2 };

fn open(disk: &Disk) -> LogStorage {
    LogStorage::open_on(Arc::new(disk.clone()), &OPTIONS).expect("an undamaged store")
}

fn put(store: &LogStorage, seq: u64) {
    let mut batch = Batch::new();
    batch.put_row(1, seq, vec![7; 200]);
    store.commit(&batch, Durability::Synced).expect("a lawful batch");
}

/// A store that was closed, of a few segments.
fn closed() -> Image {
    let disk = Disk::default();
    let store = open(&disk);
    (0..20).for_each(|seq| put(&store, seq));
    drop(store);
    let image = disk.now();
    assert!(image.len() > 3, "a few segments");
    image
}

/// No frame is read, and what closing has left stays until something is written.
#[test]
fn a_store_that_was_closed_is_opened_as_it_is() {
    let image = closed();
    let disk = Disk::with(&image);
    let store = open(&disk);
    assert!(disk.now() == image, "opening has changed a file");
    drop(store);
    assert!(disk.now() == image, "closing it again has changed a file");
}

/// A removal that a power cut has undone is done again, and nothing else is removed.
#[test]
fn what_a_removal_has_left_is_removed() {
    let image = closed();
    let mut with_more = image.clone();
    let older = "0000000000000000.log".to_owned();
    assert!(with_more.insert(older.clone(), b"of rows that are gone".to_vec()).is_none());
    let disk = Disk::with(&with_more);
    let store = open(&disk);
    assert!(disk.now().keys().eq(image.keys()), "{:?}", disk.now().keys());
    let content = Content::of(&store).expect("an undamaged store");
    drop(store);
    assert!(Content::of(&open(&disk)).expect("an undamaged store") == content);
}

/// A segment ends where it should, however often the store was closed meanwhile.
#[test]
fn a_store_that_is_closed_often_begins_new_segments_all_the_same() {
    let disk = Disk::default();
    for seq in 0..40 {
        put(&open(&disk), seq);
    }
    let longest = disk.now().values().map(Vec::len).max();
    assert!(disk.now().len() > 4 && longest < Some(4_000), "{:?}", (disk.now().len(), longest));
}

/// What was durable is damaged, not torn off, however far behind it the frame begins that says so.
#[test]
fn damage_is_told_from_a_torn_tail_over_more_than_is_read_at_once() {
    let options = LogOptions { segment_bytes: 4 << 20, ..OPTIONS };
    // The frame behind it begins before, at and behind the end of what is read at once.
    for bytes in (READ_AT_ONCE - 300..READ_AT_ONCE + 100).step_by(20).chain([3 * READ_AT_ONCE]) {
        let disk = Disk::default();
        let store = LogStorage::open_on(Arc::new(disk.clone()), &options).expect("an empty disk");
        let mut batch = Batch::new();
        batch.put_row(1, 0, vec![7; bytes]);
        store.commit(&batch, Durability::Synced).expect("a lawful batch");
        put(&store, 1);
        let mut image = disk.now();
        drop(store);
        let file = image.values_mut().next().expect("a segment");
        let value = file.iter().position(|byte| *byte == 7).expect("the row");
        file[value + 1_000] ^= 1;
        let opened = LogStorage::open_on(Arc::new(Disk::with(&image)), &options);
        assert!(matches!(opened, Err(StorageError::Corrupt { .. })), "{bytes} bytes lie between");
    }
}
