//! Reading everything in order.

use std::{
    fs::File,
    hint::black_box,
    io::{Read, Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::LogStorage;
use bytes::Bytes;
use criterion::Criterion;

const ROWS: u64 = 200_000;
const BODY_BYTES: usize = 1_024;
const PAGE: Page = Page { entries: 1_000, bytes: 10 << 20 };

pub(crate) fn against_a_file(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a directory");
    let store = LogStorage::open(home.path().join("log")).expect("a store");
    let mut raw = File::create_new(home.path().join("raw")).expect("a file");
    for first in (0..ROWS).step_by(1_000) {
        let mut batch = Batch::new();
        for seq in first..first + 1_000 {
            batch.put_row(1, seq, vec![b'x'; BODY_BYTES]);
        }
        store.commit(&batch, Durability::Buffered).expect("a commit");
        raw.write_all(&vec![b'x'; 1_000 * BODY_BYTES]).expect("a write");
    }
    let open = || File::open(home.path().join("raw")).expect("the file");
    let (mut buffer, mut copied) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut contest = Contest::new("replay of rows of 1 KiB", ROWS).turns_of(Duration::from_millis(300));
    contest.enter("broker-log", |rounds| {
        let start = Instant::now();
        for _ in 0..rounds {
            let mut next = 0;
            while next < ROWS {
                let rows = black_box(store.rows(1, next..ROWS, PAGE).expect("a page"));
                next = rows.last().expect("a row").0 + 1;
            }
        }
        start.elapsed()
    });
    contest.enter("the sequential read of a file", |rounds| {
        let start = Instant::now();
        let mut raw = open();
        for _ in 0..rounds {
            raw.seek(SeekFrom::Start(0)).expect("the beginning");
            while raw.read(&mut buffer).expect("a read") > 0 {
                black_box(&buffer);
            }
        }
        start.elapsed()
    });
    contest.enter("the same, each row copied out and its checksum taken", |rounds| {
        let start = Instant::now();
        let (mut raw, mut rows) = (open(), Vec::new());
        for _ in 0..rounds {
            raw.seek(SeekFrom::Start(0)).expect("the beginning");
            while raw.read(&mut copied).expect("a read") > 0 {
                rows.clear();
                for row in copied.chunks_exact(BODY_BYTES) {
                    rows.push((Bytes::copy_from_slice(row), black_box(crc32fast::hash(row))));
                }
                black_box(&rows);
            }
        }
        start.elapsed()
    });
    contest.run(criterion);
}
