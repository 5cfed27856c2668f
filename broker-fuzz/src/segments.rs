//! The files of `broker-log` with anything in them: what a store has written, changed in any way, with checksums that fit
//! again if that is asked for. Opening, reading, writing on and verifying may fail, and must not panic or go on for ever.

use std::sync::Arc;

use arbitrary::Arbitrary;
use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::{LogOptions, LogStorage, verify_on};

use crate::{disk::Disk, input};

#[derive(Debug, Arbitrary)]
struct Input {
    before: Vec<Write>,
    /// Dropped as a crash would, not closed.
    crash: bool,
    changes: Vec<Change>,
    after: Vec<Write>,
}

#[derive(Debug, Arbitrary)]
enum Write {
    Put { partition: bool, rows: u8, bytes: u8, synced: bool },
    Delete { partition: bool, seq: u8 },
    Trim { partition: bool, below: u8 },
    Meta { key: u8, bytes: u8 },
    DropMeta { from: u8, to: u8 },
}

#[derive(Debug, Arbitrary)]
struct Change {
    file: u8,
    at: u16,
    how: How,
    /// Makes the checksums of frames right again.
    mend: bool,
}

#[derive(Debug, Arbitrary)]
enum How {
    Flip(u8),
    Cut,
    Number(u64),
    Small(u8),
    Bytes(Vec<u8>),
}

const WRITES_MAX: usize = 24;
const CHANGES_MAX: usize = 8;
const SEQS_MAX: u64 = 4_000;
const PAGE: Page = Page { entries: 5_000, bytes: 1 << 20 };
const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 2_000, prewrite_bytes: 300, reserve_bytes: 0, cached_blocks: 2 };

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(input: &Input) {
    let disk = Disk::default();
    let store = LogStorage::open_on(Arc::new(disk.clone()), &OPTIONS).expect("no files");
    use_it(&store, &input.before, 1);
    if input.crash {
        // Nothing of what its end would write gets there.
        let frozen = disk.copy();
        drop(store);
        disk.restore(&frozen);
    } else {
        drop(store);
    }
    for change in input.changes.iter().take(CHANGES_MAX) {
        disk.change(change.file.into(), |content| make(change, content));
    }
    drop(verify_on(&disk));
    if let Ok(store) = LogStorage::open_on(Arc::new(disk.clone()), &OPTIONS) {
        use_it(&store, &input.after, SEQS_MAX);
        drop(store);
        drop(LogStorage::open_on(Arc::new(disk), &OPTIONS));
    }
}

/// Writes and reads; once the files are changed any of it may fail.
fn use_it(store: &LogStorage, writes: &[Write], first: u64) {
    let mut next = first;
    for write in writes.iter().take(WRITES_MAX) {
        let (mut batch, mut durability) = (Batch::new(), Durability::Buffered);
        match *write {
            Write::Put { partition, rows, bytes, synced } => {
                for _ in 0..rows {
                    batch.put_row(partition.into(), next, vec![b'a'; bytes.into()]);
                    next += 1;
                }
                durability = if synced { Durability::Synced } else { durability };
            }
            Write::Delete { partition, seq } => batch.delete_row(partition.into(), first + u64::from(seq)),
            Write::Trim { partition, below } => batch.trim_rows(partition.into(), first + u64::from(below)),
            Write::Meta { key, bytes } => batch.put_meta(&[key], &vec![b'm'; bytes.into()]),
            Write::DropMeta { from, to } => batch.delete_meta_range(&[from], &[to]),
        }
        drop(store.commit(&batch, durability));
    }
    for partition in [0, 1] {
        drop(store.rows(partition, 0..u64::MAX, PAGE));
        drop(store.row(partition, first + 3));
    }
    drop(store.meta_range(&[0], &[u8::MAX], PAGE));
}

fn make(change: &Change, content: &mut Vec<u8>) {
    let Some(at) = usize::from(change.at).checked_rem(content.len()) else { return };
    let mut put = |bytes: &[u8]| {
        let taken = bytes.len().min(content.len() - at);
        content[at..at + taken].copy_from_slice(&bytes[..taken]);
    };
    match &change.how {
        How::Flip(mask) => content[at] ^= mask,
        How::Cut => content.truncate(at),
        How::Number(number) => put(&number.to_le_bytes()),
        How::Small(number) => put(&u64::from(*number).to_le_bytes()),
        How::Bytes(bytes) => put(bytes),
    }
    if change.mend {
        mend(content);
    }
}

/// Makes the checksums of whatever looks like a frame right, as `docs/LOG-FORMAT.md` draws them.
fn mend(content: &mut [u8]) {
    const MAGIC: &[u8] = b"Frm\x01";
    let Some(salted) = content.get(16..32) else { return };
    let (number, salt) = (salted[..8].to_vec(), salted[8..].to_vec());
    for at in 0..content.len().saturating_sub(48) {
        if &content[at..at + 4] != MAGIC {
            continue;
        }
        let ops_bytes = u64::from_le_bytes(content[at + 32..at + 40].try_into().expect("eight bytes"));
        let end = usize::try_from(ops_bytes).ok().and_then(|bytes| (at + 48).checked_add(bytes));
        if let Some(ops) = end.and_then(|end| content.get(at + 48..end)) {
            let crc = crc32fast::hash(ops).to_le_bytes();
            content[at + 12..at + 16].copy_from_slice(&crc);
        }
        let salted = [&salt[..], &number, &(at as u64).to_le_bytes(), &content[at + 8..at + 48]].concat();
        content[at + 4..at + 8].copy_from_slice(&crc32fast::hash(&salted).to_le_bytes());
    }
}
