//! How many commits a second this machine's disk takes, with `cargo run --release --example commits`.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use broker_core::storage::{Batch, Durability, Storage};
use broker_sled::SledStorage;

const COMMITS: u64 = 3_000;

fn main() {
    for durability in [Durability::Memory, Durability::Buffered, Durability::Synced] {
        for messages in [1, 64] {
            let per_second = commits_per_second(durability, messages);
            println!("{durability:?}, {messages:>2} messages a commit: {per_second:>7.0} commits/s");
        }
    }
}

/// Sends and deletes `messages` of 256 bytes in each commit, as a group commit of the broker does.
fn commits_per_second(durability: Durability, messages: u64) -> f64 {
    let home = tempfile::TempDir::new().expect("a temporary directory");
    let store = SledStorage::open(home.path()).expect("a new store");
    let started = Instant::now();
    let commits = u32::try_from(COMMITS / messages.min(10)).expect("few");
    for number in 0..u64::from(commits) {
        let mut batch = Batch::new();
        for seq in number * messages..(number + 1) * messages {
            batch.put_row(1, seq, vec![7; 256]);
            batch.put_meta(&seq.to_be_bytes(), &[1; 40]);
            if let Some(old) = seq.checked_sub(100) {
                batch.delete_row(1, old);
                batch.delete_meta(&old.to_be_bytes());
            }
        }
        batch.put_meta(b"counts", &number.to_be_bytes());
        store.commit(&batch, durability).expect("a lawful batch");
    }
    f64::from(commits) / started.elapsed().as_secs_f64()
}
