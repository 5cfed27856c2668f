//! Random histories: handlers that fail in every way, workers that come, stop and vanish, shards that split and merge. Nothing is lost,
//! and no record of a key is done before an earlier one. L34, L80, L83, L87.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use broker_core::{PutRecord, ShardFilter};
use broker_worker::{
    Context, Failure,
    stream::{RecordBatch, RunningStream, StreamMapping, StreamResponse},
};
use parking_lot::Mutex;

use crate::support::{World, ms, secs, text};

/// Numbers that a seed decides.
#[derive(Clone)]
struct Chance(Arc<AtomicU64>);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)))
    }

    fn below(&self, bound: u64) -> u64 {
        let step = |x: u64| {
            let x = x ^ (x << 13);
            let x = x ^ (x >> 7);
            x ^ (x << 17)
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |x| Some(step(x))).unwrap();
        (step(before) >> 11) % bound
    }
}

/// What was done, in the order in which it was: key and number.
type Done = Arc<Mutex<Vec<(String, u64)>>>;

/// A worker whose handler fails as often as not.
fn worker(world: &World, chance: &Chance, done: &Done) -> StreamMapping {
    let (settings, chance, done) = (chance.clone(), chance.clone(), done.clone());
    let wild = move |batch: RecordBatch, _: Context| {
        let (chance, done) = (chance.clone(), done.clone());
        async move {
            tokio::time::sleep(ms(chance.below(300))).await;
            let records = batch.records();
            let count = match chance.below(10) {
                0 => return Err(Failure::new("no")),
                1 => panic!("wild"),
                2 => return std::future::pending().await,
                3 | 4 => usize::try_from(chance.below(records.len() as u64)).unwrap(),
                _ => records.len(),
            };
            let number =
                |record: &broker_core::Record| (record.partition_key.clone(), text(record).parse().unwrap());
            done.lock().extend(records[..count].iter().map(number));
            let failed = records.get(count).map(|record| record.number);
            Ok(StreamResponse::Failed(failed.into_iter().collect()))
        }
    };
    world
        .mapping(wild)
        .batch_size(1 + usize::try_from(settings.below(20)).unwrap())
        .window(secs(settings.below(3)))
        .parallelization_factor(1 + usize::try_from(settings.below(4)).unwrap())
        .bisect_batch_on_function_error(settings.below(2) == 0)
        .timeout(secs(2))
}

/// Splits or merges some shard that is open.
async fn reshard(world: &World, chance: &Chance) {
    let open = world.stream.shards(ShardFilter::AtLatest).await.unwrap();
    let at = usize::try_from(chance.below(open.len() as u64)).unwrap();
    if chance.below(2) == 0 && open.len() < 6 {
        let (start, end) = (open[at].range.start, open[at].range.end);
        world.stream.split_shard(open[at].id, start + (end - start) / 2).await.unwrap();
        return;
    }
    let mut open = open;
    open.sort_by_key(|shard| shard.range.start);
    if let Some(pair) = open.windows(2).nth(at) {
        world.stream.merge_shards(pair[0].id, pair[1].id).await.unwrap();
    }
}

async fn history(seed: u64) {
    let (world, chance, done) = (World::new(2).await, Chance::new(seed), Done::default());
    let mut workers: Vec<RunningStream> = Vec::new();
    let mut put: BTreeMap<u64, u64> = BTreeMap::new();
    for _ in 0..80 {
        match chance.below(10) {
            0 if workers.len() < 3 => workers.push(worker(&world, &chance, &done).start().await.unwrap()),
            1 => drop(workers.pop()),
            2 if !workers.is_empty() => {
                let drain = ms(chance.below(4_000));
                workers.remove(0).stop(drain).await;
            }
            3 => reshard(&world, &chance).await,
            _ => {
                for _ in 0..chance.below(40) {
                    let key = chance.below(8);
                    let number = put.entry(key).or_default();
                    let record = PutRecord::new(key.to_string(), number.to_string());
                    world.stream.put(record).await.unwrap();
                    *number += 1;
                }
            }
        }
        tokio::time::sleep(ms(chance.below(2_000))).await;
    }
    let last = worker(&world, &chance, &done).start().await.unwrap();
    workers.push(last);
    for _ in 0..2_000 {
        tokio::time::sleep(secs(1)).await;
        let group = world.stream.consumer_groups().await.unwrap().remove(0);
        if group.leases.iter().all(|lease| lease.behind == 0) {
            break;
        }
    }
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for (key, number) in done.lock().iter() {
        let next = next.entry(key.parse().unwrap()).or_default();
        assert!(*number <= *next, "seed {seed}: {number} of {key} is done before {next}");
        *next = (*next).max(number + 1);
    }
    put.retain(|_, count| *count > 0);
    assert_eq!(next, put, "seed {seed}: not all are done");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_overtaken_whatever_handlers_and_workers_do() {
    for seed in 0..40 {
        history(seed).await;
    }
}
