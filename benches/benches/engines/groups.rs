//! Synced commits of groups.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::storage::{Batch, Durability, Storage};
use broker_log::LogStorage;
use bytes::Bytes;
use criterion::Criterion;

/// The raw file is written again from its beginning when it is through.
const RAW_BYTES: u64 = 128 << 20;
/// Rows that stay; older ones are given up with each group.
const KEPT: u64 = 10_000;
/// What a row of the log takes in a frame beside its value.
const OVERHEAD: usize = 25;

pub(crate) fn against_a_raw_file(criterion: &mut Criterion, rows: u64, bytes: usize) {
    let home = tempfile::tempdir().expect("a directory");
    let store = LogStorage::open(home.path().join("log")).expect("a store");
    let mut raw = File::create_new(home.path().join("raw")).expect("a file");
    for _ in 0..RAW_BYTES >> 20 {
        raw.write_all(&vec![0; 1 << 20]).expect("zeros");
    }
    raw.sync_all().expect("a sync");
    let body = Bytes::from(vec![b'x'; bytes]);
    let group = vec![b'x'; usize::try_from(rows).expect("few rows") * (bytes + OVERHEAD)];
    let (mut next, mut at) = (0, 0);
    let mut contest = Contest::new(format!("groups of {rows} rows of {bytes} bytes"), rows);
    contest = contest.turns_of(Duration::from_millis(300));
    contest.enter("broker-log", |rounds| {
        let start = Instant::now();
        for _ in 0..rounds {
            let mut batch = Batch::new();
            for _ in 0..rows {
                batch.put_row(1, next, body.clone());
                next += 1;
            }
            batch.trim_rows(1, next.saturating_sub(KEPT));
            store.commit(&batch, Durability::Synced).expect("a commit");
        }
        start.elapsed()
    });
    contest.enter("a raw file that was written before", |rounds| {
        let start = Instant::now();
        for _ in 0..rounds {
            if at + group.len() as u64 > RAW_BYTES {
                at = 0;
            }
            raw.seek(SeekFrom::Start(at)).expect("a place in the file");
            raw.write_all(&group).expect("a write");
            raw.sync_data().expect("a sync");
            at += group.len() as u64;
        }
        start.elapsed()
    });
    contest.run(criterion);
}
