//! sled can deadlock in a queue's own pattern, append and delete on a short queue; our use of it does not.

#![allow(clippy::disallowed_methods, reason = "a hang shows in real time, and so does an idle machine")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_sled::SledStorage;
use tempfile::TempDir;

/// How long the pattern runs. The deadlock took less than two seconds on an idle machine, in five of six runs.
const RUN: Duration = Duration::from_millis(1_500);
/// Far more than a slow disk needs for one commit.
const PATIENCE: Duration = Duration::from_secs(60);

fn short_queue(store: &SledStorage, number: u64) {
    let mut send = Batch::new();
    send.put_row(1, number, vec![7; 300]);
    send.put_meta(&number.to_be_bytes(), &[1; 40]);
    send.put_meta(b"counts", &number.to_be_bytes());
    store.commit(&send, Durability::Synced).expect("a lawful batch");
    let mut lease = Batch::new();
    lease.put_meta(&number.to_be_bytes(), &[2; 40]);
    store.commit(&lease, Durability::Buffered).expect("a lawful batch");
    let mut delete = Batch::new();
    delete.delete_row(1, number.saturating_sub(3));
    delete.delete_meta(&number.saturating_sub(3).to_be_bytes());
    store.commit(&delete, Durability::Synced).expect("a lawful batch");
}

#[test]
fn one_committing_thread_and_many_readers_never_hang_on_a_short_queue() {
    let home = TempDir::new().unwrap();
    let store = Arc::new(SledStorage::open(home.path()).unwrap());
    let (stop, head) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (ended, watchdog) = mpsc::channel();
    for reader in 0..3 {
        let (store, stop, head, ended) = (store.clone(), stop.clone(), head.clone(), ended.clone());
        thread::spawn(move || {
            let page = Page { entries: 10, bytes: 1 << 20 };
            while !stop.load(Ordering::Acquire) {
                let from = head.load(Ordering::Acquire);
                store.rows(1, from..u64::MAX, page).expect("rows can be read");
                store.row(1, from).expect("a row can be read");
                store.meta_range(&from.to_be_bytes(), &[255], page).expect("meta can be read");
                // An idle machine is where it hung: leave the writer room.
                thread::sleep(Duration::from_micros(200));
            }
            ended.send(format!("reader {reader}")).expect("the watchdog waits");
        });
    }
    thread::spawn(move || {
        let started = Instant::now();
        let mut number = 0;
        while started.elapsed() < RUN {
            short_queue(&store, number);
            number += 1;
            head.store(number.saturating_sub(3), Ordering::Release);
        }
        stop.store(true, Ordering::Release);
        ended.send(format!("writer, after {number} messages")).expect("the watchdog waits");
    });
    for _ in 0..4 {
        // A thread that hangs inside sled cannot be stopped: the process ends with this test program.
        let who = watchdog.recv_timeout(RUN + PATIENCE).expect("a thread hangs");
        println!("ended: {who}");
    }
}

#[test]
fn opening_and_the_largest_message_fit_a_thread_with_a_small_stack() {
    let home = TempDir::new().unwrap();
    let path = home.path().to_owned();
    let small = thread::Builder::new().stack_size(256 << 10).spawn(move || {
        for number in 0..2 {
            let store = SledStorage::open(&path).unwrap();
            (0..50).for_each(|step| short_queue(&store, number * 50 + step));
            let mut batch = Batch::new();
            batch.put_row(2, number, vec![7; 1 << 20]);
            store.commit(&batch, Durability::Synced).unwrap();
            assert_eq!(store.row(2, number).unwrap().unwrap().len(), 1 << 20);
        }
    });
    small.unwrap().join().unwrap();
}
