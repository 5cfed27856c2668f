//! How near the engine is to its limits, measured in one run.
//!
//! - `limits group [DIR]`: groups of rows, one synced commit each, against a raw file that was written before and gets
//!   one write and one `fdatasync` per group. They take turns, so that they meet the same device.
//! - `limits cycle WAITING [DIR]`: append, scan from the head, delete, with so many rows waiting; not synced. Against plain
//!   files that are written at one end, read at the other, synced when they are full and removed when they are read.
//! - `limits open WAITING [DIR]`: how long opening and the first read take with so many rows, closed and crashed.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "nobody reads sixteen digits of a rate")]

use std::{
    collections::VecDeque,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::{LogOptions, LogStorage};
use bytes::Bytes;
use tempfile::TempDir;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let home = |at: usize| {
        let parent = arguments.get(at).map_or_else(env::temp_dir, Into::into);
        TempDir::new_in(parent).expect("a directory to write to")
    };
    match arguments.first().map(String::as_str) {
        Some("group") => {
            for (rows, bytes) in [(1, 1_024), (16, 1_024), (64, 1_024), (256, 1_024), (64, 100), (64, 16_384)]
            {
                group(home(1).path(), rows, bytes);
            }
        }
        Some("cycle") => cycle(home(2).path(), number(1)),
        Some("open") => opening(home(2).path(), number(1)),
        _ => println!("limits group [DIR] | limits cycle WAITING [DIR] | limits open WAITING [DIR]"),
    }
}

fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from(at * 7 % 251).expect("a remainder")).collect::<Vec<u8>>().into()
}

fn group(home: &Path, rows: usize, bytes: usize) {
    let groups = if rows * bytes > 500_000 { 400 } else { 1_500 };
    let (body, frame) = (body(bytes), vec![7; rows * (bytes + 25) + 48]);
    let raw = File::create_new(home.join("raw")).expect("a new file");
    write_at(&raw, &vec![0; frame.len() * groups], 0);
    raw.sync_all().expect("a sync");
    let log = |name: &str, prewrite_bytes| {
        let options = LogOptions { prewrite_bytes, ..LogOptions::default() };
        LogStorage::open_with(home.join(name), &options).expect("a new store")
    };
    let logs = [log("ahead", LogOptions::default().prewrite_bytes), log("plain", 0)];
    let mut spent = [Duration::ZERO; 3];
    for group in 0..groups {
        // Each goes first as often as the others.
        for turn in 0..3 {
            let who = (group + turn) % 3;
            let start = Instant::now();
            if let Some(store) = logs.get(who) {
                let mut batch = Batch::new();
                (0..rows).for_each(|row| batch.put_row(1, (group * rows + row) as u64, body.clone()));
                store.commit(&batch, Durability::Synced).expect("a lawful batch");
            } else {
                write_at(&raw, &frame, (group * frame.len()) as u64);
                raw.sync_data().expect("a sync");
            }
            spent[who] += start.elapsed();
        }
    }
    let [ahead, plain, raw] = spent.map(|spent| (groups * rows) as f64 / spent.as_secs_f64());
    let (part, part_plain) = (ahead / raw, plain / raw);
    println!("{rows} rows of {bytes} B: raw {raw:.0}/s; log {ahead:.0}/s, {part:.2} of it");
    println!("    without writing ahead {plain:.0}/s, {part_plain:.2} of it");
}

fn fill(store: &LogStorage, rows: u64, body: &Bytes) {
    for first in (0..rows).step_by(100) {
        let mut batch = Batch::new();
        (first..rows.min(first + 100)).for_each(|seq| batch.put_row(1, seq, body.clone()));
        store.commit(&batch, Durability::Buffered).expect("a lawful batch");
    }
}

/// Plain files with so many bytes between their ends.
struct Raw {
    home: PathBuf,
    /// The files that are not read to their end yet, the oldest first.
    files: VecDeque<(File, PathBuf)>,
    made: u64,
    written: u64,
    read: u64,
}

impl Raw {
    const FILE_BYTES: u64 = 64 << 20;

    fn new(home: PathBuf) -> Self {
        fs::create_dir(&home).expect("a new directory");
        let mut raw = Self { home, files: VecDeque::new(), made: 0, written: 0, read: 0 };
        raw.begin();
        raw
    }

    fn begin(&mut self) {
        let path = self.home.join(self.made.to_string());
        let file = File::options().create_new(true).read(true).write(true).open(&path);
        self.files.push_back((file.expect("a new file"), path));
        (self.made, self.written) = (self.made + 1, 0);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.written + bytes.len() as u64 > Self::FILE_BYTES {
            self.files.back().expect("one is written").0.sync_all().expect("a sync");
            self.begin();
        }
        write_at(&self.files.back().expect("one is written").0, bytes, self.written);
        self.written += bytes.len() as u64;
    }

    fn consume(&mut self, buffer: &mut [u8]) {
        if self.read + buffer.len() as u64 > Self::FILE_BYTES {
            let (_, path) = self.files.pop_front().expect("one is read");
            fs::remove_file(path).expect("a file that is there");
            self.read = 0;
        }
        read_at(&self.files.front().expect("one is read").0, buffer, self.read);
        self.read += buffer.len() as u64;
    }
}

/// In tens: append, rewrite a small row of meta, read the ten oldest, delete them.
fn cycle(home: &Path, waiting: u64) {
    const STEP: u64 = 10;
    let (store, body) = (LogStorage::open(home.join("log")).expect("a new store"), body(1_024));
    let mut raw = Raw::new(home.join("raw"));
    let mut ten = vec![7; 10 * 1_049];
    (0..waiting / STEP).for_each(|_| raw.append(&ten));
    fill(&store, waiting, &body);
    let rounds = 40_000_u64;
    let (mut rates, mut raw_rates, mut spent) = (Vec::new(), Vec::new(), [Duration::ZERO; 3]);
    let (mut head, mut tail) = (0, waiting);
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds / 5 {
            raw.append(&ten);
            raw.consume(&mut ten);
        }
        raw_rates.push((rounds / 5 * STEP) as f64 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        for _ in 0..rounds / 5 {
            let begun = Instant::now();
            let mut batch = Batch::new();
            (tail..tail + STEP).for_each(|seq| batch.put_row(1, seq, body.clone()));
            batch.put_meta(b"tail", &tail.to_le_bytes());
            store.commit(&batch, Durability::Buffered).expect("a lawful batch");
            tail += STEP;
            let appended = Instant::now();
            let page = Page { entries: 10, bytes: 1 << 20 };
            let rows = store.rows(1, head..tail, page).expect("an undamaged store");
            assert_eq!(rows.len() as u64, STEP);
            let scanned = Instant::now();
            let mut batch = Batch::new();
            for (seq, _) in &rows {
                batch.delete_row(1, *seq);
            }
            batch.put_meta(b"head", &head.to_le_bytes());
            store.commit(&batch, Durability::Buffered).expect("a lawful batch");
            head += STEP;
            let parts = [appended - begun, scanned - appended, scanned.elapsed()];
            spent.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        rates.push((rounds / 5 * STEP) as f64 / start.elapsed().as_secs_f64());
    }
    for (what, rates) in [("log", &mut rates), ("plain files", &mut raw_rates)] {
        rates.sort_by(f64::total_cmp);
        let (least, median, most) = (rates[0], rates[2], rates[4]);
        println!("{waiting} waiting, {what}: median {median:.0} messages/s, of {least:.0} to {most:.0}");
    }
    println!("appending {:?}, scanning {:?}, deleting {:?}", spent[0], spent[1], spent[2]);
    println!("memory {} kB; disk {} MB", resident_kb(), disk_bytes(&home.join("log")) >> 20);
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

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset).expect("room on the device");
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset).expect("as many bytes");
}

#[cfg(not(unix))]
fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) {
    use std::io::{Read, Seek, SeekFrom};

    file.seek(SeekFrom::Start(offset)).expect("a place in the file");
    file.read_exact(buffer).expect("as many bytes");
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) {
    use std::io::{Seek, SeekFrom, Write};

    file.seek(SeekFrom::Start(offset)).expect("a place in the file");
    file.write_all(bytes).expect("room on the device");
}

/// The memory of this process, where the system says it.
fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn disk_bytes(home: &Path) -> u64 {
    let files = fs::read_dir(home).expect("a directory");
    files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
}
