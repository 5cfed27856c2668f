//! Putting, splitting and merging, and a crash at every commit: the shards cover the space, what was acknowledged is there
//! under its number, a shard is a prefix of what was tried, and nothing that a reader has seen is gone. IS1, IS2, IS4.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::{
    LocalStream, PutOutcome, PutRecord, Record, RecordNumber, Result, ShardFilter, ShardId, StartingPosition,
    storage::{
        Durability,
        faults::{CrashPoint, CrashStorage, Survive},
    },
};
use futures_util::future::{join, join_all};

use crate::points::{open, reopen, run_until, sweep};

const HALF: u128 = 1 << 127;

/// What is in each shard: numbers and bodies.
type Shards = BTreeMap<ShardId, Vec<(RecordNumber, String)>>;

/// A record that was read: its shard, its number and its body.
type Seen = (ShardId, RecordNumber, String);

/// What was promised before the crash.
#[derive(Default)]
struct Promised {
    /// Puts that were acknowledged.
    acked: Vec<(PutOutcome, String)>,
    /// What a reader has seen.
    seen: Vec<Seen>,
    /// Shards whose making was acknowledged, or that a reader was told of.
    made: Vec<ShardId>,
    /// What the whole script put into each shard, if it came to its end.
    whole: Shards,
    next: usize,
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
    // A reader looks while they are on their way.
    let putting = join_all(at_once.iter().map(|(record, _)| clicks.put(record.clone())));
    let (done, seen) = join(putting, see(clicks, &mut promised.seen, &mut promised.made)).await;
    seen?;
    for (done, (_, body)) in done.into_iter().zip(at_once) {
        promised.acked.push((done?, body));
    }
    let batch: Vec<_> = (0..3).map(|_| promised.record()).collect();
    let done = clicks.put_batch(batch.iter().map(|(record, _)| record.clone()).collect()).await?;
    for (done, (_, body)) in done.into_iter().zip(batch) {
        promised.acked.push((done?, body));
    }
    see(clicks, &mut promised.seen, &mut promised.made).await
}

/// A reader that begins with the oldest shards and follows what it is told of.
async fn see(clicks: &LocalStream, seen: &mut Vec<Seen>, made: &mut Vec<ShardId>) -> Result<()> {
    let mut left = vec![ShardId(0), ShardId(1)];
    while let Some(shard) = left.pop() {
        let mut at = Some(clicks.iterator(shard, StartingPosition::TrimHorizon).await?);
        while let Some(iterator) = at {
            let found = clicks.read(&iterator, 2).await?;
            let nothing = found.records.is_empty();
            seen.extend(found.records.iter().map(|record| (shard, record.number, body(record))));
            made.extend(&found.child_shards);
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
    let broker = reopen(store, survive).await;
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

fn sweep_all(durability: Durability, can_block: bool) {
    let script =
        async |store: &Arc<CrashStorage>, promised: &mut Promised| script(store, durability, promised).await;
    let (store, promised) = run_until(CrashPoint::Never, can_block, script);
    assert_eq!((promised.acked.len(), promised.next), (36, 36));
    let whole = promised.whole;
    let check = async |store: &CrashStorage, survive: Survive, promised: &Promised| {
        let kept = durability == Durability::Synced || survive == Survive::Kill;
        check(store, survive, kept, promised, &whole).await;
    };
    sweep((store.commits(), 16), can_block, &script, &check);
}

#[test]
fn is4_a_shard_is_a_prefix_after_a_crash_at_any_commit() {
    sweep_all(Durability::Synced, false);
    sweep_all(Durability::Buffered, false);
}

#[test]
fn is4_a_shard_is_a_prefix_after_a_crash_of_a_store_that_blocks() {
    sweep_all(Durability::Synced, true);
    sweep_all(Durability::Buffered, true);
}
