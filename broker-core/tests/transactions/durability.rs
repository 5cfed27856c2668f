//! What the commit of a transaction survives: the most that anything in it asks for, or what it was told.

use std::sync::Arc;

use broker_core::{
    Broker, LocalQueue, Outcome, SendMessage, Sent,
    storage::{
        Durability,
        faults::{CrashStorage, Survive},
    },
};
use broker_mem::MemStorage;

use crate::support::{block_on, take_one};

/// What a crash would leave now: messages in the queue and in its dead-letter queue, and keys.
async fn left(store: &CrashStorage, survive: Survive) -> (u64, u64, u64) {
    let left = store.restart(survive, Arc::new(MemStorage::new())).unwrap();
    let broker = Broker::builder_on(Arc::new(left)).seed(3).open().await.unwrap();
    let total = async |queue: LocalQueue| queue.counters().await.unwrap().total();
    let (queue, dead) = (broker.queue("q").await.unwrap(), broker.queue("dead").await.unwrap());
    let keys = broker.space("s").await.unwrap().stats().await.unwrap().keys;
    (total(queue).await, total(dead).await, keys)
}

// T5
#[test]
fn a_commit_survives_what_it_is_to_survive() {
    const CUT: Survive = Survive::PowerCut { unsynced: 0 };
    block_on(async {
        let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
        let broker = Broker::builder_on(store.clone()).seed(3).open().await.unwrap();
        let space = broker.space("s").await.unwrap();
        broker.queue("dead").durability(Durability::Memory).await.unwrap();
        let queue = broker.queue("q").durability(Durability::Memory).dead_letter("dead", 5).await.unwrap();
        queue.send("a").await.unwrap();
        let got = take_one(&queue).await;

        let mut tx = broker.transaction();
        tx.send(&queue, "b").unwrap();
        tx.commit().await.unwrap();
        assert_eq!(left(&store, Survive::Kill).await, (1, 0, 0), "these queues ask for nothing");
        let mut tx = broker.transaction();
        tx.dead_letter(&queue, got.receipt, "why").unwrap();
        tx.commit().await.unwrap();
        assert_eq!(left(&store, Survive::Kill).await, (1, 1, 0), "a move is never less than a receive");
        assert_eq!(left(&store, CUT).await, (0, 0, 0));
        let mut tx = broker.transaction();
        tx.send(&queue, "c").unwrap();
        tx.put(&space, "k", "v").unwrap();
        tx.commit().await.unwrap();
        assert_eq!(left(&store, CUT).await, (2, 1, 1), "a key asks for all");

        let mut tx = broker.transaction();
        tx.put(&space, "l", "v").unwrap();
        tx.durability(Durability::Memory);
        tx.commit().await.unwrap();
        assert_eq!(left(&store, Survive::Kill).await, (2, 1, 1), "it was told less");
        let mut tx = broker.transaction();
        tx.send(&queue, "d").unwrap();
        tx.durability(Durability::Synced);
        tx.commit().await.unwrap();
        assert_eq!(left(&store, CUT).await, (3, 1, 2), "it was told more");
    });
}

/// An answer that says that a message is there already is as good as one that says that it was sent.
// T9
#[test]
fn a_duplicate_is_as_durable_as_what_it_stands_for() {
    block_on(async {
        let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
        let broker = Broker::builder_on(store.clone()).seed(3).open().await.unwrap();
        let queue = broker.queue("q.fifo").fifo().durability(Durability::Memory).await.unwrap();
        let message = SendMessage::new("m").group_id("g").deduplication_id("1");
        queue.send(message.clone()).await.unwrap();
        let mut tx = broker.transaction();
        tx.send(&queue, message).unwrap();
        tx.durability(Durability::Synced);
        assert!(matches!(
            tx.commit().await.unwrap().outcomes[0],
            Outcome::Sent(Sent { duplicate: true, .. })
        ));
        let left = store.restart(Survive::PowerCut { unsynced: 0 }, Arc::new(MemStorage::new())).unwrap();
        let broker = Broker::builder_on(Arc::new(left)).seed(3).open().await.unwrap();
        let left = broker.queue("q.fifo").fifo().await.unwrap().counters().await.unwrap();
        assert_eq!(left.total(), 1);
    });
}
