//! Whatever is in the way of one operation rejects all of them, and says which one it was.

use std::time::Duration;

use broker_core::{
    Broker, Error, LocalQueue, OperationKind, PublishMessage, PutRecord, Reason, Rejection, SendMessage,
    Space, StartingPosition, Transaction,
};

use crate::support::{count, everywhere, failed, rejection, take, take_one};

/// What a transaction does besides: a message and a key that must not be there when it is rejected.
struct Witness {
    queue: LocalQueue,
    space: Space,
}

impl Witness {
    async fn new(broker: &Broker) -> Self {
        Self { queue: broker.queue("witness").await.unwrap(), space: broker.space("witness").await.unwrap() }
    }

    fn begin(&self, broker: &Broker) -> Transaction {
        let mut tx = broker.transaction();
        tx.send(&self.queue, "seen").unwrap();
        tx.put(&self.space, "seen", "yes").unwrap();
        tx
    }

    /// Commits, which must be rejected because of operation 2, and leave nothing.
    async fn rejected(&self, tx: Transaction, kind: OperationKind) -> Rejection {
        let why = rejection(tx.commit().await);
        assert_eq!((why.operation, why.kind), (2, kind), "{why}");
        assert_eq!(count(&self.queue).await, (0, 0, 0));
        assert_eq!(self.space.get("seen").await.unwrap(), None);
        Rejection::clone(&why)
    }
}

// T3
#[test]
fn a_stale_receipt() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let queue = broker.queue("q").visibility_timeout(Duration::from_secs(10)).await.unwrap();
        queue.send("m").await.unwrap();
        let first = take_one(&queue).await;
        tokio::time::advance(Duration::from_secs(11)).await;
        let second = take_one(&queue).await;
        for kind in [OperationKind::Ack, OperationKind::ChangeVisibility] {
            let mut tx = witness.begin(&broker);
            match kind {
                OperationKind::Ack => tx.ack(&queue, first.receipt).unwrap(),
                _ => tx.change_visibility(&queue, first.receipt, Duration::ZERO).unwrap(),
            };
            let why = witness.rejected(tx, kind).await;
            assert!(matches!(why.reason, Reason::ReceiptStale), "{why}");
        }
        assert_eq!(count(&queue).await, (0, 1, 0));
        let mut tx = witness.begin(&broker);
        tx.ack(&queue, second.receipt).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&queue).await, (0, 0, 0));
    });
}

// T3
#[test]
fn a_message_that_is_deleted_or_has_expired() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let queue = broker.queue("q").retention(Duration::from_secs(60)).await.unwrap();
        for body in ["deleted", "expired"] {
            queue.send(body).await.unwrap();
        }
        let got = take(&queue, 2).await;
        queue.delete(got[0].receipt).await.unwrap();
        let mut tx = witness.begin(&broker);
        tx.ack(&queue, got[0].receipt).unwrap();
        assert!(matches!(witness.rejected(tx, OperationKind::Ack).await.reason, Reason::MessageGone));
        let mut tx = witness.begin(&broker);
        tx.ack(&queue, got[1].receipt).unwrap();
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(matches!(witness.rejected(tx, OperationKind::Ack).await.reason, Reason::MessageGone));
    });
}

// T3
#[test]
fn an_expired_receipt_of_a_fifo_queue() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let queue = broker.queue("q.fifo").fifo().visibility_timeout(Duration::from_secs(10)).await.unwrap();
        queue.send(SendMessage::new("m").group_id("g").deduplication_id("1")).await.unwrap();
        let got = take_one(&queue).await;
        let mut tx = witness.begin(&broker);
        tx.ack(&queue, got.receipt).unwrap();
        tokio::time::advance(Duration::from_secs(11)).await;
        let why = witness.rejected(tx, OperationKind::Ack).await;
        assert!(matches!(failed(&why), Error::ReceiptHandleExpired { .. }), "{why}");
        assert_eq!(count(&queue).await, (1, 0, 0));
    });
}

// T3
#[test]
fn a_message_settled_twice_and_a_timeout_that_is_too_long() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let queue = broker.queue("q").await.unwrap();
        queue.send("m").await.unwrap();
        let got = take_one(&queue).await;
        let mut tx = broker.transaction();
        tx.ack(&queue, got.receipt).unwrap();
        tx.change_visibility(&queue, got.receipt, Duration::ZERO).unwrap();
        let why = rejection(tx.commit().await);
        assert_eq!((why.operation, why.kind), (1, OperationKind::ChangeVisibility));
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "receipt", .. }), "{why}");
        let mut tx = witness.begin(&broker);
        tx.change_visibility(&queue, got.receipt, Duration::from_secs(43_200)).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let why = witness.rejected(tx, OperationKind::ChangeVisibility).await;
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "timeout", .. }), "{why}");
        assert_eq!(count(&queue).await, (0, 1, 0));
    });
}

// T3
#[test]
fn a_message_that_is_too_large_by_now() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let queue = broker.queue("q").await.unwrap();
        let mut tx = witness.begin(&broker);
        tx.send(&queue, "x".repeat(2_000)).unwrap();
        let small = broker_core::QueueSettings { max_message_size: Some(1_024), ..Default::default() };
        queue.set_attributes(small).await.unwrap();
        let why = witness.rejected(tx, OperationKind::Send).await;
        assert!(matches!(failed(&why), Error::MessageTooLong { bytes: 2_000, max: 1_024 }), "{why}");
        assert_eq!(count(&queue).await, (0, 0, 0));
    });
}

// T3
#[test]
fn a_lost_lease_and_a_checkpoint_that_goes_back() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let clicks = broker.stream("clicks").shards(1).await.unwrap();
        for body in ["a", "b"] {
            clicks.put(PutRecord::new("k", body)).await.unwrap();
        }
        let start = StartingPosition::TrimHorizon;
        let lease = Duration::from_secs(10);
        let mut slow = clicks.consumer("g").lease(lease).start(start).await.unwrap();
        let (first, second) = (slow.next().await.unwrap(), slow.next().await.unwrap());
        let next = async || clicks.consumer_groups().await.unwrap()[0].leases[0].behind;

        let mut tx = broker.transaction();
        tx.checkpoint(&second).unwrap();
        tx.checkpoint(&first).unwrap();
        let why = rejection(tx.commit().await);
        assert_eq!((why.operation, why.kind), (1, OperationKind::Checkpoint));
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "checkpoint", .. }), "{why}");
        assert_eq!(next().await, 2, "not even the first one");
        let mut tx = broker.transaction();
        tx.checkpoint(&first).unwrap();
        tx.checkpoint(&second).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(next().await, 0);
        let mut tx = witness.begin(&broker);
        tx.checkpoint(&first).unwrap();
        let why = witness.rejected(tx, OperationKind::Checkpoint).await;
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "checkpoint", .. }), "{why}");

        let mut tx = witness.begin(&broker);
        tx.checkpoint(&second).unwrap();
        let why = witness.rejected(tx, OperationKind::Checkpoint).await;
        assert!(failed(&why).to_string().contains("is consumed already"), "not twice: {why}");

        clicks.put(PutRecord::new("k", "c")).await.unwrap();
        let third = slow.next().await.unwrap();
        tokio::time::advance(lease * 2).await;
        let mut other = clicks.consumer("g").lease(lease).start(start).await.unwrap();
        assert_eq!(&other.next().await.unwrap().data[..], b"c", "another worker has the shard now");
        let mut tx = witness.begin(&broker);
        tx.checkpoint(&third).unwrap();
        let why = witness.rejected(tx, OperationKind::Checkpoint).await;
        assert!(matches!(failed(&why), Error::LeaseLost { .. }), "{why}");
        assert_eq!(next().await, 1);
    });
}

/// What a rejected transaction would have taken of the allowance of a shard is not gone.
// T3
#[test]
fn a_shard_that_is_full_for_this_second() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let clicks = broker.stream("clicks").shards(1).throttled().await.unwrap();
        let record = |bytes: usize| PutRecord::new("k", vec![b'x'; bytes - 1]);
        let half = 512 * 1024;
        for _ in 0..2 {
            let mut tx = broker.transaction();
            for _ in 0..3 {
                tx.put_record(&clicks, record(half)).unwrap();
            }
            let why = rejection(tx.commit().await);
            assert_eq!((why.operation, why.kind), (2, OperationKind::PutRecord));
            assert!(matches!(failed(&why), Error::ProvisionedThroughputExceeded { .. }), "{why}");
        }
        let mut tx = broker.transaction();
        tx.put_record(&clicks, record(half)).unwrap();
        tx.put_record(&clicks, record(half)).unwrap();
        tx.commit().await.unwrap();
        let mut tx = witness.begin(&broker);
        tx.put_record(&clicks, record(half)).unwrap();
        witness.rejected(tx, OperationKind::PutRecord).await;
    });
}

// T3
#[test]
fn what_is_gone() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let (queue, topic) = (broker.queue("q").await.unwrap(), broker.topic("t").await.unwrap());
        let (stream, space) = (broker.stream("s").await.unwrap(), broker.space("k").await.unwrap());
        let begin = || witness.begin(&broker);
        let (mut send, mut publish, mut put) = (begin(), begin(), begin());
        let (mut write, mut read) = (begin(), begin());
        send.send(&queue, "m").unwrap();
        publish.publish(&topic, "m").unwrap();
        put.put_record(&stream, PutRecord::new("k", "r")).unwrap();
        write.put(&space, "k", "v").unwrap();
        read.get(&space, "k").await.unwrap();
        broker.delete_queue("q").await.unwrap();
        broker.delete_topic("t").await.unwrap();
        broker.delete_stream("s").await.unwrap();
        broker.delete_space("k").await.unwrap();
        // Another one of the name is another one.
        broker.queue("q").await.unwrap();

        let why = witness.rejected(send, OperationKind::Send).await;
        assert!(matches!(failed(&why), Error::QueueDoesNotExist { .. }), "{why}");
        let why = witness.rejected(publish, OperationKind::Publish).await;
        assert!(matches!(failed(&why), Error::TopicDoesNotExist { .. }), "{why}");
        let why = witness.rejected(put, OperationKind::PutRecord).await;
        assert!(matches!(failed(&why), Error::StreamDoesNotExist { .. }), "{why}");
        let why = witness.rejected(write, OperationKind::Put).await;
        assert!(matches!(failed(&why), Error::SpaceDoesNotExist { .. }), "{why}");
        let why = witness.rejected(read, OperationKind::Get).await;
        assert!(matches!(failed(&why), Error::SpaceDoesNotExist { .. }), "{why}");
    });
}

/// A queue that only a subscription names may come and go: who gets a message is decided at the commit.
#[test]
fn a_queue_of_a_subscription_that_is_gone_is_no_reason() {
    everywhere(&async |_, broker| {
        let topic = broker.topic("t").await.unwrap();
        let (gone, kept) = (broker.queue("gone").await.unwrap(), broker.queue("kept").await.unwrap());
        topic.subscribe(&gone).await.unwrap();
        let mut tx = broker.transaction();
        tx.publish(&topic, "m").unwrap();
        broker.delete_queue("gone").await.unwrap();
        topic.subscribe(&kept).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&kept).await, (1, 0, 0));
    });
}

// T3
#[test]
fn a_publish_without_a_deduplication_id_by_then() {
    everywhere(&async |_, broker| {
        let witness = Witness::new(&broker).await;
        let topic = broker.topic("t.fifo").fifo().await.unwrap();
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let mut tx = witness.begin(&broker);
        tx.publish(&topic, PublishMessage::new("m").group_id("g")).unwrap();
        let why = witness.rejected(tx, OperationKind::Publish).await;
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "deduplication_id", .. }), "{why}");
        let mut tx = witness.begin(&broker);
        tx.send(&queue, SendMessage::new("m").group_id("g")).unwrap();
        let why = witness.rejected(tx, OperationKind::Send).await;
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "deduplication_id", .. }), "{why}");
    });
}
