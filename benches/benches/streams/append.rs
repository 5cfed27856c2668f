//! Putting records.

use std::{
    cell::Cell,
    fs::File,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::storage::{Batch, Durability, faults::SlowStorage};
use criterion::Criterion;
use tokio::runtime::Runtime;

use crate::world::{self, BODY_BYTES, ROW_BYTES, SHARDS};

/// Puts a writer makes in a round.
const PUTS: u64 = 4;
/// A store in memory is left behind after so many records.
const RECORDS_OF_A_STORE: u64 = 20_000;

pub(crate) fn in_memory(criterion: &mut Criterion, runtime: &Runtime, writers: u64) {
    let records = writers * PUTS;
    let contest = Contest::new(format!("append in memory, {writers} writers"), records);
    let mut contest = contest.turns_of(Duration::from_millis(150));
    contest.enter("stream", |rounds| {
        in_stores(rounds * records, |some| {
            let (broker, stream) = runtime.block_on(world::open(world::in_memory().0, SHARDS));
            let took = world::put(runtime, &stream, writers, some);
            runtime.block_on(broker.close()).expect("close");
            took
        })
    });
    contest.enter("the bare engine", |rounds| {
        in_stores(rounds * records, |some| world::commit(runtime, &world::in_memory().0, writers, some))
    });
    contest.run(criterion);
}

fn in_stores(mut records: u64, mut one: impl FnMut(u64) -> Duration) -> Duration {
    let mut took = Duration::ZERO;
    while records > 0 {
        let some = records.min(RECORDS_OF_A_STORE);
        took += one(some);
        records -= some;
    }
    took
}

pub(crate) fn on_sled(criterion: &mut Criterion, runtime: &Runtime, writers: u64) {
    let (inner, _directory) = world::on_sled();
    // Counts commits, so that the others can group as the broker did. It is not slow unless told to be.
    let counting = Arc::new(SlowStorage::new(inner));
    let (_broker, stream) = runtime.block_on(world::open(counting.clone(), SHARDS));
    let (bare, directory) = world::on_sled();
    let directory = directory.expect("sled has one");
    let mut file = File::create(directory.path().join("raw")).expect("a file");
    let (put, before) = (Cell::new(0), counting.commits());
    let group = || (put.get() / ((counting.commits() - before) as u64).max(1)).max(1);
    let records = writers * PUTS;
    let contest = Contest::new(format!("append on sled, {writers} writers"), records);
    let mut contest = contest.turns_of(Duration::from_millis(300));
    contest.enter("stream", |rounds| {
        put.set(put.get() + rounds * records);
        world::put(runtime, &stream, writers, rounds * records)
    });
    let mut seq = 0;
    contest.enter("the bare engine", |rounds| {
        in_groups(rounds * records, group(), |size| {
            bare.commit(&group_of(size, &mut seq), Durability::Synced).expect("commit");
        })
    });
    contest.enter("a raw file", |rounds| {
        in_groups(rounds * records, group(), |size| {
            let bytes = usize::try_from(size).expect("a small group") * BODY_BYTES;
            file.write_all(&vec![b'x'; bytes]).expect("write");
            file.sync_data().expect("sync");
        })
    });
    contest.run(criterion);
    drop(contest);
    println!("group  append on sled, {writers} writers: {} records a commit on average", group());
}

/// Commits so many records, in groups of that size.
fn in_groups(records: u64, group: u64, mut commit: impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    let mut left = records;
    while left > 0 {
        let size = group.min(left);
        commit(size);
        left -= size;
    }
    start.elapsed()
}

/// The rows of so many records in turn in all shards, and a record for each shard.
fn group_of(size: u64, seq: &mut u64) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..size {
        *seq += 1;
        batch.put_row(*seq % u64::from(SHARDS), *seq / u64::from(SHARDS), vec![b'x'; ROW_BYTES]);
    }
    for shard in 0..size.min(SHARDS.into()) {
        batch.put_meta(&shard.to_be_bytes(), &[0; 56]);
    }
    batch
}
