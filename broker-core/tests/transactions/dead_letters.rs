//! Messages that are given up in a transaction: they go to the dead-letter queue together with all else, or stay where they are.

use std::time::Duration;

use broker_core::{
    Broker, Error, Explanation, LocalQueue, OperationKind, QueueSettings, Reason, RedrivePolicy, Rejection,
    SendMessage, TransactionalQueue,
};

use crate::support::{Ground, KINDS, TINY, block_on, count, everywhere, failed, rejection, take, take_one};

/// A queue with a dead-letter queue, and a message in it.
async fn queues(broker: &Broker) -> [LocalQueue; 2] {
    let dead = broker.queue("dead").await.unwrap();
    let timeout = Duration::from_secs(10);
    let queue = broker.queue("q").visibility_timeout(timeout).dead_letter("dead", 5).await.unwrap();
    queue.send(SendMessage::new("m").group_id("tenant")).await.unwrap();
    [queue, dead]
}

// T2
#[test]
fn a_dead_letter_moves_together_with_the_rest() {
    everywhere(&async |ground, broker| {
        let [queue, dead] = queues(&broker).await;
        let space = broker.space("failures").await.unwrap();
        let got = take_one(&queue).await;
        let mut tx = broker.transaction();
        assert_eq!(tx.dead_letter(&queue, got.receipt, "no such customer").unwrap(), 0);
        tx.put(&space, "m", "1").unwrap();
        // What is sent to the dead-letter queue itself is no obstacle.
        tx.send(&dead, "by hand").unwrap();
        assert_eq!(
            (count(&queue).await, count(&dead).await),
            ((0, 1, 0), (0, 0, 0)),
            "nothing before the commit"
        );
        tx.commit().await.unwrap();
        assert!(matches!(queue.explain(got.id).await.unwrap(), Explanation::Moved { .. }));
        broker.close().await.unwrap();

        let broker = ground.open().await;
        let [queue, dead] = [broker.queue("q").await.unwrap(), broker.queue("dead").await.unwrap()];
        assert_eq!((count(&queue).await, count(&dead).await), ((0, 0, 0), (2, 0, 0)));
        let letters = take(&dead, 2).await;
        let letter = letters.iter().find(|letter| letter.text() == Ok("m")).unwrap();
        assert_eq!((letter.id, letter.group_id.as_deref()), (got.id, Some("tenant")));
        let why = letter.dead_letter.as_ref().unwrap();
        assert_eq!((&*why.source, why.receive_count), ("q", 1));
        assert_eq!(why.reason.as_deref(), Some("no such customer"));
        assert_eq!(broker.space("failures").await.unwrap().stats().await.unwrap().keys, 1);
    });
}

/// Where it went is known when it is gone there too.
// T2
#[test]
fn code_that_takes_any_queue_settles_as_the_queue_itself_does() {
    everywhere(&async |_, broker| {
        let [queue, dead] = queues(&broker).await;
        for body in ["second", "third"] {
            queue.send(body).await.unwrap();
        }
        let got = take(&queue, 3).await;
        let any: &dyn TransactionalQueue = &queue;
        let mut tx = any.broker().transaction();
        assert_eq!(any.ack_in(&mut tx, got[0].receipt).unwrap(), 0);
        let back = any.change_visibility_in(&mut tx, got[1].receipt, Duration::ZERO);
        assert_eq!(back.unwrap(), 1);
        assert_eq!(any.dead_letter_in(&mut tx, got[2].receipt, "why".into()).unwrap(), 2);
        tx.commit().await.unwrap();
        assert_eq!((count(&queue).await, count(&dead).await), ((1, 0, 0), (1, 0, 0)));
    });
}

// T2
#[test]
fn what_became_of_a_dead_letter_is_remembered() {
    everywhere(&async |_, broker| {
        let [queue, dead] = queues(&broker).await;
        let got = take_one(&queue).await;
        let mut tx = broker.transaction();
        tx.dead_letter(&queue, got.receipt, "why").unwrap();
        tx.commit().await.unwrap();
        dead.delete(take_one(&dead).await.receipt).await.unwrap();
        let became = queue.explain(got.id).await.unwrap();
        assert!(matches!(&became, Explanation::Moved { queue, .. } if queue == "dead"), "{became:?}");
    });
}

/// Commits a transaction that gives this message up and sends another one, which must be rejected.
async fn rejected(broker: &Broker, [queue, dead]: [&LocalQueue; 2], got: &broker_core::Message) -> Rejection {
    let before = (count(queue).await, count(dead).await);
    let mut tx = broker.transaction();
    tx.send(dead, "seen").unwrap();
    tx.dead_letter(queue, got.receipt, "why").unwrap();
    let why = rejection(tx.commit().await);
    assert_eq!((why.operation, why.kind), (1, OperationKind::DeadLetter), "{why}");
    assert_eq!((count(queue).await, count(dead).await), before);
    Rejection::clone(&why)
}

// T3
#[test]
fn a_dead_letter_that_cannot_be_moved_rejects_all() {
    everywhere(&async |_, broker| {
        let [queue, dead] = queues(&broker).await;
        let first = take_one(&queue).await;
        for reason in [String::new(), "x".repeat(1_025)] {
            let refused = broker.transaction().dead_letter(&queue, first.receipt, reason);
            assert!(matches!(refused, Err(Error::InvalidParameter { field: "reason", .. })), "{refused:?}");
        }
        tokio::time::advance(Duration::from_secs(11)).await;
        let second = take_one(&queue).await;
        let why = rejected(&broker, [&queue, &dead], &first).await;
        assert!(matches!(why.reason, Reason::ReceiptStale), "{why}");

        let mut tx = broker.transaction();
        tx.ack(&queue, second.receipt).unwrap();
        tx.dead_letter(&queue, second.receipt, "why").unwrap();
        let why = rejection(tx.commit().await);
        assert!(matches!(failed(&why), Error::InvalidParameter { field: "receipt", .. }), "{why}");

        queue.delete(second.receipt).await.unwrap();
        let why = rejected(&broker, [&queue, &dead], &second).await;
        assert!(matches!(why.reason, Reason::MessageGone), "{why}");

        queue.send("another").await.unwrap();
        let got = take_one(&queue).await;
        let none = QueueSettings { redrive_policy: Some(RedrivePolicy::None), ..QueueSettings::new() };
        queue.set_attributes(none).await.unwrap();
        let why = rejected(&broker, [&queue, &dead], &got).await;
        assert!(matches!(failed(&why), Error::NoDeadLetterQueue { name } if name == "q"), "{why}");
    });
}

/// As on a receive: which queue it is is decided then, and one that is gone is none.
// T2, T3
#[test]
fn the_dead_letter_queue_is_the_one_at_the_commit() {
    everywhere(&async |_, broker| {
        let [queue, dead] = queues(&broker).await;
        let got = take_one(&queue).await;
        let stage = || {
            let mut tx = broker.transaction();
            tx.dead_letter(&queue, got.receipt, "why").unwrap();
            tx
        };
        let (early, late) = (stage(), stage());
        broker.delete_queue("dead").await.unwrap();
        let why = rejection(early.commit().await);
        assert!(matches!(failed(&why), Error::NoDeadLetterQueue { .. }), "{why}");
        let other = broker.queue("other").await.unwrap();
        let policy =
            QueueSettings { redrive_policy: Some(RedrivePolicy::to("other", 5)), ..QueueSettings::new() };
        queue.set_attributes(policy).await.unwrap();
        late.commit().await.unwrap();
        assert_eq!((count(&queue).await, count(&other).await), ((0, 0, 0), (1, 0, 0)));
        assert!(count_of(&dead).await.is_err(), "it is gone");
    });
}

async fn count_of(queue: &LocalQueue) -> Result<u64, Error> {
    Ok(queue.counters().await?.total())
}

// T10
#[test]
fn dead_letters_that_only_the_store_knows() {
    for kind in KINDS {
        block_on(async {
            let ground = Ground::new(kind);
            let broker = Broker::builder_on(ground.store()).seed(3).memory(TINY).open().await.unwrap();
            let [queue, dead] = queues(&broker).await;
            for number in 0..7 {
                queue.send(format!("m{number}")).await.unwrap();
            }
            let receipts: Vec<_> = take(&queue, 8).await.iter().map(|message| message.receipt).collect();
            tokio::time::advance(Duration::from_secs(11)).await;
            assert_eq!(count(&queue).await, (8, 0, 0));
            let mut tx = broker.transaction();
            for receipt in receipts {
                tx.dead_letter(&queue, receipt, "why").unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!((count(&queue).await, count(&dead).await), ((0, 0, 0), (8, 0, 0)), "{kind:?}");
        });
    }
}

/// The group goes on behind a dead letter, and the letter keeps its group.
// T2
#[test]
fn a_dead_letter_of_a_fifo_queue() {
    everywhere(&async |_, broker| {
        let dead = broker.queue("dead.fifo").fifo().await.unwrap();
        let queue = broker.queue("q.fifo").fifo().dead_letter("dead.fifo", 5).await.unwrap();
        for body in ["a", "b"] {
            queue.send(SendMessage::new(body).group_id("g").deduplication_id(body)).await.unwrap();
        }
        let got = take_one(&queue).await;
        let mut tx = broker.transaction();
        tx.dead_letter(&queue, got.receipt, "why").unwrap();
        tx.commit().await.unwrap();
        assert_eq!(take_one(&queue).await.text(), Ok("b"));
        let letter = take_one(&dead).await;
        assert_eq!((letter.text(), letter.group_id.as_deref()), (Ok("a"), Some("g")));
    });
}
