//! Messages that were received too often go to the dead-letter queue (Q77, Q80, Q81, Q83, F51 to F53).

use broker_core::{
    AttributeValue, Broker, Deleted, LocalQueue, MemoryBounds, QueueSettings, ReceiveOptions, RedrivePolicy,
    SendMessage,
};

use crate::{
    moves::fail_all,
    support::{
        World, advance, bulk, counts, ms, numbers, poll, poll_for, secs, send_all, send_numbers, take, texts,
        waiter,
    },
};

/// A queue `orders` whose messages are delivered so often, and its dead-letter queue.
async fn queues(world: &World, max_receive_count: u32) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", max_receive_count).await.unwrap();
    (broker, orders, dead)
}

/// Q80: lazily, by the receive that would be one too many, and instead of the message.
async fn after_its_last_delivery_the_next_receive_moves_a_message(world: World) {
    let (_broker, orders, dead) = queues(&world, 2).await;
    send_all(&orders, &["poison", "good"]).await;
    for delivery in 1..=2 {
        let [poison] = poll_for(&orders, 1, secs(10)).await.try_into().unwrap();
        assert_eq!((poison.text(), poison.receive_count), (Ok("poison"), delivery));
        advance(secs(10)).await;
    }
    // Time alone moves nothing.
    advance(secs(3_600)).await;
    assert_eq!((counts(&orders).await, counts(&dead).await), ([2, 0, 0], [0, 0, 0]));
    assert_eq!(texts(&poll(&orders, 10).await), ["good"]);
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 1, 0], [1, 0, 0]));
    assert_eq!(take(&dead).await.receive_count, 3);
}

/// Q80: with a maximum of one.
async fn a_message_that_may_be_delivered_once_is_moved_by_the_second_receive(world: World) {
    let (_broker, orders, dead) = queues(&world, 1).await;
    orders.send("poison").await.unwrap();
    let poison = take(&orders).await;
    assert!(poll(&orders, 1).await.is_empty(), "it is in flight");
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    advance(secs(30)).await;
    assert!(poll(&orders, 1).await.is_empty());
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 0, 0], [1, 0, 0]));
    // The receipt is of the queue where it no longer is.
    assert_eq!(orders.delete(poison.receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&dead).await, [1, 0, 0]);
}

/// Q77, Q80: given back by hand, it was delivered all the same.
async fn a_message_that_is_given_back_counts_as_delivered(world: World) {
    let (_broker, orders, dead) = queues(&world, 3).await;
    orders.send("poison").await.unwrap();
    for _ in 0..3 {
        let poison = take(&orders).await;
        orders.change_visibility(poison.receipt, secs(0)).await.unwrap();
    }
    // A wait is not ended by what is moved.
    let waited = waiter(&orders, secs(5)).await.await.unwrap();
    assert_eq!((waited.0.unwrap().len(), waited.1), (0, secs(5)));
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 0, 0], [1, 0, 0]));
}

/// Q81.
async fn a_moved_message_keeps_what_it_was_and_says_why_it_came(world: World) {
    let (broker, orders, _dead) = queues(&world, 2).await;
    let message = SendMessage::from("socks").attribute("size", AttributeValue::number("9"));
    let message = message.attribute("raw", AttributeValue::binary(vec![0, 255])).trace_header("Root=1");
    let sent = orders.send(message.clone().group_id("tenant")).await.unwrap();
    advance(secs(5)).await;
    let first = take(&orders).await;
    advance(secs(40)).await;
    let second = take(&orders).await;
    advance(secs(50)).await;
    let waiting = waiter(&broker.queue("dead").await.unwrap(), secs(20)).await;
    assert!(poll(&orders, 1).await.is_empty());
    let (received, _) = waiting.await.unwrap();
    let [letter] = received.unwrap().try_into().expect("its arrival ends the wait (IQ16)");
    assert_eq!((letter.id, &letter.body, &letter.attributes), (sent.id, &message.body, &message.attributes));
    assert_eq!((&letter.trace_header, letter.group_id.as_deref()), (&message.trace_header, Some("tenant")));
    assert_eq!((letter.sent_at, letter.first_received_at), (first.sent_at, first.first_received_at));
    assert_eq!((letter.receive_count, letter.sequence_number), (3, None));
    let why = letter.dead_letter.clone().unwrap();
    assert_eq!((why.source.as_str(), why.receive_count, &why.reason), ("orders", 2, &None));
    assert_eq!(why.first_received_at, first.first_received_at);
    assert_eq!(why.last_received_at.since(first.first_received_at), secs(40));
    assert_eq!(why.moved_at.since(why.last_received_at), secs(50) + ms(1));
    assert_eq!(why.to_string(), "moved from \"orders\" after 2 receives");
    assert_ne!(second.receipt, letter.receipt);
    let (broker, _orders) = world.reopened(broker).await;
    advance(secs(30)).await;
    let again = take(&broker.queue("dead").await.unwrap()).await;
    assert_eq!((again.receive_count, again.dead_letter), (4, Some(why)));
}

/// Q83: a day in the source and three in the dead-letter queue.
async fn the_retention_of_a_dead_letter_counts_from_when_it_was_sent(world: World) {
    const DAY: u64 = 86_400;
    let (broker, orders, dead) = queues(&world, 1).await;
    orders.send("poison").await.unwrap();
    advance(secs(DAY)).await;
    fail_all(&orders).await;
    advance(secs(3 * DAY) - ms(1)).await;
    assert_eq!(counts(&dead).await, [1, 0, 0]);
    advance(ms(1)).await;
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    // One that is too old for the dead-letter queue already.
    orders.send("poison").await.unwrap();
    let shorter = QueueSettings::new().retention(secs(60));
    dead.set_attributes(shorter).await.unwrap();
    send_all(&dead, &["young"]).await;
    advance(secs(60)).await;
    send_all(&dead, &["younger"]).await;
    fail_all(&orders).await;
    let (broker, _orders) = world.reopened(broker).await;
    assert_eq!(texts(&poll(&broker.queue("dead").await.unwrap(), 10).await), ["younger"]);
}

/// Q80: the policy that is in force when the receive comes decides.
async fn a_new_policy_applies_to_what_was_delivered_before(world: World) {
    let (_broker, orders, dead) = queues(&world, 3).await;
    send_all(&orders, &["a", "b"]).await;
    for _ in 0..2 {
        poll_for(&orders, 1, secs(0)).await;
    }
    let set =
        async |policy| orders.set_attributes(QueueSettings::new().redrive_policy(policy)).await.unwrap();
    set(RedrivePolicy::to("dead", 2)).await;
    assert_eq!(texts(&poll_for(&orders, 1, secs(0)).await), ["b"]);
    assert_eq!(counts(&dead).await, [1, 0, 0]);
    set(RedrivePolicy::None).await;
    for delivery in 2..=5 {
        let [b] = poll_for(&orders, 10, secs(0)).await.try_into().unwrap();
        assert_eq!(b.receive_count, delivery);
    }
    set(RedrivePolicy::to("dead", 6)).await;
    assert_eq!(poll_for(&orders, 10, secs(0)).await.len(), 1);
    assert!(poll(&orders, 10).await.is_empty());
    assert_eq!(counts(&dead).await, [2, 0, 0]);
}

/// Q80: more of them than one receive moves, in memory or not, across a restart.
async fn many_spent_messages_are_moved_and_none_is_lost(world: World) {
    let tiny = MemoryBounds { ready: 20, delayed: 3, staged: 20, staged_bytes: 2_000, searched: 20 };
    let world = world.limits(bulk()).bounds(tiny);
    let (broker, orders, dead) = queues(&world, 1).await;
    send_numbers(&orders, 0..350, |_| secs(0)).await;
    assert_eq!(poll_for(&orders, 350, secs(5)).await.len(), 350);
    send_numbers(&orders, 350..360, |_| secs(0)).await;
    advance(secs(5)).await;
    assert_eq!(counts(&orders).await, [360, 0, 0]);
    drop((orders, dead));
    let (broker, orders) = world.reopened(broker).await;
    assert_eq!(numbers(&poll(&orders, 10).await), (350..360).collect::<Vec<_>>());
    let dead = broker.queue("dead").await.unwrap();
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 10, 0], [350, 0, 0]));
    drop((orders, dead));
    let (broker, orders) = world.reopened(broker).await;
    let dead = broker.queue("dead").await.unwrap();
    assert_eq!((counts(&orders).await, counts(&dead).await), ([0, 10, 0], [350, 0, 0]));
    assert_eq!(numbers(&poll(&dead, 400).await), (0..350).collect::<Vec<_>>());
}

/// IQ9: several queues share a dead-letter queue, each with several consumers, and nobody waits for ever.
async fn queues_can_share_a_dead_letter_queue(world: World) {
    let broker = world.broker().await;
    // Created in this order, its id lies between those of its sources.
    broker.queue("source-0").await.unwrap();
    broker.queue("source-1").await.unwrap();
    let dead = broker.queue("dead").await.unwrap();
    let mut workers = Vec::new();
    for n in 0..4 {
        let source = broker.queue(format!("source-{n}")).await.unwrap();
        let policy = QueueSettings::new().redrive_policy(RedrivePolicy::to("dead", 2));
        source.set_attributes(policy).await.unwrap();
        for body in 0..25 {
            source.send((100 * n + body).to_string()).await.unwrap();
        }
        for _ in 0..3 {
            let source = source.clone();
            workers.push(tokio::spawn(async move {
                let options = ReceiveOptions::up_to(4).wait_time(secs(3)).visibility_timeout(secs(1));
                while !source.receive(options.clone()).await.unwrap().is_empty() {}
            }));
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let mut found = Vec::new();
    for _ in 0..10 {
        for letter in poll(&dead, 10).await {
            let number = numbers(std::slice::from_ref(&letter))[0];
            assert_eq!(letter.receive_count, 3);
            assert_eq!(letter.dead_letter.unwrap().source, format!("source-{}", number / 100));
            found.push(number);
        }
    }
    found.sort_unstable();
    assert_eq!(found, (0..400).filter(|n| n % 100 < 25).collect::<Vec<_>>());
    assert_eq!(counts(&dead).await, [0, 100, 0]);
}

/// Q80: without a queue to go to, messages are delivered on.
async fn without_its_dead_letter_queue_a_message_is_delivered_on(world: World) {
    let (broker, orders, _dead) = queues(&world, 1).await;
    orders.send("poison").await.unwrap();
    poll_for(&orders, 1, secs(0)).await;
    broker.delete_queue("dead").await.unwrap();
    for delivery in 2..=4 {
        let [poison] = poll_for(&orders, 10, secs(0)).await.try_into().unwrap();
        assert_eq!(poison.receive_count, delivery);
    }
    let (broker, orders) = world.reopened(broker).await;
    assert_eq!(poll_for(&orders, 10, secs(0)).await.len(), 1);
    let dead = broker.queue("dead").await.unwrap();
    assert!(poll(&orders, 10).await.is_empty());
    assert_eq!(take(&dead).await.receive_count, 6);
}

/// Q80, Q81: a dead-letter queue may have one of its own, and counts its own deliveries.
async fn dead_letters_can_go_on_to_another_queue(world: World) {
    let broker = world.broker().await;
    broker.queue("deader").await.unwrap();
    let dead = broker.queue("dead").dead_letter("deader", 2).await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 3).await.unwrap();
    let sent = orders.send("poison").await.unwrap();
    fail_all(&orders).await;
    for receive_count in [4, 5] {
        let [letter] = poll_for(&dead, 1, secs(0)).await.try_into().unwrap();
        assert_eq!((letter.id, letter.receive_count), (sent.id, receive_count));
        assert_eq!(letter.dead_letter.unwrap().source, "orders");
    }
    assert!(poll(&dead, 1).await.is_empty());
    let letter = take(&broker.queue("deader").await.unwrap()).await;
    let why = letter.dead_letter.unwrap();
    assert_eq!((letter.id, letter.receive_count), (sent.id, 6));
    assert_eq!((why.source.as_str(), why.receive_count), ("dead", 5));
    assert_eq!((why.first_received_at, letter.sent_at), (letter.first_received_at, why.first_received_at));
}

everywhere! {
    after_its_last_delivery_the_next_receive_moves_a_message,
    a_message_that_may_be_delivered_once_is_moved_by_the_second_receive,
    a_message_that_is_given_back_counts_as_delivered,
    a_moved_message_keeps_what_it_was_and_says_why_it_came,
    the_retention_of_a_dead_letter_counts_from_when_it_was_sent,
    a_new_policy_applies_to_what_was_delivered_before,
    many_spent_messages_are_moved_and_none_is_lost,
    queues_can_share_a_dead_letter_queue,
    without_its_dead_letter_queue_a_message_is_delivered_on,
    dead_letters_can_go_on_to_another_queue,
}
