//! Putting, splitting and merging, and a crash at every commit: the shards cover the space, what was acknowledged is there
//! under its number, a shard is a prefix of what was tried, and nothing that a reader has seen is gone. IS1, IS2, IS4.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::{
    Broker, LocalStream, MemoryBounds, PutOutcome, PutRecord, Record, RecordNumber, Result, ShardFilter,
    ShardId, StartingPosition,
    storage::{
        Durability,
        faults::{CrashPoint, CrashStorage, Survive},
    },
};
use broker_mem::MemStorage;
use futures_util::future::join_all;

/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 2, staged: 2, staged_bytes: 100, searched: 4 };
const HALF: u128 = 1 << 127;

/// What is in each shard: numbers and bodies.
type Shards = BTreeMap<ShardId, Vec<(RecordNumber, String)>>;

/// What was promised before the crash.
#[derive(Default)]
struct Promised {
    /// Puts that were acknowledged.
    acked: Vec<(PutOutcome, String)>,
    /// What a reader has seen.
    seen: Vec<(ShardId, RecordNumber, String)>,
    /// Shards whose making was acknowledged, or that a reader was told of.
    made: Vec<ShardId>,
    /// What the whole script put into each shard, if it came to its end.
    whole: Shards,
    next: usize,
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

async fn open(store: &Arc<CrashStorage>) -> Result<Broker> {
    Broker::builder_on(store.clone()).memory(TINY).seed(3).open().await
}

impl Promised {
    /// The next record, which goes to one half of the space or the other.
    fn record(&mut self) -> (PutRecord, String) {
        self.next += 1;
        let body = format!("m{}", self.next);
        let hash = if self.next.is_multiple_of(3) { HALF } else { 0 };
        (PutRecord::new("k", body.clone()).explicit_hash_key(hash), body)
    }
}

/// Puts one by one, several at once, and in batches.
async fn puts(clicks: &LocalStream, promised: &mut Promised) -> Result<()> {
    for _ in 0..2 {
        let (record, body) = promised.record();
        promised.acked.push((clicks.put(record).await?, body));
    }
    let at_once: Vec<_> = (0..4).map(|_| promised.record()).collect();
    let done = join_all(at_once.iter().map(|(record, _)| clicks.put(record.clone()))).await;
    for (done, (_, body)) in done.into_iter().zip(at_once) {
        promised.acked.push((done?, body));
    }
    let batch: Vec<_> = (0..3).map(|_| promised.record()).collect();
    let done = clicks.put_batch(batch.iter().map(|(record, _)| record.clone()).collect()).await?;
    for (done, (_, body)) in done.into_iter().zip(batch) {
        promised.acked.push((done?, body));
    }
    see(clicks, promised).await
}

/// A reader that begins with the oldest shards and follows what it is told of.
async fn see(clicks: &LocalStream, promised: &mut Promised) -> Result<()> {
    let mut left = vec![ShardId(0), ShardId(1)];
    while let Some(shard) = left.pop() {
        let mut at = Some(clicks.iterator(shard, StartingPosition::TrimHorizon).await?);
        while let Some(iterator) = at {
            let found = clicks.read(&iterator, 2).await?;
            let nothing = found.records.is_empty();
            let saw = found.records.iter().map(|record| (shard, record.number, body(record)));
            promised.seen.extend(saw);
            promised.made.extend(&found.child_shards);
            left.extend(found.child_shards);
            at = found.next.filter(|_| !nothing);
        }
    }
    Ok(())
}

fn body(record: &Record) -> String {
    String::from_utf8(record.data.to_vec()).unwrap()
}

async fn script(store: &Arc<CrashStorage>, durability: Durability, promised: &mut Promised) -> Result<()> {
    let broker = open(store).await?;
    let clicks = broker.stream("clicks").shards(2).durability(durability).await?;
    promised.made.extend([ShardId(0), ShardId(1)]);
    puts(&clicks, promised).await?;
    promised.made.extend(clicks.split_shard(ShardId(0), 1 << 100).await?);
    puts(&clicks, promised).await?;
    promised.made.push(clicks.merge_shards(ShardId(3), ShardId(1)).await?);
    puts(&clicks, promised).await?;
    clicks.update_shard_count(4).await?;
    puts(&clicks, promised).await?;
    promised.whole = contents(&clicks).await;
    Ok(())
}

/// Everything in every shard.
async fn contents(clicks: &LocalStream) -> Shards {
    let mut all = Shards::new();
    for shard in clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap() {
        let at = clicks.iterator(shard.id, StartingPosition::TrimHorizon).await.unwrap();
        let mut records = Vec::new();
        let mut at = Some(at);
        while let Some(iterator) = at {
            let found = clicks.read(&iterator, 100).await.unwrap();
            records.extend(found.records.iter().map(|record| (record.number, body(record))));
            at = found.next.filter(|_| !found.records.is_empty());
        }
        all.insert(shard.id, records);
    }
    all
}

/// Opens what survived.
async fn check(store: &CrashStorage, survive: Survive, kept: bool, promised: &Promised, whole: &Shards) {
    let survivors = Arc::new(store.restart(survive, Arc::new(MemStorage::new())).unwrap());
    let broker = open(&survivors).await.unwrap();
    let Ok(clicks) = broker.open_stream("clicks").await else {
        assert!(promised.made.is_empty(), "the stream was acknowledged");
        return;
    };
    let shards = clicks.shards(ShardFilter::AtLatest).await.unwrap();
    let mut ranges: Vec<_> = shards.iter().map(|shard| shard.range).collect();
    ranges.sort_by_key(|range| range.start);
    assert_eq!((ranges[0].start, ranges.last().unwrap().end), (0, u128::MAX));
    assert!(ranges.windows(2).all(|pair| pair[0].end + 1 == pair[1].start), "{ranges:?}");
    let there = contents(&clicks).await;
    for (shard, records) in &there {
        assert!(whole[shard].starts_with(records), "{shard} is a prefix: {records:?} of {:?}", whole[shard]);
    }
    // A split is synced, and so is everything before it.
    assert!(promised.made.iter().all(|shard| there.contains_key(shard)), "{:?} {there:?}", promised.made);
    let has = |shard: ShardId, number, body: &String| {
        there.get(&shard).is_some_and(|records| records.contains(&(number, body.clone())))
    };
    if kept {
        for (done, body) in &promised.acked {
            assert!(has(done.shard, done.number, body), "{body} was acknowledged");
        }
        for (shard, number, body) in &promised.seen {
            assert!(has(*shard, *number, body), "{body} was read");
        }
    }
    // And it goes on, behind everything.
    let last = there.values().flatten().map(|(number, _)| *number).max();
    for hash in [0, HALF] {
        let done = clicks.put(PutRecord::new("k", "new").explicit_hash_key(hash)).await.unwrap();
        let before = there[&done.shard].last().map(|(number, _)| *number);
        assert!(Some(done.number) > before, "{last:?}");
    }
}

fn run_until(point: CrashPoint, durability: Durability, can_block: bool) -> (Arc<CrashStorage>, Promised) {
    let store = CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point);
    let (store, mut promised) = (Arc::new(store), Promised::default());
    let ended = block_on(script(&store, durability, &mut promised));
    assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
    (store, promised)
}

fn sweep(durability: Durability, can_block: bool) {
    let (store, promised) = run_until(CrashPoint::Never, durability, can_block);
    assert_eq!((promised.acked.len(), promised.next), (36, 36));
    let whole = promised.whole.clone();
    block_on(check(&store, Survive::Kill, true, &promised, &whole));
    let commits = store.commits();
    assert!(commits > 15, "the script commits often enough to be worth sweeping: {commits}");
    for number in 0..commits {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let (store, promised) = run_until(point, durability, can_block);
            block_on(check(&store, Survive::Kill, true, &promised, &whole));
            for unsynced in [0, 1, 3] {
                let kept = durability == Durability::Synced;
                block_on(check(&store, Survive::PowerCut { unsynced }, kept, &promised, &whole));
            }
        }
    }
}

#[test]
fn is4_a_shard_is_a_prefix_after_a_crash_at_any_commit() {
    sweep(Durability::Synced, false);
    sweep(Durability::Buffered, false);
}

#[test]
fn is4_a_shard_is_a_prefix_after_a_crash_of_a_store_that_blocks() {
    sweep(Durability::Synced, true);
    sweep(Durability::Buffered, true);
}
