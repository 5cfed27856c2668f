//! No commit pays for all the garbage of others: survivors are moved a little at a time.

use std::sync::Arc;

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::{LogOptions, LogStorage, faults::Disk};

const SEGMENT_BYTES: u64 = 1 << 20;
const ROWS: u64 = 6_000;
/// A step, its frame, and a row; and the index and the checkpoint of a segment that happens to be full.
const COMMIT_BYTES_MAX: usize = 128 << 10;

#[test]
fn a_commit_writes_a_bounded_amount_however_much_can_be_moved() {
    let disk = Disk::default();
    let options =
        LogOptions { segment_bytes: SEGMENT_BYTES, prewrite_bytes: 0, reserve_bytes: 0, cached_blocks: 16 };
    let store = LogStorage::open_on(Arc::new(disk.clone()), &options).expect("an empty disk");
    let commit = |fill: &dyn Fn(&mut Batch)| {
        let (mut batch, before) = (Batch::new(), disk.written());
        fill(&mut batch);
        store.commit(&batch, Durability::Buffered).expect("a lawful batch");
        disk.written() - before
    };
    for seq in 0..ROWS {
        commit(&|batch| batch.put_row(1, seq, vec![7; 1_000]));
    }
    let filled = disk.bytes();
    let mut most = 0;
    for seq in (0..ROWS).filter(|seq| seq % 4 != 0) {
        most = most.max(commit(&|batch| batch.delete_row(1, seq)));
    }
    println!("at most {most} bytes by one commit; {filled} bytes when full, {} in the end", disk.bytes());
    assert!(most > 32 << 10, "nothing was moved");
    assert!(most <= COMMIT_BYTES_MAX, "a commit wrote {most} bytes");
    assert!(disk.bytes() < filled / 2 + 2 * (1 << 20), "{} of {filled} bytes are left", disk.bytes());
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let left = store.rows(1, 0..ROWS, all).expect("an undamaged store");
    assert!(left.into_iter().map(|(seq, _)| seq).eq((0..ROWS).step_by(4)), "the survivors, in order");
}
