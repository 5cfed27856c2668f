//! What a move task does with messages: what they are afterwards, how fast it is, across restarts (Q86, Q90, F54).

use broker_core::{
    AttributeValue, Explanation, LocalQueue, MoveFilter, MoveTask, MoveTaskStatus, QueueExt, SendMessage,
    Timestamp,
};

use crate::{
    moves::{ended, fail_all, moved, newest, with_dead},
    support::{
        World, advance, counts, ms, numbers, poll, poll_for, secs, send_all, send_numbers, settle_down, take,
        texts, waiter,
    },
};

/// Q86.
async fn without_a_destination_messages_go_back_to_where_they_came_from(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a", "b"]).await;
    let others = broker.queue("others").dead_letter("dead", 2).await.unwrap();
    send_all(&others, &["x", "y"]).await;
    fail_all(&others).await;
    send_all(&orders, &["c"]).await;
    fail_all(&orders).await;
    let plan = broker.plan_move(&MoveTask::from("dead")).await.unwrap();
    assert_eq!((plan.matching, plan.skipped, plan.in_flight, plan.stranded), (5, 0, 0, 0));
    assert_eq!(plan.by_destination, [("orders".into(), 3), ("others".into(), 2)].into());
    assert_eq!(counts(&dead).await, [5, 0, 0], "a dry run moves nothing");
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead")).await, 5);
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    assert_eq!(texts(&poll(&orders, 10).await), ["a", "b", "c"]);
    assert_eq!(texts(&poll(&others, 10).await), ["x", "y"]);
}

/// Q90.
async fn moved_messages_are_new_ones(world: World) {
    let (broker, orders, dead) = with_dead(&world, &[]).await;
    let sent = SendMessage::from("socks").attribute("size", AttributeValue::number("9"));
    let sent = sent.attribute("raw", AttributeValue::binary(vec![0, 1])).trace_header("Root=1").group_id("g");
    let id = orders.send(sent.clone()).await.unwrap().id;
    fail_all(&orders).await;
    advance(secs(100)).await;
    let letter = take(&dead).await;
    assert_eq!((letter.id, letter.receive_count), (id, 2));
    dead.change_visibility(letter.receipt, secs(0)).await.unwrap();
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead")).await, 1);
    let explained = dead.explain(id).await.unwrap();
    assert!(matches!(explained, Explanation::Moved { queue, receives: 2, .. } if queue == "orders"));
    let (_broker, orders) = world.reopened(broker).await;
    let new = take(&orders).await;
    assert_ne!(new.id, id);
    assert_eq!((&new.body, &new.attributes), (&sent.body, &sent.attributes));
    assert_eq!((new.trace_header, new.group_id), (sent.trace_header, sent.group_id));
    assert_eq!((new.receive_count, new.dead_letter), (1, None));
    assert!(new.sent_at.since(letter.sent_at) >= secs(100) && new.first_received_at >= new.sent_at);
    // And so it fails anew, as the message that it is now.
    orders.change_visibility(new.receipt, secs(0)).await.unwrap();
    fail_all(&orders).await;
}

/// Also if it came before the broker was opened, and others have come and gone since.
async fn what_a_task_has_moved_away_says_where_it_went(world: World) {
    let (broker, orders, dead) = with_dead(&world, &[]).await;
    let t0 = world.now();
    let mut ids = Vec::new();
    for body in ["a", "b"] {
        ids.push(orders.send(body).await.unwrap().id);
    }
    fail_all(&orders).await;
    drop((orders, dead));
    let (broker, _orders) = world.reopened(broker).await;
    let dead = broker.open_queue("dead").await.unwrap();
    let task = MoveTask::from("dead").filter(MoveFilter::new().body_contains("a"));
    assert_eq!(moved(&broker, "dead", task).await, 1);
    let Explanation::Moved { queue, receives, at } = dead.explain(ids[0]).await.unwrap() else { panic!() };
    assert_eq!((queue.as_str(), receives), ("orders", 1));
    assert!(at >= t0 && at <= world.now());
    assert_eq!(dead.explain(ids[1]).await.unwrap(), Explanation::Visible);
}

/// Q90: retention counts from the move.
async fn the_retention_of_moved_messages_starts_anew(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a"]).await;
    advance(secs(4 * 86_400 - 60)).await;
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead")).await, 1);
    advance(secs(4 * 86_400 - 60)).await;
    assert_eq!((counts(&orders).await, counts(&dead).await), ([1, 0, 0], [0, 0, 0]));
    advance(secs(60)).await;
    assert_eq!(counts(&orders).await, [0, 0, 0]);
}

/// Q90: the delay of the destination is that of a new message.
async fn moved_messages_are_delayed_as_new_ones_are(world: World) {
    let (broker, _orders, _dead) = with_dead(&world, &["a"]).await;
    let later = broker.queue("later").delay(secs(5)).await.unwrap();
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead").to("later")).await, 1);
    assert_eq!(counts(&later).await, [0, 0, 1]);
    assert_eq!(later.recv().await.unwrap().text(), Ok("a"));
}

/// F54.
async fn moved_fifo_messages_keep_their_groups_and_their_order(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let orders = broker.queue("orders.fifo").fifo().dead_letter("dead.fifo", 1).await.unwrap();
    let message = |body: &str| SendMessage::from(body).group_id(&body[..1]).deduplication_id(body);
    for body in ["a1", "b1", "a2", "a3", "b2"] {
        orders.send(message(body)).await.unwrap();
    }
    fail_all(&orders).await;
    let letters = poll_for(&dead, 10, secs(0)).await;
    assert_eq!(letters.len(), 5);
    assert_eq!(moved(&broker, "dead.fifo", MoveTask::from("dead.fifo")).await, 5);
    // Its own id still counts, while it is remembered; the one that it has now was never sent, and is not remembered.
    assert!(orders.send(message("a1")).await.unwrap().duplicate);
    let clash = SendMessage::from("c1").group_id("c").deduplication_id(letters[0].id.to_string());
    assert!(!orders.send(clash).await.unwrap().duplicate);
    let mut received = Vec::new();
    loop {
        let some = poll(&orders, 10).await;
        if some.is_empty() {
            break;
        }
        for message in &some {
            orders.delete(message.receipt).await.unwrap();
        }
        received.extend(some);
    }
    let of = |group: &str| -> Vec<_> {
        let mine = received.iter().filter(|message| message.group_id.as_deref() == Some(group));
        mine.map(|message| message.text().unwrap()).collect()
    };
    assert_eq!((of("a"), of("b"), of("c")), (vec!["a1", "a2", "a3"], vec!["b1", "b2"], vec!["c1"]));
    for letter in &letters {
        let now = received.iter().find(|message| message.body == letter.body).unwrap();
        assert_eq!(now.deduplication_id, Some(letter.id.to_string()));
        assert_ne!(now.id, letter.id);
        assert_eq!((now.receive_count, &now.dead_letter), (1, &None));
    }
}

/// A dead-letter queue with so many dead letters, `0` and on.
async fn numbered(world: &World, many: usize) -> (broker_core::Broker, LocalQueue, LocalQueue) {
    let (broker, orders, dead) = with_dead(world, &[]).await;
    let mut from = 0;
    while from < many {
        let to = many.min(from + 10);
        send_numbers(&orders, from..to, |_| secs(0)).await;
        from = to;
    }
    fail_all(&orders).await;
    (broker, orders, dead)
}

/// Q86.
async fn a_task_moves_no_more_in_a_second_than_it_may(world: World) {
    let (broker, orders, _dead) = numbered(&world, 35).await;
    broker.start_move_task(MoveTask::from("dead").max_per_second(10)).await.unwrap();
    let mut last = 0;
    for second in 0..4 {
        settle_down().await;
        let moved = newest(&broker, "dead").await.moved;
        assert_eq!((moved, last), (35_u64.min(10 * (second + 1)), 10 * second));
        advance(ms(990)).await;
        settle_down().await;
        assert_eq!(newest(&broker, "dead").await.moved, moved, "second {second}");
        last = moved;
        advance(ms(8)).await;
    }
    assert_eq!(ended(&broker, "dead").await.status, MoveTaskStatus::Completed);
    let received = [poll(&orders, 10).await, poll(&orders, 10).await, poll(&orders, 10).await].concat();
    assert_eq!(numbers(&received), (0..30).collect::<Vec<_>>());
}

/// Q88: it goes on where it was, at the rate that it had.
async fn a_task_goes_on_after_a_restart(world: World) {
    let (broker, orders, dead) = numbered(&world, 35).await;
    broker.start_move_task(MoveTask::from("dead").max_per_second(10)).await.unwrap();
    settle_down().await;
    advance(ms(1_100)).await;
    settle_down().await;
    drop((orders, dead));
    let (mut broker, mut orders) = world.reopened(broker).await;
    assert_eq!(newest(&broker, "dead").await.moved, 20);
    for _ in 0..3 {
        settle_down().await;
        assert_eq!(newest(&broker, "dead").await.moved, 20, "a restart is no reason to be faster");
        drop(orders);
        (broker, orders) = world.reopened(broker).await;
    }
    let task = ended(&broker, "dead").await;
    assert_eq!((task.status, task.to_move, task.moved), (MoveTaskStatus::Completed, 35, 35));
    let mut received = Vec::new();
    for _ in 0..4 {
        received.extend(numbers(&poll(&orders, 10).await));
    }
    assert_eq!(received, (0..35).collect::<Vec<_>>());
}

/// Q86: with messages that are in flight or delayed, and those that fail again meanwhile.
async fn a_task_moves_once_what_could_be_received_at_its_start(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a", "b", "c", "d"]).await;
    dead.send(SendMessage::from("later").delay(secs(60))).await.unwrap();
    let [a] = poll_for(&dead, 1, secs(600)).await.try_into().unwrap();
    let task = MoveTask::from("dead").to("orders").max_per_second(1);
    let plan = broker.plan_move(&task).await.unwrap();
    assert_eq!((plan.matching, plan.in_flight), (3, 2));
    broker.start_move_task(task).await.unwrap();
    for _ in 0..6 {
        fail_all(&orders).await;
        advance(ms(500)).await;
        settle_down().await;
    }
    let task = ended(&broker, "dead").await;
    assert_eq!((task.status, task.to_move, task.moved), (MoveTaskStatus::Completed, 3, 3));
    fail_all(&orders).await;
    assert_eq!((a.text(), counts(&dead).await), (Ok("a"), [3, 1, 1]));
    assert_eq!(texts(&poll(&dead, 10).await), ["b", "c", "d"]);
}

/// Q86: all that is asked of a message must hold.
async fn a_filter_says_what_is_moved(world: World) {
    let (broker, orders, dead) = with_dead(&world, &[]).await;
    let others = broker.queue("others").dead_letter("dead", 1).await.unwrap();
    let mut times: Vec<Timestamp> = Vec::new();
    for (queue, body, group, size, reason) in [
        (&orders, "red socks", Some("g"), "9", "timeout at host 7"),
        (&orders, "blue socks", None, "10", "no such size"),
        (&others, "red shoes", Some("h"), "9", "timeout"),
    ] {
        let mut message = SendMessage::from(body).attribute("size", AttributeValue::number(size));
        message.group_id = group.map(Into::into);
        queue.send(message).await.unwrap();
        let delivery = queue.recv().await.unwrap();
        delivery.dead(reason).await.unwrap();
        let letters = poll_for(&dead, 10, secs(0)).await;
        times.push(letters.last().unwrap().dead_letter.as_ref().unwrap().moved_at);
        advance(secs(1)).await;
    }
    dead.send("red direct").await.unwrap();
    let any = MoveFilter::new;
    let cases = [
        (any(), vec!["red socks", "blue socks", "red shoes", "red direct"]),
        (any().source("orders"), vec!["red socks", "blue socks"]),
        (any().group_id("h"), vec!["red shoes"]),
        (any().reason_contains("timeout"), vec!["red socks", "red shoes"]),
        (any().body_contains("red"), vec!["red socks", "red shoes", "red direct"]),
        (any().attribute("size", "9"), vec!["red socks", "red shoes"]),
        (any().attribute("size", "9").attribute("size2", "9"), vec![]),
        (any().moved_after(times[1]), vec!["blue socks", "red shoes"]),
        (any().moved_before(times[1]), vec!["red socks"]),
        (any().moved_after(times[1]).moved_before(times[2]), vec!["blue socks"]),
        (any().source("orders").body_contains("red").reason_contains("host 7"), vec!["red socks"]),
        (any().source("others").body_contains("blue"), vec![]),
    ];
    let target = broker.queue("target").await.unwrap();
    for (filter, expected) in cases {
        let task = MoveTask::from("dead").to("target").filter(filter.clone());
        let plan = broker.plan_move(&task).await.unwrap();
        let many = expected.len() as u64;
        assert_eq!((plan.matching, plan.skipped), (many, 4 - many), "{filter:?}");
        let json = serde_json::to_string(&filter).unwrap();
        assert_eq!(serde_json::from_str::<MoveFilter>(&json).unwrap(), filter);
    }
    let filter = any().source("orders").reason_contains("timeout").attribute("size", "9");
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead").to("target").filter(filter)).await, 1);
    assert_eq!(texts(&poll(&target, 10).await), ["red socks"]);
    assert_eq!(texts(&poll(&dead, 10).await), ["blue socks", "red shoes", "red direct"]);
}

/// IQ16.
async fn a_moved_message_ends_a_wait(world: World) {
    let (broker, orders, _dead) = with_dead(&world, &["a"]).await;
    let waiting = waiter(&orders, secs(20)).await;
    broker.start_move_task(MoveTask::from("dead")).await.unwrap();
    let (received, waited) = waiting.await.unwrap();
    assert_eq!(texts(&received.unwrap()), ["a"]);
    assert!(waited < secs(1));
}

everywhere! {
    without_a_destination_messages_go_back_to_where_they_came_from,
    moved_messages_are_new_ones,
    what_a_task_has_moved_away_says_where_it_went,
    the_retention_of_moved_messages_starts_anew,
    moved_messages_are_delayed_as_new_ones_are,
    moved_fifo_messages_keep_their_groups_and_their_order,
    a_task_moves_no_more_in_a_second_than_it_may,
    a_task_goes_on_after_a_restart,
    a_task_moves_once_what_could_be_received_at_its_start,
    a_filter_says_what_is_moved,
    a_moved_message_ends_a_wait,
}
