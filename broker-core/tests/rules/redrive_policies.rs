//! Which policies a queue may have, and dead letters of FIFO queues (Q82, Q84, F50 to F53).

use broker_core::{
    Broker, Error, LocalQueue, Message, QueueSettings, RedriveAllowPolicy, RedrivePolicy, SendMessage,
};

use crate::support::{World, advance, assert_invalid, counts, ms, poll, poll_for, refusal, secs, texts};

fn to(queue: &str, max_receive_count: u32) -> QueueSettings {
    QueueSettings::new().redrive_policy(RedrivePolicy::to(queue, max_receive_count))
}

fn allow(policy: RedriveAllowPolicy) -> QueueSettings {
    QueueSettings::new().redrive_allow_policy(policy)
}

fn by_queue(names: impl IntoIterator<Item = impl Into<String>>) -> RedriveAllowPolicy {
    RedriveAllowPolicy::ByQueue(names.into_iter().map(Into::into).collect())
}

/// Q82.
async fn a_message_may_be_delivered_1_to_1000_times(world: World) {
    let (broker, orders) = world.queue().await;
    broker.queue("dead").await.unwrap();
    for count in [0, 1_001, u32::MAX] {
        let error = refusal(&orders, orders.set_attributes(to("dead", count))).await;
        assert_invalid(&error, "max_receive_count", &count.to_string(), "1 and 1000");
        let error = broker.queue("new").dead_letter("dead", count).await.unwrap_err();
        assert_invalid(&error, "max_receive_count", &count.to_string(), "1 and 1000");
    }
    for count in [1, 1_000] {
        orders.set_attributes(to("dead", count)).await.unwrap();
        let (policy, expected) = (orders.attributes().await.unwrap().redrive_policy, to("dead", count));
        assert_eq!(Some(policy), expected.redrive_policy);
    }
    assert!(matches!(broker.open_queue("new").await, Err(Error::QueueDoesNotExist { .. })));
    // It is one of the settings by which an existing queue is opened.
    broker.queue("orders").dead_letter("dead", 1_000).await.unwrap();
    let error = broker.queue("orders").dead_letter("dead", 999).await.unwrap_err();
    assert!(matches!(error, Error::QueueNameExists { attribute: "redrive_policy", .. }));
    let (_broker, orders) = world.reopened(broker).await;
    assert_eq!(orders.attributes().await.unwrap().redrive_policy, RedrivePolicy::to("dead", 1_000));
}

/// Q82, F50.
async fn the_dead_letter_queue_must_exist_and_be_of_the_same_type(world: World) {
    let (broker, orders) = world.queue().await;
    broker.queue("dead").await.unwrap();
    broker.queue("dead.fifo").fifo().await.unwrap();
    let fifo = broker.queue("orders.fifo").fifo().await.unwrap();
    let error = refusal(&orders, orders.set_attributes(to("missing", 3))).await;
    assert!(matches!(error, Error::QueueDoesNotExist { name } if name == "missing"));
    let error = broker.queue("new").dead_letter("missing", 3).await.unwrap_err();
    assert!(matches!(error, Error::QueueDoesNotExist { name } if name == "missing"));
    for (queue, other) in [(&orders, "dead.fifo"), (&fifo, "dead")] {
        let error = refusal(queue, queue.set_attributes(to(other, 3))).await;
        assert_invalid(&error, "redrive_policy", other, "FIFO");
    }
    let error = broker.queue("new.fifo").fifo().dead_letter("dead", 3).await.unwrap_err();
    assert_invalid(&error, "redrive_policy", "dead", "FIFO");
    orders.set_attributes(to("dead", 3)).await.unwrap();
    fifo.set_attributes(to("dead.fifo", 3)).await.unwrap();
}

/// Q82: nothing goes in circles.
async fn a_policy_that_leads_back_is_refused(world: World) {
    let (broker, orders) = world.queue().await;
    let dead = broker.queue("dead").await.unwrap();
    let deader = broker.queue("deader").await.unwrap();
    let error = refusal(&orders, orders.set_attributes(to("orders", 3))).await;
    assert_invalid(&error, "redrive_policy", "orders", "back");
    orders.set_attributes(to("dead", 3)).await.unwrap();
    let error = refusal(&dead, dead.set_attributes(to("orders", 3))).await;
    assert_invalid(&error, "redrive_policy", "orders", "back");
    dead.set_attributes(to("deader", 3)).await.unwrap();
    let error = refusal(&deader, deader.set_attributes(to("orders", 3))).await;
    assert_invalid(&error, "redrive_policy", "orders", "back");
    // A queue that is created anew closes no circle either.
    broker.delete_queue("dead").await.unwrap();
    deader.set_attributes(to("orders", 3)).await.unwrap();
    let error = broker.queue("dead").dead_letter("deader", 3).await.unwrap_err();
    assert_invalid(&error, "redrive_policy", "deader", "back");
}

/// Q84.
async fn a_queue_says_whose_dead_letters_it_takes(world: World) {
    let (broker, orders) = world.queue().await;
    let dead = broker.queue("dead").redrive_allow_policy(RedriveAllowPolicy::DenyAll).await.unwrap();
    let error = refusal(&orders, orders.set_attributes(to("dead", 3))).await;
    assert_invalid(&error, "redrive_policy", "dead", "does not allow \"orders\"");
    let error = broker.queue("new").dead_letter("dead", 3).await.unwrap_err();
    assert_invalid(&error, "redrive_policy", "dead", "does not allow \"new\"");
    dead.set_attributes(allow(by_queue(["new", "newer"]))).await.unwrap();
    refusal(&orders, orders.set_attributes(to("dead", 3))).await;
    broker.queue("new").dead_letter("dead", 3).await.unwrap();
    let (broker, orders) = world.reopened(broker).await;
    let dead = broker.queue("dead").await.unwrap();
    assert_eq!(dead.attributes().await.unwrap().redrive_allow_policy, by_queue(["new", "newer"]));
    refusal(&orders, orders.set_attributes(to("dead", 3))).await;
    dead.set_attributes(allow(RedriveAllowPolicy::AllowAll)).await.unwrap();
    orders.set_attributes(to("dead", 3)).await.unwrap();
    for count in [0, 11] {
        let names: Vec<_> = (0..count).map(|n| format!("queue-{n}")).collect();
        let error = refusal(&dead, dead.set_attributes(allow(by_queue(names)))).await;
        assert_invalid(&error, "redrive_allow_policy", &count.to_string(), "1 to 10");
    }
    let ten = by_queue((0..10).map(|n| format!("queue-{n}")));
    dead.set_attributes(allow(ten)).await.unwrap();
}

/// A FIFO queue whose messages are delivered once, and its dead-letter queue.
async fn fifo_queues(world: &World) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let orders = broker.queue("orders.fifo").fifo().dead_letter("dead.fifo", 1).await.unwrap();
    (broker, orders, dead)
}

/// The message `a1`, of group `a`.
async fn send(queue: &LocalQueue, body: &str) -> broker_core::Sent {
    let message = SendMessage::from(body).group_id(&body[..1]).deduplication_id(body);
    queue.send(message).await.unwrap()
}

async fn delete_all(queue: &LocalQueue, messages: &[Message]) {
    for message in messages {
        queue.delete(message.receipt).await.unwrap();
    }
}

/// F51.
async fn a_dead_letter_no_longer_blocks_its_group(world: World) {
    let (_broker, orders, dead) = fifo_queues(&world).await;
    for body in ["a1", "a2", "a3", "b1"] {
        send(&orders, body).await;
    }
    let [a1] = poll_for(&orders, 1, secs(10)).await.try_into().unwrap();
    let others = poll_for(&orders, 10, secs(100)).await;
    assert_eq!((a1.text(), texts(&others)), (Ok("a1"), vec!["b1"]));
    advance(secs(10)).await;
    let behind = poll_for(&orders, 10, secs(100)).await;
    assert_eq!(texts(&behind), ["a2", "a3"]);
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 3, 0], [1, 0, 0]));
    delete_all(&orders, &others).await;
    delete_all(&orders, &behind).await;
    assert_eq!(texts(&poll(&dead, 10).await), ["a1"]);
}

/// F51: a whole group at once keeps its order in the dead-letter queue.
async fn dead_letters_of_a_group_keep_their_order(world: World) {
    let (_broker, orders, dead) = fifo_queues(&world).await;
    for body in ["a1", "b1", "a2", "a3", "b2"] {
        send(&orders, body).await;
    }
    assert_eq!(poll_for(&orders, 10, secs(0)).await.len(), 5);
    assert!(poll(&orders, 10).await.is_empty());
    let letters = poll(&dead, 10).await;
    let group = |group: &str| -> Vec<_> {
        let of = letters.iter().filter(|letter| letter.group_id.as_deref() == Some(group));
        of.map(|letter| letter.text().unwrap()).collect()
    };
    assert_eq!((group("a"), group("b")), (vec!["a1", "a2", "a3"], vec!["b1", "b2"]));
    assert!(letters.iter().all(|letter| letter.sequence_number.is_some()));
}

/// F52: two messages with one deduplication id can be dead letters at once.
async fn the_deduplication_id_of_a_dead_letter_is_the_message_id(world: World) {
    let (_broker, orders, dead) = fifo_queues(&world).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(send(&orders, "a1").await.id);
        poll_for(&orders, 1, secs(0)).await;
        assert!(poll(&orders, 1).await.is_empty());
        assert!(send(&orders, "a1").await.duplicate, "its own id is remembered in the source");
        advance(secs(300)).await;
    }
    let letters = poll(&dead, 10).await;
    assert_eq!(letters.len(), 2);
    for (letter, id) in letters.iter().zip(ids) {
        assert_eq!((letter.id, &letter.deduplication_id), (id, &Some(id.to_string())));
        assert_eq!((letter.text(), letter.group_id.as_deref()), (Ok("a1"), Some("a")));
        assert_eq!(letter.receive_count, 2);
    }
}

/// F53.
async fn the_retention_of_a_fifo_dead_letter_starts_anew(world: World) {
    let (broker, orders, dead) = fifo_queues(&world).await;
    let day = secs(86_400);
    send(&orders, "a1").await;
    poll_for(&orders, 1, secs(0)).await;
    advance(3 * day).await;
    assert!(poll(&orders, 1).await.is_empty());
    advance(4 * day - ms(1)).await;
    assert_eq!(counts(&dead).await, [1, 0, 0]);
    drop((orders, dead));
    broker.close().await.unwrap();
    drop(broker);
    let (_broker, _orders, dead) = fifo_queues(&world).await;
    let [letter] = poll_for(&dead, 1, secs(0)).await.try_into().unwrap();
    assert_eq!(letter.dead_letter.unwrap().moved_at, letter.sent_at);
    advance(ms(1)).await;
    assert_eq!(counts(&dead).await, [0, 0, 0]);
}

everywhere! {
    a_message_may_be_delivered_1_to_1000_times,
    the_dead_letter_queue_must_exist_and_be_of_the_same_type,
    a_policy_that_leads_back_is_refused,
    a_queue_says_whose_dead_letters_it_takes,
    a_dead_letter_no_longer_blocks_its_group,
    dead_letters_of_a_group_keep_their_order,
    the_deduplication_id_of_a_dead_letter_is_the_message_id,
    the_retention_of_a_fifo_dead_letter_starts_anew,
}
