//! Seeing inside: what became of one message, and of what a message would be a duplicate.

use broker_core::{
    Broker, DeduplicationScope, DuplicateOf, Error, Explanation, LocalQueue, MessageId, QueueSettings,
    RedrivePolicy, SendMessage,
};

use crate::support::{World, advance, assert_invalid, later, ms, poll, poll_for, secs, send_all, take};

async fn explained(queue: &LocalQueue, id: MessageId) -> Explanation {
    queue.explain(id).await.unwrap()
}

/// A queue with a dead-letter queue after two receives.
async fn with_dead_letters(world: &World) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").visibility_timeout(secs(10)).dead_letter("dead", 2).await.unwrap();
    (broker, orders, dead)
}

async fn every_stage_of_a_life_is_explained(world: World) {
    let (broker, queue) = world.queue().await;
    let t0 = world.now();
    let id = queue.send(SendMessage::from("m").delay(secs(5))).await.unwrap().id;
    assert_eq!(explained(&queue, id).await, Explanation::Delayed { until: later(t0, 5) });
    advance(secs(5)).await;
    assert_eq!(explained(&queue, id).await, Explanation::Visible);
    take(&queue).await;
    let in_flight = Explanation::InFlight { until: later(t0, 35), delivery: 1 };
    assert_eq!(explained(&queue, id).await, in_flight);
    advance(secs(30)).await;
    assert_eq!(explained(&queue, id).await, Explanation::Visible);
    let message = take(&queue).await;
    let in_flight = Explanation::InFlight { until: later(t0, 65), delivery: 2 };
    assert_eq!(explained(&queue, id).await, in_flight);
    assert_eq!(in_flight.to_string(), format!("in flight until {} (delivery 2)", later(t0, 65)));
    advance(secs(1)).await;
    queue.delete(message.receipt).await.unwrap();
    advance(secs(1)).await;
    assert_eq!(explained(&queue, id).await, Explanation::Deleted { at: later(t0, 36) });
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(explained(&queue, id).await, Explanation::Gone, "the end is remembered in memory only");
}

async fn what_expires_says_when(world: World) {
    let (_broker, queue) = world.queue().await;
    let short = QueueSettings::new().retention(secs(60)).visibility_timeout(secs(100));
    queue.set_attributes(short).await.unwrap();
    let t0 = world.now();
    let in_flight = queue.send("in flight").await.unwrap().id;
    take(&queue).await;
    let untouched = queue.send("untouched").await.unwrap().id;
    let delayed = queue.send(SendMessage::from("delayed").delay(secs(200))).await.unwrap().id;
    advance(secs(70)).await;
    for id in [in_flight, untouched, delayed] {
        assert_eq!(explained(&queue, id).await, Explanation::Expired { at: later(t0, 60) });
    }
}

async fn what_was_never_seen_or_purged_says_so(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    let foreign = other.send("m").await.unwrap().id;
    assert_eq!(explained(&queue, foreign).await, Explanation::NeverSeen);
    let deleted = queue.send("m").await.unwrap().id;
    queue.delete(take(&queue).await.receipt).await.unwrap();
    let purged = queue.send("m").await.unwrap().id;
    queue.purge().await.unwrap();
    assert_eq!(explained(&queue, purged).await, Explanation::Gone);
    assert!(matches!(explained(&queue, deleted).await, Explanation::Deleted { .. }));
    broker.delete_queue("orders").await.unwrap();
    assert!(matches!(queue.explain(purged).await, Err(Error::QueueDoesNotExist { .. })));
}

async fn what_waits_in_storage_is_explained_too(world: World) {
    let world = world.with_little_memory();
    let (broker, queue) = world.queue().await;
    let t0 = world.now();
    let mut waiting = Vec::new();
    for n in 0..30 {
        waiting.push(queue.send(n.to_string()).await.unwrap().id);
    }
    let mut delayed = Vec::new();
    for n in 0..4 {
        delayed.push(queue.send(SendMessage::from("later").delay(secs(50 + n))).await.unwrap().id);
    }
    poll_for(&queue, 10, secs(20)).await;
    let check = async |queue: &LocalQueue, received: &Explanation| {
        for (n, id) in waiting.iter().enumerate() {
            let expected = if n < 10 { received } else { &Explanation::Visible };
            assert_eq!(explained(queue, *id).await, *expected, "message {n}");
        }
        for (n, id) in (0..).zip(&delayed) {
            let until = later(t0, 50 + n);
            assert_eq!(explained(queue, *id).await, Explanation::Delayed { until }, "delayed {n}");
        }
    };
    check(&queue, &Explanation::InFlight { until: later(t0, 20), delivery: 1 }).await;
    advance(secs(20)).await;
    // Eight of the ten are put out of memory.
    check(&queue, &Explanation::Visible).await;
    let (broker, queue) = world.reopened(broker).await;
    check(&queue, &Explanation::Visible).await;
    advance(secs(40)).await;
    for id in delayed {
        assert_eq!(explained(&queue, id).await, Explanation::Visible);
    }
    drop(broker);
}

async fn a_message_of_a_group_is_blocked_behind_the_one_in_flight(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().await.unwrap();
    let t0 = world.now();
    let send =
        async |body: &str, group: &str| queue.send(SendMessage::from(body).group_id(group)).await.unwrap().id;
    let (a1, a2, b1, a3) =
        (send("1", "a").await, send("2", "a").await, send("3", "b").await, send("4", "a").await);
    let first = take(&queue).await;
    let blocked = Explanation::Blocked { behind: a1, group_id: "a".into(), until: later(t0, 30) };
    assert_eq!(explained(&queue, a1).await, Explanation::InFlight { until: later(t0, 30), delivery: 1 });
    assert_eq!(explained(&queue, a2).await, blocked);
    assert_eq!(explained(&queue, a3).await, blocked);
    assert_eq!(explained(&queue, b1).await, Explanation::Visible);
    assert!(blocked.to_string().starts_with(&format!("blocked behind message {a1} of group \"a\"")));
    queue.delete(first.receipt).await.unwrap();
    assert_eq!(explained(&queue, a3).await, Explanation::Visible);
    // The queue's delay holds for those that are waiting already.
    queue.set_attributes(QueueSettings::new().delay(secs(100))).await.unwrap();
    assert_eq!(explained(&queue, a2).await, Explanation::Delayed { until: later(t0, 100) });
}

async fn a_dead_letter_is_explained_in_both_queues(world: World) {
    let (broker, orders, dead) = with_dead_letters(&world).await;
    let t0 = world.now();
    let id = orders.send("poison").await.unwrap().id;
    for _ in 0..2 {
        take(&orders).await;
        advance(secs(10)).await;
    }
    let spent = Explanation::Spent { queue: "dead".into(), receives: 2 };
    assert_eq!(explained(&orders, id).await, spent);
    assert_eq!(explained(&dead, id).await, Explanation::NeverSeen);
    assert!(poll(&orders, 1).await.is_empty());
    let moved = Explanation::Moved { queue: "dead".into(), receives: 2, at: later(t0, 20) };
    assert_eq!(explained(&orders, id).await, moved);
    assert_eq!(explained(&dead, id).await, Explanation::Visible);
    let given_up = orders.send("give up").await.unwrap().id;
    orders.dead_letter(take(&orders).await.receipt, "no").await.unwrap();
    let moved_at_once = Explanation::Moved { queue: "dead".into(), receives: 1, at: later(t0, 20) };
    assert_eq!(explained(&orders, given_up).await, moved_at_once);

    // After a restart both are searched for.
    broker.close().await.unwrap();
    let broker = world.broker().await;
    let (orders, dead) =
        (broker.open_queue("orders").await.unwrap(), broker.open_queue("dead").await.unwrap());
    assert_eq!(explained(&orders, id).await, moved);
    assert_eq!(explained(&orders, given_up).await, moved_at_once);
    let first = take(&dead).await;
    assert_eq!(first.id, id);
    assert_eq!(explained(&dead, id).await, Explanation::InFlight { until: later(t0, 50), delivery: 1 });
    dead.delete(first.receipt).await.unwrap();
    assert_eq!(explained(&orders, id).await, Explanation::Gone);
    assert_eq!(explained(&dead, given_up).await, Explanation::Visible);
}

async fn a_dead_letter_that_is_deleted_is_remembered_for_a_while(world: World) {
    let (_broker, orders, dead) = with_dead_letters(&world).await;
    let t0 = world.now();
    let id = orders.send("poison").await.unwrap().id;
    orders.dead_letter(take(&orders).await.receipt, "no").await.unwrap();
    dead.delete(take(&dead).await.receipt).await.unwrap();
    assert_eq!(explained(&dead, id).await, Explanation::Deleted { at: t0 });
}

/// Without the dead-letter queue, messages are delivered as if there were no policy.
async fn nothing_is_spent_without_a_dead_letter_queue(world: World) {
    let (broker, orders, _dead) = with_dead_letters(&world).await;
    let id = orders.send("poison").await.unwrap().id;
    for _ in 0..2 {
        take(&orders).await;
        advance(secs(10)).await;
    }
    broker.delete_queue("dead").await.unwrap();
    assert_eq!(explained(&orders, id).await, Explanation::Visible);
    orders.set_attributes(QueueSettings::new().redrive_policy(RedrivePolicy::None)).await.unwrap();
    assert_eq!(explained(&orders, id).await, Explanation::Visible);
    take(&orders).await;
}

/// In a FIFO dead-letter queue the blocker keeps the id that it was sent with.
async fn a_dead_letter_is_blocked_behind_another_by_its_first_id(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let orders =
        broker.queue("orders.fifo").fifo().dedup_by_content().dead_letter("dead.fifo", 9).await.unwrap();
    let mut ids = Vec::new();
    for body in ["1", "2"] {
        ids.push(orders.send(SendMessage::from(body).group_id("g")).await.unwrap().id);
        orders.dead_letter(take(&orders).await.receipt, "no").await.unwrap();
    }
    take(&dead).await;
    let Explanation::Blocked { behind, .. } = explained(&dead, ids[1]).await else { panic!() };
    assert_eq!(behind, ids[0]);
}

async fn a_duplicate_is_explained_for_five_minutes(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().dedup_by_content().await.unwrap();
    let t0 = world.now();
    let message = SendMessage::from("m").group_id("g");
    assert_eq!(queue.duplicate_of(&message).await.unwrap(), None);
    let sent = queue.send(message.clone()).await.unwrap();
    queue.delete(take(&queue).await.receipt).await.unwrap();
    let original =
        DuplicateOf { id: sent.id, sequence_number: sent.sequence_number.unwrap(), until: later(t0, 300) };
    assert_eq!(queue.duplicate_of(&message).await.unwrap(), Some(original));
    let other = SendMessage::from("other").group_id("g");
    assert_eq!(queue.duplicate_of(&other).await.unwrap(), None);
    broker.close().await.unwrap();
    let broker = world.broker().await;
    let queue = broker.open_queue("orders.fifo").await.unwrap();
    advance(secs(300) - ms(1)).await;
    assert_eq!(queue.duplicate_of(&message).await.unwrap(), Some(original));
    advance(ms(1)).await;
    assert_eq!(queue.duplicate_of(&message).await.unwrap(), None);
    assert!(!queue.send(message).await.unwrap().duplicate, "asking sends nothing");
}

async fn duplicates_are_looked_for_in_the_scope_of_the_queue(world: World) {
    let broker = world.broker().await;
    let by_group = broker.queue("a.fifo").fifo().deduplication_scope(DeduplicationScope::MessageGroup);
    let (by_group, whole) = (by_group.await.unwrap(), broker.queue("b.fifo").fifo().await.unwrap());
    let message = |group: &str| SendMessage::from("m").group_id(group).deduplication_id("1");
    by_group.send(message("a")).await.unwrap();
    whole.send(message("a")).await.unwrap();
    assert_eq!(by_group.duplicate_of(&message("b")).await.unwrap(), None);
    assert!(whole.duplicate_of(&message("b")).await.unwrap().is_some());
    let error = whole.duplicate_of(&SendMessage::from("m").group_id("a")).await.unwrap_err();
    assert_invalid(&error, "deduplication_id", "missing", "content-based");
    let error = whole.duplicate_of(&SendMessage::from("m")).await.unwrap_err();
    assert!(matches!(error, Error::MissingParameter { field: "group_id" }), "{error:?}");
    let standard = broker.queue("orders").await.unwrap();
    send_all(&standard, &["m"]).await;
    let error = standard.duplicate_of(&message("a")).await.unwrap_err();
    assert_invalid(&error, "name", "orders", "FIFO");
}

everywhere!(
    every_stage_of_a_life_is_explained,
    what_expires_says_when,
    what_was_never_seen_or_purged_says_so,
    what_waits_in_storage_is_explained_too,
    a_message_of_a_group_is_blocked_behind_the_one_in_flight,
    a_dead_letter_is_explained_in_both_queues,
    a_dead_letter_that_is_deleted_is_remembered_for_a_while,
    nothing_is_spent_without_a_dead_letter_queue,
    a_dead_letter_is_blocked_behind_another_by_its_first_id,
    a_duplicate_is_explained_for_five_minutes,
    duplicates_are_looked_for_in_the_scope_of_the_queue,
);
