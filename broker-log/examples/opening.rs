//! How long opening and the first read take with so many rows of 1 KiB waiting, after a clean close and after a crash, and the
//! memory of the process: `opening WAITING [DIR]`. What else is measured of this engine is in the bench `engines`.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{env, fs, path::Path, time::Instant};

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::LogStorage;
use bytes::Bytes;
use tempfile::TempDir;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let waiting = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let parent = arguments.get(1).map_or_else(env::temp_dir, Into::into);
    let home = TempDir::new_in(parent).expect("a directory to write to");
    opening(home.path(), waiting);
}

fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from(at * 7 % 251).expect("a remainder")).collect::<Vec<u8>>().into()
}

fn fill(store: &LogStorage, rows: u64, body: &Bytes) {
    for first in (0..rows).step_by(100) {
        let mut batch = Batch::new();
        (first..rows.min(first + 100)).for_each(|seq| batch.put_row(1, seq, body.clone()));
        store.commit(&batch, Durability::Buffered).expect("a lawful batch");
    }
}

fn opening(home: &Path, waiting: u64) {
    let body = body(1_024);
    fill(&LogStorage::open(home).expect("a new store"), waiting, &body);
    let first_read = |what: &str| {
        let start = Instant::now();
        let store = LogStorage::open(home).expect("an undamaged store");
        let rows =
            store.rows(1, 0..u64::MAX, Page { entries: 10, bytes: 1 << 20 }).expect("an undamaged store");
        println!("{what}: {} rows after {:?}; memory {} kB", rows.len(), start.elapsed(), resident_kb());
        store
    };
    let store = first_read("closed");
    // It goes on, and is never closed: as if the process had been killed, but for the lock.
    (0..600).for_each(|group| {
        let mut batch = Batch::new();
        (0..100).for_each(|row| batch.put_row(1, waiting + group * 100 + row, body.clone()));
        store.commit(&batch, Durability::Buffered).expect("a lawful batch");
    });
    let copy = TempDir::new_in(home.parent().expect("a parent")).expect("a directory");
    for file in fs::read_dir(home).expect("a directory") {
        let file = file.expect("a file");
        fs::hard_link(file.path(), copy.path().join(file.file_name())).expect("a link");
    }
    fs::remove_file(copy.path().join("lock")).expect("its own lock");
    let start = Instant::now();
    let crashed = LogStorage::open(copy.path()).expect("an undamaged store");
    let rows =
        crashed.rows(1, 0..u64::MAX, Page { entries: 10, bytes: 1 << 20 }).expect("an undamaged store");
    println!("crashed: {} rows after {:?}; memory {} kB", rows.len(), start.elapsed(), resident_kb());
}

/// The memory of this process, where the system says it.
fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
