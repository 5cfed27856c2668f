//! What a transaction can do, and that nothing of it is there before it commits.

use std::time::Duration;

use broker_core::{
    Broker, Checkpoint, Endpoint, Outcome, PublishMessage, PutRecord, Rejection, ShardId, StartingPosition,
};

use crate::support::{count, everywhere, take, take_one};

// T1, T2
#[test]
fn everything_at_once_and_nothing_before() {
    everywhere(&async |ground, broker| {
        let (orders, parcels) =
            (broker.queue("orders").await.unwrap(), broker.queue("parcels").await.unwrap());
        let (news, audit) = (broker.topic("news").await.unwrap(), broker.queue("audit").await.unwrap());
        news.subscribe(&audit).raw_delivery(true).await.unwrap();
        news.subscribe(Endpoint::queue("parcels"))
            .raw_delivery(true)
            .filter_body(r#"{"kind": ["parcel"]}"#)
            .await
            .unwrap();
        let clicks = broker.stream("clicks").shards(1).await.unwrap();
        let totals = broker.space("totals").await.unwrap();
        for order in ["one", "two"] {
            orders.send(order).await.unwrap();
        }
        clicks.put(PutRecord::new("u", "first")).await.unwrap();
        let mut billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await.unwrap();
        let click = billing.next().await.unwrap();
        let got = take(&orders, 2).await;

        let fill = async |tx: &mut broker_core::Transaction| {
            assert_eq!(tx.ack(&orders, got[0].receipt).unwrap(), 0);
            tx.change_visibility(&orders, got[1].receipt, Duration::ZERO).unwrap();
            tx.send(&parcels, "a parcel").unwrap();
            tx.publish(&news, PublishMessage::new(r#"{"kind": "parcel"}"#)).unwrap();
            tx.publish(&news, PublishMessage::new(r#"{"kind": "letter"}"#)).unwrap();
            tx.put_record(&clicks, PutRecord::new("u", "second")).unwrap();
            tx.checkpoint(&click).unwrap();
            assert_eq!(tx.get(&totals, "count").await.unwrap(), None);
            tx.put(&totals, "count", "1").unwrap();
            assert_eq!(tx.delete(&totals, "never").unwrap(), 9);
        };
        let untouched = async || {
            assert_eq!((count(&orders).await, count(&parcels).await), ((0, 2, 0), (0, 0, 0)));
            assert_eq!(count(&audit).await, (0, 0, 0));
            assert_eq!(totals.stats().await.unwrap().keys, 0);
            assert_eq!(clicks.consumer_groups().await.unwrap()[0].leases[0].behind, 1);
        };
        let mut dropped = broker.transaction();
        fill(&mut dropped).await;
        untouched().await;
        drop(dropped);
        untouched().await;

        let mut tx = broker.transaction();
        fill(&mut tx).await;
        assert_eq!(tx.operations(), 10);
        assert_told(&tx.commit().await.unwrap().outcomes);
        assert_eq!((count(&orders).await, count(&parcels).await), ((1, 0, 0), (2, 0, 0)));
        assert_eq!(count(&audit).await, (2, 0, 0));
        assert_eq!(totals.get("count").await.unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(clicks.consumer_groups().await.unwrap()[0].leases[0].behind, 1);
        assert_eq!(&billing.next().await.unwrap().data[..], b"second");
        assert_eq!(take_one(&orders).await.text(), Ok("two"));

        broker.close().await.unwrap();
        drop((broker, orders, parcels, news, audit, clicks, totals, billing, click));
        let broker = ground.open().await;
        assert_survived(&broker).await;
    });
}

/// What becomes of each operation.
fn assert_told(outcomes: &[Outcome]) {
    let [Outcome::Done, Outcome::VisibleAt(_), Outcome::Sent(_), rest @ ..] = outcomes else {
        panic!("{outcomes:?}")
    };
    let [Outcome::Published(_), Outcome::Published(_), Outcome::Put(_), rest @ ..] = rest else {
        panic!("{outcomes:?}")
    };
    assert_eq!(rest, vec![Outcome::Done; 4]);
}

/// What is there after a restart.
async fn assert_survived(broker: &Broker) {
    let parcels = broker.open_queue("parcels").await.unwrap();
    let bodies: Vec<_> = take(&parcels, 10).await.iter().map(|one| one.text().unwrap().to_owned()).collect();
    assert_eq!(bodies, ["a parcel", r#"{"kind": "parcel"}"#]);
    let group = &broker.open_stream("clicks").await.unwrap().consumer_groups().await.unwrap()[0];
    assert_eq!(group.leases[0].behind, 1, "the first of two is consumed");
}

/// The commit wakes those who wait.
// T2
#[test]
fn waiting_receivers_and_readers_are_told() {
    everywhere(&async |_, broker| {
        let queue = broker.queue("q").await.unwrap();
        let stream = broker.stream("s").shards(1).await.unwrap();
        let mut consumer = stream.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
        let waiting = queue.clone();
        let received =
            tokio::spawn(async move { broker_core::QueueExt::recv(&waiting).await.map(|one| one.id) });
        let read = tokio::spawn(async move { consumer.next().await.map(|one| one.number) });
        tokio::task::yield_now().await;
        let mut tx = broker.transaction();
        tx.send(&queue, "m").unwrap();
        tx.put_record(&stream, PutRecord::new("k", "r")).unwrap();
        let outcomes = tx.commit().await.unwrap().outcomes;
        let Outcome::Sent(sent) = &outcomes[0] else { panic!("{outcomes:?}") };
        let Outcome::Put(put) = &outcomes[1] else { panic!("{outcomes:?}") };
        assert_eq!(received.await.unwrap().unwrap(), sent.id);
        assert_eq!(read.await.unwrap().unwrap(), put.number);
    });
}

/// The checkpoint behind the last record of a closed shard lets those begin that wait for its children.
// T2
#[test]
fn who_waits_for_the_children_of_a_shard_is_told() {
    everywhere(&async |_, broker| {
        let clicks = broker.stream("s").shards(1).await.unwrap();
        clicks.put(PutRecord::new("k", "of the parent")).await.unwrap();
        clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
        clicks.put(PutRecord::new("k", "of a child")).await.unwrap();
        let mut consumer = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
        let last = Checkpoint::from(&consumer.next().await.unwrap());
        let next = tokio::spawn(async move { consumer.next().await.map(|record| record.data.clone()) });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!next.is_finished());
        let mut tx = broker.transaction();
        tx.checkpoint(last).unwrap();
        tx.commit().await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(100), next).await;
        assert_eq!(&next.unwrap().unwrap().unwrap()[..], b"of a child");
    });
}

#[test]
fn an_empty_transaction_commits() {
    everywhere(&async |_, broker| {
        assert!(broker.transaction().commit().await.unwrap().outcomes.is_empty());
    });
}

/// A rejection reads as a sentence.
// T3
#[test]
fn a_rejection_says_which_operation_and_why() {
    let why = Rejection {
        operation: 3,
        kind: broker_core::OperationKind::Ack,
        reason: broker_core::Reason::ReceiptStale,
    };
    assert_eq!(why.to_string(), "operation 3 (ack): the message has been received again since");
}

/// Each checkpoint moves its own group.
// T2
#[test]
fn checkpoints_of_two_groups_of_one_stream() {
    everywhere(&async |_, broker| {
        let clicks = broker.stream("clicks").shards(1).await.unwrap();
        for data in ["first", "second"] {
            clicks.put(PutRecord::new("u", data)).await.unwrap();
        }
        let mut billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await.unwrap();
        let mut totals = clicks.consumer("totals").start(StartingPosition::TrimHorizon).await.unwrap();
        let mut tx = broker.transaction();
        tx.checkpoint(&billing.next().await.unwrap()).unwrap();
        totals.next().await.unwrap();
        tx.checkpoint(&totals.next().await.unwrap()).unwrap();
        tx.commit().await.unwrap();
        let groups = clicks.consumer_groups().await.unwrap();
        let behind: Vec<u64> = groups.iter().map(|group| group.leases[0].behind).collect();
        assert_eq!(behind, [1, 0]);
    });
}
