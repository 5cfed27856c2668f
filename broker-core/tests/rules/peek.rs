//! Seeing inside: looking at messages in passing.

use broker_core::{AttributeValue, Explanation, LocalQueue, PeekOptions, Peeked, QueueSettings, SendMessage};

use crate::support::{
    World, advance, assert_invalid, bulk, counts, numbers, poll, poll_for, refusal, secs, send_all,
    send_numbers, take, texts,
};

/// The whole queue, so many messages at a time.
pub(crate) async fn peek_all(queue: &LocalQueue, max: usize) -> Vec<Peeked> {
    let mut all = Vec::new();
    let mut options = PeekOptions::up_to(max);
    loop {
        let page = queue.peek(options).await.unwrap();
        let Some(last) = page.last() else { return all };
        assert!(page.len() <= max);
        options = options.after(last.sequence_number);
        all.extend(page);
    }
}

fn peeked_numbers(peeked: &[Peeked]) -> Vec<usize> {
    peeked.iter().map(|peeked| peeked.text().unwrap().parse().unwrap()).collect()
}

async fn a_peek_shows_every_message_with_its_state_in_order(world: World) {
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["in flight", "deleted"]).await;
    let [in_flight, deleted] = poll(&queue, 2).await.try_into().unwrap();
    queue.delete(deleted.receipt).await.unwrap();
    queue.send(SendMessage::from("delayed").delay(secs(60))).await.unwrap();
    let message = SendMessage::from("visible").attribute("source", AttributeValue::string("web"));
    let sent = queue.send(message.trace_header("trace").group_id("tenant")).await.unwrap();
    let peeked = queue.peek(PeekOptions::up_to(10)).await.unwrap();
    let [first, second, third] = peeked.try_into().unwrap();
    assert_eq!((first.text(), first.id, first.receive_count), (Ok("in flight"), in_flight.id, 1));
    assert_eq!(first.first_received_at, Some(in_flight.first_received_at));
    assert!(matches!(first.state, Explanation::InFlight { delivery: 1, .. }));
    assert_eq!((second.text(), second.receive_count, second.first_received_at), (Ok("delayed"), 0, None));
    assert!(matches!(second.state, Explanation::Delayed { .. }));
    assert_eq!((third.text(), third.id, &third.state), (Ok("visible"), sent.id, &Explanation::Visible));
    assert_eq!(third.attributes.get("source").and_then(AttributeValue::text), Some("web"));
    assert_eq!(third.trace_header.as_deref(), Some("trace"));
    assert_eq!(third.group_id.as_deref(), Some("tenant"));
    assert!(first.sequence_number < second.sequence_number);
    assert!(second.sequence_number < third.sequence_number);
}

async fn a_receive_after_a_peek_is_as_if_it_had_not_been(world: World) {
    let world = world.with_little_memory().limits(bulk());
    let (broker, queue) = world.queue().await;
    let twin = broker.queue("twin").await.unwrap();
    for queue in [&queue, &twin] {
        send_numbers(queue, 0..40, |n| secs(n as u64 % 3)).await;
        poll_for(queue, 7, secs(5)).await;
    }
    for _ in 0..6 {
        let before = queue.attributes().await.unwrap();
        let all = peek_all(&queue, 9).await;
        assert_eq!(peeked_numbers(&all), (0..40).collect::<Vec<_>>());
        assert_eq!(queue.attributes().await.unwrap(), before);
        assert_eq!(counts(&queue).await, counts(&twin).await);
        let (mine, others) = (poll_for(&queue, 6, secs(2)).await, poll_for(&twin, 6, secs(2)).await);
        assert_eq!(numbers(&mine), numbers(&others));
        assert!(mine.iter().zip(&others).all(|(mine, other)| mine.receive_count == other.receive_count));
        advance(secs(1)).await;
    }
}

async fn what_has_expired_is_not_shown(world: World) {
    let world = world.with_little_memory().limits(bulk());
    let (_broker, queue) = world.queue().await;
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    send_numbers(&queue, 0..20, |_| secs(0)).await;
    advance(secs(59)).await;
    send_numbers(&queue, 20..22, |_| secs(0)).await;
    advance(secs(1)).await;
    assert_eq!(peeked_numbers(&queue.peek(PeekOptions::up_to(5)).await.unwrap()), [20, 21]);
}

async fn a_fifo_queue_shows_its_sequence_numbers_and_what_is_blocked(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders.fifo").fifo().await.unwrap();
    let mut sent = Vec::new();
    for (n, group) in ["a", "b", "a"].into_iter().enumerate() {
        let message = SendMessage::from("m").group_id(group).deduplication_id(n.to_string());
        sent.push(queue.send(message).await.unwrap());
    }
    take(&queue).await;
    let peeked = queue.peek(PeekOptions::up_to(10)).await.unwrap();
    let numbers: Vec<_> = peeked.iter().map(|peeked| Some(peeked.sequence_number)).collect();
    assert_eq!(numbers, sent.iter().map(|sent| sent.sequence_number).collect::<Vec<_>>());
    assert_eq!(peeked[2].deduplication_id.as_deref(), Some("2"));
    assert_eq!(peeked[1].state, Explanation::Visible);
    assert!(matches!(&peeked[2].state, Explanation::Blocked { behind, .. } if *behind == sent[0].id));
    let after = PeekOptions::up_to(10).after(sent[1].sequence_number.unwrap());
    assert_eq!(queue.peek(after).await.unwrap(), peeked[2..]);
}

async fn a_dead_letter_is_shown_with_why_it_is_there(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 3).await.unwrap();
    let sent = orders.send("poison").await.unwrap();
    orders.dead_letter(take(&orders).await.receipt, "cannot be read").await.unwrap();
    assert_eq!(orders.peek(PeekOptions::up_to(1)).await.unwrap(), []);
    let [peeked] = dead.peek(PeekOptions::up_to(1)).await.unwrap().try_into().unwrap();
    assert_eq!((peeked.id, peeked.receive_count, peeked.state), (sent.id, 1, Explanation::Visible));
    let why = peeked.dead_letter.unwrap();
    assert_eq!((why.source.as_str(), why.reason.as_deref()), ("orders", Some("cannot be read")));
    let received = take(&dead).await;
    assert_eq!(received.receive_count, 2, "the peek has counted nothing");
}

/// The bytes of one peek are bounded; the rest follows.
async fn large_messages_come_in_several_pages(world: World) {
    let (_broker, queue) = world.queue().await;
    let large = "x".repeat(900_000);
    for _ in 0..7 {
        queue.send(large.as_str()).await.unwrap();
    }
    let first = queue.peek(PeekOptions::up_to(7)).await.unwrap();
    assert!((1..7).contains(&first.len()), "{}", first.len());
    assert_eq!(peek_all(&queue, 7).await.len(), 7);
}

async fn a_peek_shows_1_to_1000_messages(world: World) {
    let (broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b"]).await;
    for max in [0, 1_001] {
        let error = refusal(&queue, queue.peek(PeekOptions::up_to(max))).await;
        assert_invalid(&error, "max", &max.to_string(), "between 1 and 1000");
    }
    assert_eq!(queue.peek(PeekOptions::up_to(1_000)).await.unwrap().len(), 2);
    queue.purge().await.unwrap();
    assert_eq!(queue.peek(PeekOptions::up_to(1_000)).await.unwrap(), []);
    queue.send("c").await.unwrap();
    assert_eq!(texts(&poll(&queue, 1).await), ["c"]);
    drop(broker);
}

everywhere!(
    a_peek_shows_every_message_with_its_state_in_order,
    a_receive_after_a_peek_is_as_if_it_had_not_been,
    what_has_expired_is_not_shown,
    a_fifo_queue_shows_its_sequence_numbers_and_what_is_blocked,
    a_dead_letter_is_shown_with_why_it_is_there,
    large_messages_come_in_several_pages,
    a_peek_shows_1_to_1000_messages,
);
