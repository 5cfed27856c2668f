//! How large a transaction may be, what is refused when it is staged, and a store that is full.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use broker_core::{
    Broker, Error, KEY_BYTES_MAX, Limits, PublishMessage, PutRecord, SendMessage, TransactionLimits,
    storage::{Batch, Durability, Page, Profile, Storage, StorageError},
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::support::{Ground, Kind, block_on, count};

/// A store in memory that says that it is full when it is told to.
pub(crate) struct FullStore(MemStorage, AtomicBool);

pub(crate) fn full_store() -> Arc<FullStore> {
    Arc::new(FullStore(MemStorage::new(), AtomicBool::new(false)))
}

impl FullStore {
    pub(crate) fn fill(&self, full: bool) {
        self.1.store(full, Ordering::SeqCst);
    }
}

impl Storage for FullStore {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.0.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.0.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.0.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.0.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.0.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StorageError::Full { bytes, place: "a test".into() });
        }
        self.0.room(bytes)
    }

    fn profile(&self) -> Profile {
        self.0.profile()
    }
}

async fn limited(operations_max: usize, bytes_max: usize) -> Broker {
    let transactions = TransactionLimits { operations_max, bytes_max, ..TransactionLimits::standard() };
    let limits = Limits { transactions, ..Limits::aws() };
    Broker::builder(MemStorage::new()).limits(limits).open().await.unwrap()
}

// T11
#[test]
fn so_many_operations_and_no_more() {
    block_on(async {
        let broker = limited(3, 1_000).await;
        let (queue, space) = (broker.queue("q").await.unwrap(), broker.space("s").await.unwrap());
        let mut tx = broker.transaction();
        tx.send(&queue, "m").unwrap();
        tx.get(&space, "k").await.unwrap();
        tx.put(&space, "k", "v").unwrap();
        let refused = tx.send(&queue, "one too many").unwrap_err();
        assert!(matches!(refused, Error::TooMany { max: 3, .. }), "{refused}");
        assert!(matches!(tx.get(&space, "k").await, Err(Error::TooMany { max: 3, .. })));
        assert!(matches!(tx.scan(&space, "", None, 1).await, Err(Error::TooMany { max: 3, .. })));
        assert!(matches!(tx.delete(&space, "k"), Err(Error::TooMany { max: 3, .. })));
        tx.commit().await.unwrap();
        assert_eq!(count(&queue).await, (1, 0, 0), "what was staged before stands");
    });
}

// T11
#[test]
fn so_many_bytes_and_no_more() {
    block_on(async {
        let broker = limited(100, 1_000).await;
        let (queue, space) = (broker.queue("q").await.unwrap(), broker.space("s").await.unwrap());
        let (topic, stream) = (broker.topic("t").await.unwrap(), broker.stream("c").await.unwrap());
        let mut tx = broker.transaction();
        tx.send(&queue, "x".repeat(900)).unwrap();
        let too_long = |refused: Result<usize, Error>| {
            assert!(matches!(refused, Err(Error::BatchTooLong { bytes: 1_001, max: 1_000 })), "{refused:?}");
        };
        too_long(tx.send(&queue, "x".repeat(101)));
        too_long(tx.publish(&topic, "x".repeat(101)));
        too_long(tx.put_record(&stream, PutRecord::new("k", "x".repeat(100))));
        too_long(tx.put(&space, "k", "x".repeat(100)));
        tx.put(&space, "k", "x".repeat(99)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!((count(&queue).await.0, space.stats().await.unwrap().keys), (1, 1));
    });
}

// T11
#[test]
fn bad_input_is_refused_when_it_is_staged_and_the_rest_stands() {
    block_on(async {
        let ground = Ground::new(Kind::Inline);
        let broker = ground.open().await;
        let (queue, fifo) = (broker.queue("q").await.unwrap(), broker.queue("q.fifo").fifo().await.unwrap());
        let (topic, stream) = (broker.topic("t").await.unwrap(), broker.stream("c").await.unwrap());
        let space = broker.space("s").await.unwrap();
        let mut tx = broker.transaction();
        assert!(matches!(tx.send(&queue, ""), Err(Error::MissingParameter { field: "body" })));
        assert!(tx.send(&fifo, SendMessage::new("no group")).is_err());
        assert!(matches!(tx.publish(&topic, PublishMessage::new("")), Err(Error::MissingParameter { .. })));
        assert!(tx.put_record(&stream, PutRecord::new("", "no key")).is_err());
        assert!(tx.put(&space, vec![0; KEY_BYTES_MAX + 1], "v").is_err());
        assert!(tx.get(&space, "").await.is_err());
        queue.send("m").await.unwrap();
        let receipt = crate::support::take_one(&queue).await.receipt;
        assert!(matches!(tx.ack(&fifo, receipt), Err(Error::ReceiptHandleIsInvalid { .. })));
        assert!(tx.change_visibility(&queue, receipt, std::time::Duration::from_secs(43_201)).is_err());
        assert_eq!(tx.operations(), 0);
        tx.ack(&queue, receipt).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&queue).await, (0, 0, 0));
    });
}

// T11
#[test]
fn what_belongs_to_another_broker_is_refused() {
    block_on(async {
        let (mine, other) = (Ground::new(Kind::Inline), Ground::new(Kind::Inline));
        let (broker, other) = (mine.open().await, other.open().await);
        let (queue, space) = (other.queue("q").await.unwrap(), other.space("s").await.unwrap());
        let (topic, stream) = (other.topic("t").await.unwrap(), other.stream("c").await.unwrap());
        let mut tx = broker.transaction();
        let field = |refused: Result<usize, Error>| match refused {
            Err(Error::InvalidParameter { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(tx.send(&queue, "m")), "queue");
        assert_eq!(field(tx.publish(&topic, "m")), "topic");
        assert_eq!(field(tx.put_record(&stream, PutRecord::new("k", "r"))), "stream");
        assert_eq!(field(tx.put(&space, "k", "v")), "space");
        assert_eq!(field(tx.get(&space, "k").await.map(|_| 0)), "space");
        assert_eq!(field(tx.scan(&space, "k", None, 1).await.map(|_| 0)), "space");
    });
}
