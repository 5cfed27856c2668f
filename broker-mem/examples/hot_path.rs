//! What one message costs the store in memory: send, lease and delete, with `cargo run --release --example hot_path`.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use broker_core::storage::{Batch, Durability, Storage};
use broker_mem::MemStorage;
use bytes::Bytes;

const MESSAGES: u64 = 1_000_000;

fn main() {
    for backlog in [1, 1_000, 100_000] {
        println!("backlog {backlog:>7}: {:>5} ns a message", nanoseconds_per_message(backlog));
    }
}

/// Three commits a message, as the broker makes them: row, due time and counters; lease; delete and counters.
fn nanoseconds_per_message(backlog: u64) -> u128 {
    let store = MemStorage::new();
    let body = Bytes::from(vec![7; 256]);
    let mut batch = Batch::new();
    let mut commit = |fill: &dyn Fn(&mut Batch)| {
        batch.clear();
        fill(&mut batch);
        store.commit(&batch, Durability::Memory).expect("memory does not fail");
    };
    let key = |seq: u64| {
        let mut key = *b"due/queue-01/--------";
        key[13..].copy_from_slice(&seq.to_be_bytes());
        key
    };
    let send = |seq: u64, batch: &mut Batch| {
        batch.put_row(1, seq, body.clone());
        batch.put_meta(&key(seq), &[1; 40]);
        batch.put_meta(b"queue/queue-01/counts", &[2; 40]);
    };
    (0..backlog).for_each(|seq| commit(&|batch| send(seq, batch)));
    let started = Instant::now();
    for seq in 0..MESSAGES {
        commit(&|batch| send(seq + backlog, batch));
        commit(&|batch| batch.put_meta(&key(seq), &[3; 40]));
        assert!(store.row(1, seq).expect("memory does not fail").is_some());
        commit(&|batch| {
            batch.delete_row(1, seq);
            batch.delete_meta(&key(seq));
            batch.put_meta(b"queue/queue-01/counts", &[4; 40]);
        });
    }
    started.elapsed().as_nanos() / u128::from(MESSAGES)
}
