//! What most scenes begin with.

use std::time::Duration;

use broker_core::{
    Broker, Error, LocalQueue, ManualClock, MemoryBounds, Message, ReceiveOptions, storage::verify,
};
use broker_shuttle::Store;

/// When every clock starts.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;

/// Longer than any scene lasts on its clock: a receive that waits in vain never returns, and Shuttle says that it blocks.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(20);

/// A broker with memory for next to nothing, so that paging is part of the scene.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 1, delayed: 1, staged: 1, staged_bytes: 1, searched: 1 };

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
}

impl World {
    pub(crate) async fn open(store: Store) -> Self {
        Self::with_memory(store, MemoryBounds::default()).await
    }

    pub(crate) async fn with_memory(store: Store, memory: MemoryBounds) -> Self {
        let clock = ManualClock::new(BEGIN_MS);
        let builder = Broker::builder(store.clone()).clock(clock.clone()).memory(memory).seed(1);
        let broker = builder.open().await.expect("the store is a new one");
        Self { broker, clock, store }
    }

    pub(crate) async fn queue(&self) -> LocalQueue {
        self.broker.queue("q").await.expect("a queue can be made")
    }
}

/// A long poll for one message.
pub(crate) async fn receive_one(queue: LocalQueue) -> Result<Vec<Message>, Error> {
    queue.receive(ReceiveOptions::up_to(1).wait_time(FOR_EVER)).await
}

/// What all that is there says, in any order.
pub(crate) fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.text().expect("the scenes send texts").to_owned()).collect()
}

/// What is visible in a queue, in its order.
pub(crate) async fn contents(queue: &LocalQueue) -> Vec<String> {
    texts(&queue.receive(ReceiveOptions::up_to(10)).await.expect("the queue is there"))
}

/// Nothing in the store is damaged or belongs to nothing.
pub(crate) fn check(store: &Store) {
    let report = verify(store.as_it_is()).expect("the store can be read");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
