//! How the pipeline comes to its end: closed, left by its runtime, or by a panic of the engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use broker_core::{
    Broker, Certainty, Error, LocalQueue,
    storage::{Batch, Durability, Page, Profile, Storage, StorageError},
};
use broker_mem::MemStorage;
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;

/// Memory whose commits panic when told to, or each wait for a step if there are any.
#[derive(Clone, Default)]
struct Stepped {
    inner: MemStorage,
    can_block: bool,
    panics: Arc<AtomicBool>,
    steps: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

impl Storage for Stepped {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        assert!(!self.panics.load(Ordering::SeqCst), "the engine has a bug");
        if let Some(steps) = &*self.steps.lock() {
            // Without a sender, the commit goes on at once.
            _ = steps.recv();
        }
        self.inner.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.inner.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.inner.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.inner.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: self.can_block, ..self.inner.profile() }
    }
}

async fn opened(can_block: bool) -> (Arc<Stepped>, Broker, LocalQueue) {
    let store = Arc::new(Stepped { can_block, ..Stepped::default() });
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    (store, broker, queue)
}

#[tokio::test]
async fn a_panic_of_an_engine_stops_the_broker_where_commits_are_inline_too() {
    for can_block in [false, true] {
        let (store, _broker, queue) = opened(can_block).await;
        store.panics.store(true, Ordering::SeqCst);
        let sent = queue.send("a").await.unwrap_err();
        assert_eq!(sent.certainty(), Certainty::Indeterminate, "{sent}");
        store.panics.store(false, Ordering::SeqCst);
        assert!(matches!(queue.send("b").await, Err(Error::Poisoned(_))));
    }
}

#[test]
fn calls_end_with_an_error_when_the_runtime_of_the_broker_is_gone() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (_store, broker, queue) = runtime().block_on(opened(true));
    runtime().block_on(async {
        for stopped in [Certainty::Indeterminate, Certainty::Rejected, Certainty::Rejected] {
            let sent = tokio::time::timeout(Duration::from_secs(60), queue.send("a")).await;
            let error = sent.expect("nobody waits for ever").unwrap_err();
            assert_eq!(error.certainty(), stopped, "{error}");
        }
        assert!(matches!(broker.close().await, Err(Error::Poisoned(_))));
    });
}

#[tokio::test]
async fn a_close_that_is_dropped_lets_go_of_the_store_all_the_same() {
    let (store, broker, queue) = opened(true).await;
    let (step, steps) = mpsc::channel();
    *store.steps.lock() = Some(steps);
    let mut closing = Box::pin(broker.close());
    assert!(closing.as_mut().now_or_never().is_none(), "it flushes");
    while !store.steps.is_locked() {
        tokio::task::yield_now().await;
    }
    let mut send = Box::pin(queue.send("behind the flush"));
    assert!(send.as_mut().now_or_never().is_none());
    step.send(()).unwrap();
    while !matches!(queue.counters().now_or_never(), Some(Err(Error::Closed))) {
        assert!(closing.as_mut().now_or_never().is_none(), "it waits for the send");
        tokio::task::yield_now().await;
    }
    drop(closing);
    step.send(()).unwrap();
    send.await.unwrap();
    let released = async {
        while Arc::strong_count(&store) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), released).await.expect("the store is free");
}

/// Closed at any moment, a broker answers what it has taken and refuses the rest; it never leaves a call in doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_close_amid_sends_leaves_none_of_them_in_doubt() {
    for _ in 0..100 {
        let (_store, broker, queue) = opened(true).await;
        let sending = |_| {
            let queue = queue.clone();
            tokio::spawn(
                async move { while queue.send("m").await.map_err(|error| is_closed(&error)).is_ok() {} },
            )
        };
        let sends: Vec<_> = (0..6).map(sending).collect();
        tokio::task::yield_now().await;
        broker.close().await.unwrap();
        for send in sends {
            send.await.unwrap();
        }
        is_closed(&queue.send("late").await.unwrap_err());
    }
}

fn is_closed(error: &Error) {
    assert!(matches!(error, Error::Closed), "{error:?}");
}
