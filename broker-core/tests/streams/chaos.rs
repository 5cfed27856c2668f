//! A consumer group under chaos: workers stop, stall past their lease and come back, the broker is closed and opened, shards
//! are split and merged meanwhile. No record is skipped, each is checkpointed once and per key in order, no checkpoint goes
//! back, and in the end every shard is held. IS7, IS8, IC4.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker_core::{Broker, Error, LocalStream, PutRecord, ShardFilter, StartingPosition};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::support::{World, secs};

everywhere! {
    is7_under_chaos_every_record_is_checkpointed_once_and_in_the_order_of_its_key,
}

const KEYS: usize = 13;
const WORKERS: usize = 4;
const LEASE: Duration = secs(10);

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % limit
    }
}

#[derive(Default)]
struct Log {
    /// What was checkpointed of each key, in order.
    done: BTreeMap<String, Vec<usize>>,
    stalls: usize,
    lost: usize,
}

/// A worker that stops now and then, and begins anew.
async fn work(stream: LocalStream, seed: u64, log: Arc<Mutex<Log>>) {
    let mut dice = Dice(seed | 1);
    loop {
        let joined = stream.consumer("g").lease(LEASE).start(StartingPosition::TrimHorizon).await;
        let Ok(mut consumer) = joined else { return };
        for _ in 0..dice.below(60) {
            // Now and then it is dropped while it waits.
            let Ok(next) = tokio::time::timeout(secs(1 + dice.below(30)), consumer.next()).await else {
                continue;
            };
            let Ok(record) = next else { return };
            match dice.below(20) {
                0 => {
                    log.lock().stalls += 1;
                    tokio::time::sleep(LEASE * 3).await;
                }
                1 => break,
                _ => tokio::time::sleep(Duration::from_millis(dice.below(50))).await,
            }
            match record.checkpoint().await {
                Ok(()) => {
                    let number = std::str::from_utf8(&record.data).unwrap().parse().unwrap();
                    log.lock().done.entry(record.partition_key.clone()).or_default().push(number);
                }
                Err(Error::LeaseLost { .. }) => log.lock().lost += 1,
                Err(_) => return,
            }
        }
        drop(consumer);
        tokio::time::sleep(secs(dice.below(3))).await;
    }
}

/// Splits a shard, or merges two.
async fn reshard(stream: &LocalStream, dice: &mut Dice) {
    let open = stream.shards(ShardFilter::AtLatest).await.unwrap();
    let mut open: Vec<_> = open.into_iter().map(|shard| (shard.range.start, shard)).collect();
    open.sort_by_key(|(start, _)| *start);
    let at = usize::try_from(dice.below(open.len() as u64)).unwrap();
    let shard = &open[at].1;
    if open.len() > 4 && at + 1 < open.len() {
        stream.merge_shards(shard.id, open[at + 1].1.id).await.unwrap();
    } else {
        let middle = shard.range.start + (shard.range.end - shard.range.start) / 2;
        // The halves of a shard that is too small cannot be.
        let _ = stream.split_shard(shard.id, middle).await;
    }
}

/// How far each shard is: it never goes back.
async fn check_progress(stream: &LocalStream, before: &mut BTreeMap<u32, u128>) {
    for lease in stream.consumer_groups().await.unwrap().iter().flat_map(|group| &group.leases) {
        let next: u128 = lease.next.to_string()[2..].parse().unwrap();
        let before = before.entry(lease.shard.0).or_default();
        assert!(*before <= next, "the checkpoint of {} went back", lease.shard);
        *before = next;
    }
}

fn start(broker: &LocalStream, seed: u64, log: &Arc<Mutex<Log>>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(work(broker.clone(), seed.wrapping_mul(31) + worker as u64, log.clone()));
    }
    workers
}

async fn is7_under_chaos_every_record_is_checkpointed_once_and_in_the_order_of_its_key(world: World) {
    let log = Arc::new(Mutex::new(Log::default()));
    let mut dice = Dice(4_711);
    let mut progress = BTreeMap::new();
    let mut put = 0;
    let mut last: Option<(Broker, LocalStream, JoinSet<()>)> = None;
    for life in 0..4u64 {
        if let Some((broker, stream, workers)) = last.take() {
            // The workers die with their broker.
            drop(workers);
            drop(stream);
            broker.close().await.unwrap();
        }
        let broker = world.broker().await;
        let stream = broker.stream("clicks").shards(2).await.unwrap();
        let workers = start(&stream, life + 1, &log);
        for _ in 0..15 {
            for _ in 0..dice.below(20) {
                let key = format!("k{}", put % KEYS);
                stream.put(PutRecord::new(key, put.to_string())).await.unwrap();
                put += 1;
            }
            if dice.below(3) == 0 {
                reshard(&stream, &mut dice).await;
            }
            tokio::time::sleep(secs(dice.below(8))).await;
            check_progress(&stream, &mut progress).await;
        }
        last = Some((broker, stream, workers));
    }
    let (broker, stream, workers) = last.unwrap();
    // Time for all that is left.
    for _ in 0..200 {
        tokio::time::sleep(secs(10)).await;
        check_progress(&stream, &mut progress).await;
        if log.lock().done.values().map(Vec::len).sum::<usize>() == put {
            break;
        }
    }
    let chaos = std::mem::take(&mut *log.lock());
    for (key, numbers) in &chaos.done {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{key}: once and in order: {numbers:?}");
    }
    assert_eq!(chaos.done.values().map(Vec::len).sum::<usize>(), put, "every record");
    assert!(chaos.stalls > 3 && chaos.lost > 0, "{} stalls, {} lost", chaos.stalls, chaos.lost);
    drop(workers);
    // One calm worker takes everything that is open.
    let mut calm = stream.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    assert!(tokio::time::timeout(secs(60), calm.next()).await.is_err(), "there is nothing left");
    let groups = stream.consumer_groups().await.unwrap();
    assert!(groups[0].leases.iter().all(|lease| lease.ended || lease.held), "{groups:?}");
    drop(calm);
    broker.close().await.unwrap();
}
