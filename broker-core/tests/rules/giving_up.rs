//! A consumer gives a message up by itself, and says why: beside the rules of SQS (IQ9).

use std::time::Duration;

use broker_core::{
    Broker, Certainty, DeadLettered, Delivery, Error, LocalQueue, MemoryBounds, QueueExt, QueueSettings,
    RedrivePolicy, SendMessage,
};

use crate::support::{
    World, advance, assert_invalid, bulk, counts, numbers, poll, poll_for, secs, send_all, send_numbers,
    take, texts,
};

/// A queue `orders` with a dead-letter queue that nothing goes to by itself.
async fn queues(world: &World) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1_000).await.unwrap();
    (broker, orders, dead)
}

fn to_dead() -> DeadLettered {
    DeadLettered::Moved { queue: "dead".into() }
}

async fn a_message_is_given_up_with_a_reason(world: World) {
    let (broker, orders, dead) = queues(&world).await;
    send_all(&orders, &["poison", "good"]).await;
    let sent_at = {
        let poison: Delivery = orders.recv().await.unwrap();
        advance(secs(2)).await;
        assert_eq!(poison.dead("no such article").await.unwrap(), to_dead());
        poison.sent_at
    };
    assert_eq!((counts(&orders).await, counts(&dead).await), ([1, 0, 0], [1, 0, 0]));
    drop((orders, dead));
    let (broker, orders) = world.reopened(broker).await;
    let dead = broker.queue("dead").await.unwrap();
    let letter = take(&dead).await;
    assert_eq!((letter.text(), letter.receive_count, letter.sent_at), (Ok("poison"), 2, sent_at));
    let why = letter.dead_letter.unwrap();
    assert_eq!((why.source.as_str(), why.receive_count), ("orders", 1));
    assert_eq!(why.reason.as_deref(), Some("no such article"));
    assert_eq!(why.moved_at.since(why.last_received_at), secs(2));
    assert_eq!(why.to_string(), "moved from \"orders\" after 1 receives: no such article");
    assert_eq!(texts(&poll(&orders, 10).await), ["good"]);
}

async fn a_reason_has_1_to_1024_bytes(world: World) {
    let (_broker, orders, dead) = queues(&world).await;
    send_all(&orders, &["a", "b"]).await;
    let [a, b] = poll(&orders, 2).await.try_into().unwrap();
    let error = orders.dead_letter(a.receipt, "").await.unwrap_err();
    assert_invalid(&error, "reason", "", "1 to 1024");
    let error = orders.dead_letter(a.receipt, "ü".repeat(513)).await.unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { field: "reason", .. }));
    assert_eq!(counts(&orders).await, [0, 2, 0]);
    for (message, reason) in [(a, "x".to_owned()), (b, "ü".repeat(512))] {
        orders.dead_letter(message.receipt, reason.clone()).await.unwrap();
        assert_eq!(take(&dead).await.dead_letter.unwrap().reason, Some(reason));
    }
}

async fn without_a_dead_letter_queue_nothing_can_be_given_up(world: World) {
    let (broker, orders) = world.queue().await;
    orders.send("poison").await.unwrap();
    let poison = take(&orders).await;
    let refused = async || {
        let error = orders.dead_letter(poison.receipt, "poison").await.unwrap_err();
        assert_eq!(error.certainty(), Certainty::Rejected);
        assert!(matches!(error, Error::NoDeadLetterQueue { name } if name == "orders"));
        assert_eq!(counts(&orders).await, [0, 1, 0]);
    };
    refused().await;
    broker.queue("dead").await.unwrap();
    let policy = QueueSettings::new().redrive_policy(RedrivePolicy::to("dead", 3));
    orders.set_attributes(policy).await.unwrap();
    broker.delete_queue("dead").await.unwrap();
    refused().await;
    broker.queue("dead").await.unwrap();
    assert_eq!(orders.dead_letter(poison.receipt, "poison").await.unwrap(), to_dead());
}

/// Q70 to Q74: a receipt is worth what it is worth for a delete.
async fn an_old_receipt_gives_nothing_up(world: World) {
    let (broker, orders, dead) = queues(&world).await;
    send_all(&orders, &["a", "b", "c"]).await;
    let [a, b, c] = poll_for(&orders, 3, secs(5)).await.try_into().unwrap();
    advance(secs(5)).await;
    let [again] = poll_for(&orders, 1, secs(100)).await.try_into().unwrap();
    assert_eq!(again.id, a.id);
    assert_eq!(orders.dead_letter(a.receipt, "old").await.unwrap(), DeadLettered::Stale);
    // Nobody has it: the latest receipt still counts.
    assert_eq!(orders.dead_letter(b.receipt, "late").await.unwrap(), to_dead());
    assert_eq!(orders.dead_letter(b.receipt, "late").await.unwrap(), DeadLettered::Gone);
    orders.delete(c.receipt).await.unwrap();
    assert_eq!(orders.dead_letter(c.receipt, "deleted").await.unwrap(), DeadLettered::Gone);
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 1, 0], [1, 0, 0]));
    let [letter] = poll_for(&dead, 1, secs(0)).await.try_into().unwrap();
    let error = orders.dead_letter(letter.receipt, "of another queue").await.unwrap_err();
    assert!(matches!(error, Error::ReceiptHandleIsInvalid { .. }));
    let (_broker, orders) = world.reopened(broker).await;
    assert_eq!(orders.dead_letter(again.receipt, "after a restart").await.unwrap(), to_dead());
}

/// F40, F43.
async fn an_expired_receipt_of_a_fifo_queue_gives_nothing_up(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let orders = broker.queue("orders.fifo").fifo().dead_letter("dead.fifo", 9).await.unwrap();
    for body in ["a1", "a2"] {
        let message = SendMessage::from(body).group_id("a").deduplication_id(body);
        orders.send(message).await.unwrap();
    }
    let [a1] = poll_for(&orders, 1, secs(5)).await.try_into().unwrap();
    advance(secs(5)).await;
    let error = orders.dead_letter(a1.receipt, "late").await.unwrap_err();
    assert!(matches!(error, Error::ReceiptHandleExpired { .. }));
    let [a1] = poll_for(&orders, 1, secs(5)).await.try_into().unwrap();
    assert!(poll(&orders, 10).await.is_empty(), "it blocks its group");
    let moved = DeadLettered::Moved { queue: "dead.fifo".into() };
    assert_eq!(orders.dead_letter(a1.receipt, "poison").await.unwrap(), moved);
    assert_eq!(texts(&poll(&orders, 10).await), ["a2"]);
    let letter = take(&dead).await;
    assert_eq!((letter.text(), letter.receive_count), (Ok("a1"), 3));
    assert_eq!(letter.deduplication_id, Some(letter.id.to_string()));
}

/// Wherever the message is meanwhile: in memory, put out of it, or staged again.
async fn a_message_can_be_given_up_wherever_it_is(world: World) {
    let tiny = MemoryBounds { ready: 4, delayed: 3, staged: 3, staged_bytes: 200, searched: 6 };
    let world = world.limits(bulk()).bounds(tiny);
    let (broker, orders, _dead) = queues(&world).await;
    send_numbers(&orders, 0..60, |_| secs(0)).await;
    let received = poll_for(&orders, 60, Duration::ZERO).await;
    assert_eq!(received.len(), 60);
    assert_eq!(counts(&orders).await, [60, 0, 0]);
    let mut given_up = Vec::new();
    for message in received.into_iter().step_by(3) {
        assert_eq!(orders.dead_letter(message.receipt, "poison").await.unwrap(), to_dead());
        given_up.push(message);
    }
    let (broker, orders) = world.reopened(broker).await;
    let dead = broker.queue("dead").await.unwrap();
    assert_eq!((counts(&orders).await, counts(&dead).await), ([40, 0, 0], [20, 0, 0]));
    for message in &given_up {
        assert_eq!(orders.dead_letter(message.receipt, "again").await.unwrap(), DeadLettered::Gone);
    }
    assert_eq!(numbers(&poll(&dead, 60).await), (0..60).step_by(3).collect::<Vec<_>>());
    assert_eq!(numbers(&poll(&orders, 60).await), (0..60).filter(|n| n % 3 > 0).collect::<Vec<_>>());
}

/// IQ9: of many who give the same message up, and one who deletes it, one has done it.
async fn a_message_is_given_up_once(world: World) {
    let (_broker, orders, dead) = queues(&world).await;
    for _ in 0..20 {
        orders.send("poison").await.unwrap();
        let poison = take(&orders).await;
        let give_up = || orders.dead_letter(poison.receipt, "poison");
        let (deleted, first, second) = tokio::join!(orders.delete(poison.receipt), give_up(), give_up());
        deleted.unwrap();
        let moved = [first.unwrap(), second.unwrap()].iter().filter(|outcome| **outcome == to_dead()).count();
        assert!(moved <= 1);
        assert_eq!(counts(&orders).await, [0, 0, 0]);
        assert_eq!(counts(&dead).await, [moved as u64, 0, 0]);
        dead.purge().await.unwrap();
    }
}

everywhere! {
    a_message_is_given_up_with_a_reason,
    a_reason_has_1_to_1024_bytes,
    without_a_dead_letter_queue_nothing_can_be_given_up,
    an_old_receipt_gives_nothing_up,
    an_expired_receipt_of_a_fifo_queue_gives_nothing_up,
    a_message_can_be_given_up_wherever_it_is,
    a_message_is_given_up_once,
}
