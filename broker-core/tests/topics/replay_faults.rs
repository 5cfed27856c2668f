//! Replays that fail, and others that begin meanwhile. IG4, N84.

use std::{io, ops::Range, sync::Arc};

use broker_core::{
    Broker, ReplayStatus,
    storage::{Batch, Durability, Page, Profile, Storage, StorageError},
};
use broker_mem::MemStorage;
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;

use crate::{
    replay::all,
    support::settle_down,
    topic_support::{bodies, numbered, publish_all},
};

type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A store whose next read of rows fails if something is to happen meanwhile.
struct FailsOnce(MemStorage, Meanwhile);

impl Storage for FailsOnce {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.0.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.0.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let meanwhile = self.1.lock().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
            return Err(StorageError::io("reading", io::Error::other("once")));
        }
        self.0.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.0.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.0.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.0.room(bytes)
    }

    fn profile(&self) -> Profile {
        self.0.profile()
    }
}

/// The failure of one replay is not that of the next.
#[tokio::test(start_paused = true)]
async fn ig4_a_replay_that_fails_does_not_end_the_one_that_took_its_place() {
    let meanwhile = Meanwhile::default();
    let broker = Broker::open(FailsOnce(MemStorage::new(), meanwhile.clone())).await.unwrap();
    let topic = broker.topic("a.fifo").fifo().archive_days(1).await.unwrap();
    publish_all(&topic, numbered("a", 0..150)).await;
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let id = topic.subscribe(&queue).raw_delivery(true).await.unwrap().id;
    // The archive is looked through once, which is a read too.
    settle_down().await;
    let again = topic.clone();
    *meanwhile.lock() = Some(Box::new(move || {
        again.start_replay(id, all()).now_or_never().expect("a store that cannot block").unwrap();
    }));
    topic.start_replay(id, all()).await.unwrap();
    for _ in 0..10 {
        settle_down().await;
    }
    let status = topic.subscription(id).await.unwrap().replay.unwrap().status;
    assert_eq!(status, ReplayStatus::Completed);
    assert_eq!(bodies(&queue).await, numbered("a", 0..150));
}
