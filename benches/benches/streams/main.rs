//! Streams, each part against its limit in the same run:
//!
//! - records of 1 KiB that so many writers put, each waiting for its own acknowledgement. Against the bare engine with the
//!   same rows and the same grouping, and on sled against a raw file with one `fdatasync` a group;
//! - writers with readers beside them: one at the tail of each shard, and one that reads all of a shard's past again and
//!   again. Against writers alone, and in memory, where the processors are the limit, beside a task that only computes;
//! - reading from storage, against the scan of the bare engine;
//! - giving up a million records that have expired: how long it takes, and how fast writers are meanwhile.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod append;
mod readers;
mod retention;
mod scan;
mod world;

use criterion::{Criterion, criterion_group};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime")
}

fn append(criterion: &mut Criterion) {
    let runtime = runtime();
    for writers in [1, 16, 64] {
        append::in_memory(criterion, &runtime, writers);
        append::on_sled(criterion, &runtime, writers);
    }
}

fn readers(criterion: &mut Criterion) {
    let runtime = runtime();
    readers::in_memory(criterion, &runtime);
    readers::on_sled(criterion, &runtime);
}

fn scan(criterion: &mut Criterion) {
    let runtime = runtime();
    scan::scan(criterion, &runtime, "memory", world::in_memory);
    scan::scan(criterion, &runtime, "sled", world::on_sled);
}

fn retention(_: &mut Criterion) {
    let runtime = runtime();
    retention::trim(&runtime, "memory", world::in_memory);
    retention::trim(&runtime, "sled", world::on_sled);
}

criterion_group!(benches, append, readers, scan, retention);
fn main() {
    broker_benches::keep_memory();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
