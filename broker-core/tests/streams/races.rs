//! A read of storage, and what happens to its rows before they are read: they expire and are trimmed, or the stream goes. IS3,
//! IS6.

use std::{ops::Range, sync::Arc};

use broker_core::{
    Broker, Error, LocalStream, MemoryBounds, Records, Result, ShardId, StartingPosition, StreamSettings,
    storage::{Batch, Durability, Page, Profile, Storage, StorageError},
};
use broker_mem::MemStorage;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::task::JoinHandle;

use crate::{
    ground::{DAY, numbered, put_numbers, texts},
    support::{advance, settle_down},
};

/// A store that can block, and whose next large read of rows waits before it reads. Clones are the same store.
#[derive(Clone)]
struct HeldBefore {
    store: MemStorage,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    HoldNext,
    Held,
}

impl HeldBefore {
    fn set(&self, state: State) {
        *self.shared.0.lock() = state;
        self.shared.1.notify_all();
    }

    async fn held(&self) {
        while *self.shared.0.lock() != State::Held {
            tokio::task::yield_now().await;
        }
    }
}

/// Lets go on what is held, also if the test has failed.
struct Release(HeldBefore);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.set(State::Open);
    }
}

impl Storage for HeldBefore {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.store.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.store.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        // Searches read one row at a time.
        if page.entries > 1 {
            let mut state = self.shared.0.lock();
            if *state == State::HoldNext {
                *state = State::Held;
                self.shared.1.notify_all();
                self.shared.1.wait_while(&mut state, |state| *state == State::Held);
            }
        }
        self.store.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.store.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.store.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.store.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: true, ..self.store.profile() }
    }
}

/// Ten old records and five new ones, and a read of the old ones that waits before it reads them.
async fn held() -> (HeldBefore, Release, Broker, LocalStream, JoinHandle<Result<Records>>) {
    let store = HeldBefore { store: MemStorage::new(), shared: Arc::default() };
    let little = MemoryBounds { staged_bytes: 1, ..MemoryBounds::default() };
    let broker = Broker::builder(store.clone()).memory(little).seed(7).open().await.unwrap();
    let clicks = broker.stream("clicks").shards(1).retention(3 * DAY).await.unwrap();
    put_numbers(&clicks, 0, 0..10).await;
    settle_down().await;
    advance(2 * DAY).await;
    put_numbers(&clicks, 0, 10..15).await;
    settle_down().await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let at = clicks.read(&at, 2).await.unwrap().next.unwrap();
    store.set(State::HoldNext);
    let reading = tokio::spawn({
        let clicks = clicks.clone();
        async move { clicks.read(&at, 3).await }
    });
    store.held().await;
    (store.clone(), Release(store), broker, clicks, reading)
}

/// Trimmed rows are no damage: the read goes on behind them, and says what it missed.
#[tokio::test(start_paused = true)]
async fn is6_rows_that_are_trimmed_before_they_are_read_are_missed() {
    let (store, _release, _broker, clicks, reading) = held().await;
    let shorter = StreamSettings { retention: Some(DAY), ..Default::default() };
    clicks.set_attributes(shorter).await.unwrap();
    let all = Page { entries: 100, bytes: usize::MAX };
    while store.store.rows(3, 0..100, all).unwrap().len() > 5 {
        tokio::task::yield_now().await;
    }
    store.set(State::Open);
    let found = reading.await.unwrap().unwrap();
    assert_eq!((texts(&found), found.missed), (numbered(10..13), 8));
}

#[tokio::test(start_paused = true)]
async fn is3_a_stream_that_is_deleted_before_its_rows_are_read_is_gone() {
    let (store, _release, broker, _clicks, reading) = held().await;
    broker.delete_stream("clicks").await.unwrap();
    let all = Page { entries: 100, bytes: usize::MAX };
    while !store.store.rows(3, 0..100, all).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    store.set(State::Open);
    let error = reading.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::StreamDoesNotExist { .. }), "{error}");
}

/// A read that is held does not keep writers waiting, nor other readers.
#[tokio::test(start_paused = true)]
async fn is3_a_slow_historical_read_stalls_nobody() {
    let (store, _release, _broker, clicks, reading) = held().await;
    let mut tail = clicks.reader(ShardId(0), StartingPosition::Latest).await.unwrap();
    for n in 15..25 {
        put_numbers(&clicks, 0, n..n + 1).await;
        assert_eq!(tail.next().await.unwrap().unwrap().data, n.to_string());
    }
    assert!(!reading.is_finished());
    store.set(State::Open);
    assert_eq!(texts(&reading.await.unwrap().unwrap()), numbered(2..5));
}
