//! What the stream tests share: putting and reading in short spellings, and a stream behind a gate.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Error, LocalStream, PutOutcome, PutRecord, Record, Records, Result, ShardFilter, ShardId,
    StartingPosition, storage::faults::Gate, storage::faults::SlowStorage,
};
use broker_mem::MemStorage;

use crate::support::{World, settle_down};

/// The middle of the space of hash keys.
pub(crate) const HALF: u128 = 1 << 127;

/// A broker with a stream of so many shards.
pub(crate) async fn stream(world: &World, shards: u32) -> (Broker, LocalStream) {
    let broker = world.broker().await;
    let stream = broker.stream("clicks").shards(shards).await.unwrap();
    (broker, stream)
}

/// The broker closed and opened again, and its stream.
pub(crate) async fn reopened(world: &World, broker: Broker) -> (Broker, LocalStream) {
    broker.close().await.unwrap();
    drop(broker);
    let broker = world.broker().await;
    let stream = broker.open_stream("clicks").await.unwrap();
    (broker, stream)
}

/// A record in the first shard of a stream that was not split yet, or at this hash key.
pub(crate) fn at_hash(hash: u128, text: impl Into<String>) -> PutRecord {
    PutRecord::new("k", text.into()).explicit_hash_key(hash)
}

pub(crate) async fn put(stream: &LocalStream, key: &str, text: &str) -> PutOutcome {
    stream.put(PutRecord::new(key, text.to_owned())).await.unwrap()
}

/// Puts the numbers of a range in one batch.
pub(crate) async fn put_numbers(
    stream: &LocalStream,
    hash: u128,
    range: std::ops::Range<usize>,
) -> Vec<PutOutcome> {
    let records = range.map(|n| at_hash(hash, n.to_string())).collect();
    stream.put_batch(records).await.unwrap().into_iter().map(Result::unwrap).collect()
}

/// One read from a position, of up to 1,000 records.
pub(crate) async fn read_from(stream: &LocalStream, shard: ShardId, from: StartingPosition) -> Records {
    let iterator = stream.iterator(shard, from).await.unwrap();
    stream.read(&iterator, 1_000).await.unwrap()
}

/// Everything from a position on, in small reads, and what the last one said.
pub(crate) async fn read_on(
    stream: &LocalStream,
    shard: ShardId,
    from: StartingPosition,
) -> (Vec<Record>, Records) {
    let mut iterator = stream.iterator(shard, from).await.unwrap();
    let mut all = Vec::new();
    loop {
        let mut found = stream.read(&iterator, 3).await.unwrap();
        let caught_up = found.records.is_empty() && found.millis_behind_latest == 0;
        all.append(&mut found.records);
        match found.next {
            Some(next) if !caught_up => iterator = next,
            _ => return (all, found),
        }
    }
}

/// The bodies of everything from a position on.
pub(crate) async fn bodies(stream: &LocalStream, shard: ShardId, from: StartingPosition) -> Vec<String> {
    read_on(stream, shard, from).await.0.iter().map(body).collect()
}

/// All that a shard has.
pub(crate) async fn whole(stream: &LocalStream, shard: ShardId) -> Vec<String> {
    bodies(stream, shard, StartingPosition::TrimHorizon).await
}

/// Everything in a stream, shard by shard, parents first.
pub(crate) async fn replay(stream: &LocalStream) -> Vec<Record> {
    let mut all = Vec::new();
    for shard in stream.shards(ShardFilter::FromTrimHorizon).await.unwrap() {
        all.append(&mut read_on(stream, shard.id, StartingPosition::TrimHorizon).await.0);
    }
    all
}

pub(crate) fn body(record: &Record) -> String {
    String::from_utf8(record.data.to_vec()).unwrap()
}

pub(crate) fn texts(records: &Records) -> Vec<String> {
    records.records.iter().map(body).collect()
}

/// Numbers as bodies.
pub(crate) fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// Whether the call was refused because of this parameter.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(outcome: Result<T>, parameter: &str) {
    match outcome {
        Err(Error::InvalidParameter { field, .. }) => assert_eq!(field, parameter),
        other => panic!("{parameter} should have been refused: {other:?}"),
    }
}

/// A gate that is open when its test has failed, or the runtime would wait for the commits behind it.
pub(crate) struct Door(Gate);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl std::ops::Deref for Door {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

/// A stream on a store in memory whose commits can be held.
pub(crate) async fn gated(shards: u32) -> (Door, LocalStream) {
    let gate = Gate::new();
    let slow = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let broker = Broker::builder(slow).seed(7).open().await.unwrap();
    let stream = broker.stream("clicks").shards(shards).await.unwrap();
    // The clean-up that comes with the first record.
    stream.put(at_hash(0, "first")).await.unwrap();
    settle_down().await;
    (Door(gate), stream)
}

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
