//! What the parts share: stores, streams, and writers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_core::{
    Broker, LocalStream, PutRecord,
    storage::{Batch, Durability, Page, Storage},
};
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const BODY_BYTES: usize = 1024;
/// What is stored around a body: a head, and the partition key with its length.
pub(crate) const ROW_BYTES: usize = BODY_BYTES + 40;
pub(crate) const SHARDS: u32 = 4;

/// Makes an empty store, and returns what must outlive it.
pub(crate) type MakeStore = fn() -> (Arc<dyn Storage>, Option<TempDir>);

pub(crate) fn in_memory() -> (Arc<dyn Storage>, Option<TempDir>) {
    (Arc::new(MemStorage::new()), None)
}

pub(crate) fn on_sled() -> (Arc<dyn Storage>, Option<TempDir>) {
    let directory = tempfile::tempdir().expect("a directory");
    (Arc::new(SledStorage::open(directory.path().join("store")).expect("open sled")), Some(directory))
}

/// A stream on a store, whose puts are synced if the store can.
pub(crate) async fn open(store: Arc<dyn Storage>, shards: u32) -> (Broker, LocalStream) {
    let broker = Broker::builder_on(store).open().await.expect("open");
    let stream = broker.stream("bench").shards(shards).await.expect("stream");
    (broker, stream)
}

/// Puts so many records, in batches.
pub(crate) async fn fill(stream: &LocalStream, records: usize, data: Bytes) {
    let numbers: Vec<usize> = (0..records).collect();
    for batch in numbers.chunks(500) {
        let batch = batch.iter().map(|n| PutRecord::new(n.to_string(), data.clone())).collect();
        let puts = stream.put_batch(batch).await.expect("put");
        puts.into_iter().collect::<Result<Vec<_>, _>>().expect("every record");
    }
}

/// So many puts, by so many writers at once.
pub(crate) fn put(runtime: &Runtime, stream: &LocalStream, writers: u64, puts: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(puts));
    let data = Bytes::from(vec![b'x'; BODY_BYTES]);
    in_tasks(runtime, writers, |writer| {
        let (stream, left, data) = (stream.clone(), left.clone(), data.clone());
        async move {
            while take(&left) {
                let record = PutRecord::new(format!("writer-{writer}"), data.clone());
                stream.put(record).await.expect("put");
            }
        }
    })
}

/// So many commits of a row each to the engine itself, by so many tasks at once.
pub(crate) fn commit(runtime: &Runtime, store: &Arc<dyn Storage>, tasks: u64, rows: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(rows));
    in_tasks(runtime, tasks, |task| {
        let (store, left) = (store.clone(), left.clone());
        async move {
            let (mut seq, mut batch) = (0, Batch::new());
            while take(&left) {
                batch.put_row(task, seq, vec![b'x'; ROW_BYTES]);
                batch.put_meta(&task.to_be_bytes(), &[0; 56]);
                store.commit(&batch, Durability::Synced).expect("commit");
                batch.clear();
                seq += 1;
            }
        }
    })
}

fn in_tasks<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> Duration {
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks).map(|number| runtime.spawn(task(number))).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("a task of the bench");
        }
    });
    start.elapsed()
}

fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// The partitions that have rows, each with its first one.
pub(crate) fn first_rows(store: &dyn Storage) -> Vec<(u64, Bytes)> {
    // Ids are given out from one on, and the broker has one stream.
    let first = |partition: u64| {
        let rows = store.rows(partition, 0..u64::MAX, Page { entries: 1, bytes: 1 }).expect("a scan");
        rows.into_iter().next().map(|(_, row)| (partition, row))
    };
    (0..64).filter_map(first).collect()
}
