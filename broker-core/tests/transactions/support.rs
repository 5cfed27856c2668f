//! Where the tests run: every kind of store, virtual time, and what they ask again and again.

use std::{future::Future, sync::Arc, time::Duration};

use broker_core::{
    Broker, Error, LocalQueue, MemoryBounds, Message, Reason, ReceiveOptions, Rejection,
    storage::{Storage, faults::CrashStorage},
};
use broker_mem::MemStorage;
use tempfile::TempDir;

use crate::disk::Disk;

/// Almost nothing stays in memory.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 2, delayed: 2, staged: 2, staged_bytes: 64, searched: 4 };

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In memory, commits on the caller's thread.
    Inline,
    /// In memory, commits and reads on other threads.
    Blocking,
    Disk(Disk),
}

pub(crate) const KINDS: [Kind; 4] =
    [Kind::Inline, Kind::Blocking, Kind::Disk(Disk::Log), Kind::Disk(Disk::Sled)];

/// A store that can be opened again.
pub(crate) struct Ground {
    pub(crate) kind: Kind,
    memory: MemStorage,
    blocking: Arc<CrashStorage>,
    directory: TempDir,
}

impl Ground {
    pub(crate) fn new(kind: Kind) -> Self {
        let blocking = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
        Self { kind, memory: MemStorage::new(), blocking, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn store(&self) -> Arc<dyn Storage> {
        match self.kind {
            Kind::Inline => Arc::new(self.memory.clone()),
            Kind::Blocking => self.blocking.clone(),
            Kind::Disk(disk) => disk.open(&self.directory.path().join("store")),
        }
    }

    /// A broker on the store, one at a time.
    pub(crate) async fn open(&self) -> Broker {
        Broker::builder_on(self.store()).seed(3).open().await.unwrap()
    }
}

/// Runs a test on virtual time.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// Runs a test on every kind of store.
pub(crate) fn everywhere(test: &impl AsyncFn(&Ground, Broker)) {
    for kind in KINDS {
        println!("on {kind:?}");
        block_on(async {
            let ground = Ground::new(kind);
            let broker = ground.open().await;
            test(&ground, broker).await;
        });
    }
}

/// Receives without waiting.
pub(crate) async fn take(queue: &LocalQueue, max: usize) -> Vec<Message> {
    queue.receive(ReceiveOptions::up_to(max).wait_time(Duration::ZERO)).await.unwrap()
}

/// Receives one message, which must be there.
pub(crate) async fn take_one(queue: &LocalQueue) -> Message {
    take(queue, 1).await.pop().expect("there is a message")
}

/// How many messages can be received, are in flight, and are delayed.
pub(crate) async fn count(queue: &LocalQueue) -> (u64, u64, u64) {
    let counters = queue.counters().await.unwrap();
    (counters.visible, counters.in_flight, counters.delayed)
}

/// Why a transaction was rejected.
#[track_caller]
pub(crate) fn rejection<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Arc<Rejection> {
    match outcome {
        Err(Error::TransactionRejected(why)) => why,
        other => panic!("not rejected: {other:?}"),
    }
}

/// The error that an operation would have failed with by itself.
#[track_caller]
pub(crate) fn failed(why: &Rejection) -> &Error {
    match &why.reason {
        Reason::Failed(error) => {
            let source = std::error::Error::source(why).map(ToString::to_string);
            assert_eq!(source, Some(error.to_string()), "what reports of it say");
            error
        }
        other => panic!("another reason: {other:?}"),
    }
}
