//! Consuming a stream, as a group and as a work queue, and a crash at every commit: whatever was not checkpointed or
//! acknowledged comes, in the order of its shard; what was does not come again; and a dead letter is in one place. IS7, IQ7, IQ9.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use broker_core::{
    DeadLetterTarget, LocalStream, PutRecord, ReceiveOptions, RecordNumber, Result, ShardFilter, ShardId,
    StartingPosition, StreamQueue, StreamQueueSettings,
    storage::{
        Durability,
        faults::{CrashPoint, CrashStorage, Survive},
    },
};
use tokio::time::timeout;

use crate::points::{open, reopen, run_until, sweep};

const HALF: u128 = 1 << 127;
/// Nothing more comes if nothing has for so long, on virtual time.
const QUIET: Duration = Duration::from_secs(1);
/// Records whose place is odd go to the upper half.
const HALVES: [u128; 2] = [0, HALF];

/// What was said and answered before the crash.
#[derive(Default)]
struct Promised {
    next: usize,
    /// How far each shard was to be checkpointed.
    tried: BTreeMap<ShardId, RecordNumber>,
    /// How far it was, for certain.
    checkpointed: BTreeMap<ShardId, RecordNumber>,
    /// Records that were to leave the queue.
    leaving: BTreeSet<RecordNumber>,
    /// Those that have, for certain.
    gone: BTreeSet<RecordNumber>,
}

async fn puts(clicks: &LocalStream, promised: &mut Promised) -> Result<()> {
    for _ in 0..4 {
        let n = promised.next;
        promised.next += 1;
        clicks.put(PutRecord::new("k", n.to_string()).explicit_hash_key(HALVES[n % 2])).await?;
    }
    Ok(())
}

/// A worker that consumes so many records, and checkpoints all but the last.
async fn consume(clicks: &LocalStream, count: usize, promised: &mut Promised) -> Result<()> {
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await?;
    for n in 1..=count {
        let Ok(record) = timeout(QUIET, worker.next()).await else { break };
        let record = record?;
        if n == count {
            break;
        }
        promised.tried.insert(record.shard(), record.number);
        record.checkpoint().await?;
        promised.checkpointed.insert(record.shard(), record.number);
    }
    Ok(())
}

async fn work_queue(clicks: &LocalStream) -> Result<StreamQueue> {
    let dead_letter = DeadLetterTarget::BuiltIn { max_receive_count: 2 };
    let settings = StreamQueueSettings { dead_letter, ..StreamQueueSettings::default() };
    clicks.queue("work", StartingPosition::TrimHorizon, &settings).await
}

fn at_once(max: usize) -> ReceiveOptions {
    ReceiveOptions::up_to(max).wait_time(Duration::ZERO).visibility_timeout(Duration::from_secs(3_600))
}

/// Acknowledges one of three records, gives one back until it is a dead letter, and restores one that was.
async fn work(queue: &StreamQueue, promised: &mut Promised) -> Result<()> {
    let got = queue.receive(at_once(3)).await?;
    for (at, message) in got.iter().enumerate() {
        if at == 0 {
            promised.leaving.insert(message.record);
            queue.acknowledge(message.receipt).await?;
            promised.gone.insert(message.record);
        } else {
            queue.update_visibility(message.receipt, Duration::ZERO).await?;
        }
    }
    if let [dead] = &queue.receive_dead_letters(at_once(1)).await?[..] {
        queue.restore_dead_letter(dead.receipt).await?;
    }
    Ok(())
}

async fn script(store: &Arc<CrashStorage>, durability: Durability, promised: &mut Promised) -> Result<()> {
    let broker = open(store).await?;
    let clicks = broker.stream("clicks").shards(2).durability(durability).await?;
    puts(&clicks, promised).await?;
    let queue = work_queue(&clicks).await?;
    consume(&clicks, 3, promised).await?;
    work(&queue, promised).await?;
    clicks.split_shard(ShardId(0), 1 << 100).await?;
    puts(&clicks, promised).await?;
    consume(&clicks, 4, promised).await?;
    work(&queue, promised).await?;
    clicks.merge_shards(ShardId(3), ShardId(1)).await?;
    puts(&clicks, promised).await?;
    consume(&clicks, 20, promised).await?;
    for _ in 0..3 {
        work(&queue, promised).await?;
    }
    broker.close().await.map(drop)
}

/// All records, in the order of their shards.
async fn everything(clicks: &LocalStream) -> BTreeMap<ShardId, Vec<RecordNumber>> {
    let mut all = BTreeMap::new();
    for shard in clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap() {
        let at = clicks.iterator(shard.id, StartingPosition::TrimHorizon).await.unwrap();
        let mut numbers = Vec::new();
        let mut at = Some(at);
        while let Some(iterator) = at {
            let found = clicks.read(&iterator, 100).await.unwrap();
            numbers.extend(found.records.iter().map(|record| record.number));
            at = found.next.filter(|_| !found.records.is_empty());
        }
        all.insert(shard.id, numbers);
    }
    all
}

/// The group goes on behind what was checkpointed, and misses nothing.
async fn check_group(clicks: &LocalStream, kept: bool, promised: &Promised) {
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    let mut got: BTreeMap<ShardId, Vec<RecordNumber>> = BTreeMap::new();
    while let Ok(record) = timeout(QUIET, worker.next()).await {
        let record = record.unwrap();
        record.checkpoint().await.unwrap();
        got.entry(record.shard()).or_default().push(record.number);
    }
    for (shard, all) in everything(clicks).await {
        let got = got.remove(&shard).unwrap_or_default();
        assert!(all.ends_with(&got), "{shard}: {got:?} of {all:?}");
        let first = got.first().copied();
        if let Some(last_missing) = all.len().checked_sub(got.len() + 1).map(|at| all[at]) {
            let tried = promised.tried.get(&shard).copied();
            assert!(tried >= Some(last_missing), "{shard}: nobody has consumed {last_missing:?}");
        }
        if kept && let (Some(first), Some(checkpointed)) = (first, promised.checkpointed.get(&shard)) {
            assert!(first > *checkpointed, "{shard}: {first:?} was consumed, up to {checkpointed:?}");
        }
    }
    let groups = clicks.consumer_groups().await.unwrap();
    assert!(
        groups[0].leases.iter().all(|lease| lease.held != lease.ended && lease.behind == 0),
        "{groups:?}"
    );
}

/// The queue has each record that was not acknowledged, in one place.
async fn check_queue(clicks: &LocalStream, kept: bool, promised: &Promised) {
    let queue = work_queue(clicks).await.unwrap();
    // What was in flight comes back.
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    let mut got = Vec::new();
    loop {
        let some = queue.receive(at_once(10)).await.unwrap();
        let dead = queue.receive_dead_letters(at_once(10)).await.unwrap();
        if some.is_empty() && dead.is_empty() {
            break;
        }
        got.extend(some.iter().chain(&dead).map(|message| message.record));
    }
    let all: BTreeSet<_> = everything(clicks).await.into_values().flatten().collect();
    let once: BTreeSet<_> = got.iter().copied().collect();
    assert_eq!(once.len(), got.len(), "one of them is in two places: {got:?}");
    let missing: Vec<_> = all.difference(&once).collect();
    assert!(missing.iter().all(|number| promised.leaving.contains(number)), "{missing:?} is nowhere");
    if kept {
        assert!(promised.gone.is_disjoint(&once), "{:?} came again: {once:?}", promised.gone);
    }
}

async fn check(store: &CrashStorage, survive: Survive, kept: bool, promised: &Promised) {
    let broker = reopen(store, survive).await;
    // Without the stream there is nothing to consume; `streams.rs` checks that it may be missing.
    let Ok(clicks) = broker.open_stream("clicks").await else { return };
    check_group(&clicks, kept, promised).await;
    check_queue(&clicks, kept, promised).await;
}

fn sweep_all(durability: Durability, can_block: bool) {
    let script =
        async |store: &Arc<CrashStorage>, promised: &mut Promised| script(store, durability, promised).await;
    let check = async |store: &CrashStorage, survive: Survive, promised: &Promised| {
        check(store, survive, durability == Durability::Synced || survive == Survive::Kill, promised).await;
    };
    let (whole, promised) = run_until(CrashPoint::Never, can_block, script);
    assert!(promised.checkpointed.len() > 3 && promised.gone.len() > 3, "it does what it is for");
    sweep((whole.commits(), 40), can_block, &script, &check);
}

#[test]
fn is7_a_group_and_a_queue_go_on_after_a_crash_at_any_commit() {
    sweep_all(Durability::Synced, false);
    sweep_all(Durability::Buffered, false);
}

#[test]
fn is7_a_group_and_a_queue_go_on_after_a_crash_of_a_store_that_blocks() {
    sweep_all(Durability::Synced, true);
}
