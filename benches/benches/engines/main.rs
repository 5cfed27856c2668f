//! Storage engines on the broker's pattern, mostly without the broker:
//!
//! - groups: a commit of so many rows of that size, synced. broker-log against a raw file that was written before, with one
//!   `fdatasync` a group;
//! - the life of rows of 1 KiB, not synced: ten are appended, ten read at the head, a small entry rewritten, ten deleted, with a
//!   thousand or a million waiting (`BROKER_BENCH_WAITING` for another number). broker-log against sled, redb and itself with a
//!   thousand waiting;
//! - reading everything in order, against the sequential read of a file, bare and with what every reader of
//!   checked rows has to do;
//! - sending, receiving and deleting with the broker, on broker-log and on sled.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod cycle;
mod groups;
mod life;
mod redb_store;
mod replay;

use criterion::{Criterion, criterion_group, criterion_main};

/// How many rows of how many bytes.
const GROUPS: [(u64, usize); 8] =
    [(1, 1_024), (16, 1_024), (64, 1_024), (256, 1_024), (64, 100), (256, 100), (64, 16_384), (256, 16_384)];

fn all(criterion: &mut Criterion) {
    for (rows, bytes) in GROUPS {
        groups::against_a_raw_file(criterion, rows, bytes);
    }
    replay::against_a_file(criterion);
    life::on_disk(criterion);
    cycle::against_other_engines(criterion);
}

criterion_group!(benches, all);
criterion_main!(benches);
