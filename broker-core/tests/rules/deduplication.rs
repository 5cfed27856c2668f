//! What counts as the same message, for how long and among which: rules F20 to F24 and F26, IF5.

use broker_core::{DeduplicationScope, LocalQueue, QueueSettings, SendMessage, Sent};

use crate::{
    fifo_support::{NAME, delete, fifo, send},
    support::{World, advance, counts, ms, poll, poll_for, secs, take, texts},
};

/// How long an id is remembered.
const WINDOW: std::time::Duration = secs(300);

/// Sends `a1` again and checks whether it counts as the message that was sent before.
async fn is_duplicate_of(queue: &LocalQueue, original: Sent) -> bool {
    let sent = queue.send(fifo("a1")).await.unwrap();
    let same = (sent.id, sent.sequence_number) == (original.id, original.sequence_number);
    assert_eq!(sent.duplicate, same, "who is a duplicate is answered with the original");
    sent.duplicate
}

/// F20, F21.
async fn a_duplicate_is_accepted_answered_with_the_original_and_not_enqueued(world: World) {
    let (_broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1"]).await[0];
    assert!(!original.duplicate);
    send(&queue, &["a2", "b1"]).await;
    for _ in 0..3 {
        advance(secs(60)).await;
        let again = queue.send(fifo("a1")).await.unwrap();
        assert_eq!(again, Sent { duplicate: true, ..original });
    }
    assert_eq!(counts(&queue).await, [3, 0, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "b1"]);
}

/// F22. [`test_deduplication_interval`]
async fn a_duplicate_after_2_seconds_is_swallowed_and_one_after_6_minutes_is_not(world: World) {
    let (_broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1"]).await[0];
    advance(secs(2)).await;
    assert!(is_duplicate_of(&queue, original).await);
    advance(secs(358)).await;
    assert!(!is_duplicate_of(&queue, original).await);
    let [first, second] = &poll(&queue, 10).await[..] else { panic!("both are there") };
    assert!(first.id == original.id && first.sequence_number < second.sequence_number);
}

/// F20, F22: to the millisecond, and duplicates do not make it longer.
async fn the_window_ends_five_minutes_after_the_first_send(world: World) {
    let (_broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1"]).await[0];
    for _ in 0..29 {
        advance(secs(10)).await;
        assert!(is_duplicate_of(&queue, original).await);
    }
    advance(secs(10) - ms(1)).await;
    assert!(is_duplicate_of(&queue, original).await);
    advance(ms(1)).await;
    let second = queue.send(fifo("a1")).await.unwrap();
    assert!(!second.duplicate && second.id != original.id);
    advance(WINDOW - ms(1)).await;
    assert!(is_duplicate_of(&queue, second).await, "the second has a window of its own");
    advance(ms(1)).await;
    assert!(!is_duplicate_of(&queue, second).await);
    assert_eq!(counts(&queue).await, [3, 0, 0]);
}

/// F22.
async fn an_id_is_remembered_after_its_message_was_received_and_deleted(world: World) {
    let (_broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1"]).await[0];
    advance(secs(100)).await;
    let message = take(&queue).await;
    assert!(is_duplicate_of(&queue, original).await, "in flight");
    queue.delete(message.receipt).await.unwrap();
    assert!(is_duplicate_of(&queue, original).await, "deleted");
    advance(WINDOW - secs(100) - ms(1)).await;
    assert!(is_duplicate_of(&queue, original).await);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    advance(ms(1)).await;
    assert!(!is_duplicate_of(&queue, original).await);
    assert_eq!(take(&queue).await.receive_count, 1);
}

/// F26: whatever the message is doing.
async fn a_delayed_an_expired_and_a_visible_message_keep_their_id(world: World) {
    let broker = world.broker().await;
    let settings = QueueSettings::new().fifo(true).delay(secs(50)).retention(secs(60));
    let queue = broker.queue(NAME).settings(settings).await.unwrap();
    let original = send(&queue, &["a1"]).await[0];
    for [visible, in_flight, delayed] in [[0, 0, 1], [1, 0, 0], [0, 0, 0]] {
        assert_eq!(counts(&queue).await, [visible, in_flight, delayed]);
        assert!(is_duplicate_of(&queue, original).await);
        advance(secs(50)).await;
    }
    advance(WINDOW - secs(150) - ms(1)).await;
    assert!(is_duplicate_of(&queue, original).await);
    advance(ms(1)).await;
    assert!(!is_duplicate_of(&queue, original).await);
    assert_eq!(counts(&queue).await, [0, 0, 1]);
}

/// F26.
async fn a_dead_lettered_message_keeps_its_id(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    let queue = broker.queue(NAME).fifo().dead_letter("dead.fifo", 1).await.unwrap();
    let original = send(&queue, &["a1"]).await[0];
    poll_for(&queue, 1, secs(0)).await;
    assert!(poll(&queue, 1).await.is_empty(), "moved");
    assert_eq!((counts(&queue).await, counts(&dead).await), ([0, 0, 0], [1, 0, 0]));
    assert!(is_duplicate_of(&queue, original).await);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    advance(WINDOW).await;
    assert!(!is_duplicate_of(&queue, original).await);
}

/// F23.
async fn only_the_id_counts_not_what_is_sent_with_it(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().dedup_by_content().await.unwrap();
    let original = send(&queue, &["a1"]).await[0];
    let other = SendMessage::from("other body").group_id("z").trace_header("t").deduplication_id("a1");
    assert_eq!(queue.send(other).await.unwrap(), Sent { duplicate: true, ..original });
    let original = queue.send(SendMessage::from("hello").group_id("g")).await.unwrap();
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let explicit = SendMessage::from("not hello").group_id("g").deduplication_id(hash);
    assert_eq!(queue.send(explicit).await.unwrap(), Sent { duplicate: true, ..original });
    let upper = SendMessage::from("m").group_id("g").deduplication_id(hash.to_uppercase());
    assert!(!queue.send(upper).await.unwrap().duplicate, "case matters");
    assert_eq!(counts(&queue).await, [3, 0, 0]);
}

fn of_group(group: &str) -> SendMessage {
    SendMessage::from("m").group_id(group).deduplication_id("d")
}

/// F24.
async fn by_default_an_id_is_the_same_in_every_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    let original = queue.send(of_group("a")).await.unwrap();
    assert_eq!(queue.send(of_group("b")).await.unwrap(), Sent { duplicate: true, ..original });
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// F24, IF5: and across a restart.
async fn in_the_scope_of_a_group_an_id_is_another_in_each_group(world: World) {
    let broker = world.broker().await;
    let scope = DeduplicationScope::MessageGroup;
    let queue = broker.queue(NAME).fifo().deduplication_scope(scope).await.unwrap();
    let a = queue.send(of_group("a")).await.unwrap();
    let b = queue.send(of_group("b")).await.unwrap();
    assert!(!b.duplicate);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(queue.send(of_group("a")).await.unwrap(), Sent { duplicate: true, ..a });
    assert_eq!(queue.send(of_group("b")).await.unwrap(), Sent { duplicate: true, ..b });
    assert!(!queue.send(of_group("c")).await.unwrap().duplicate);
    assert_eq!(counts(&queue).await, [3, 0, 0]);
}

/// F24: group and id are not run together.
async fn in_the_scope_of_a_group_the_id_and_the_group_are_kept_apart(world: World) {
    let broker = world.broker().await;
    let scope = DeduplicationScope::MessageGroup;
    let queue = broker.queue(NAME).fifo().deduplication_scope(scope).await.unwrap();
    for (group, id) in [("ab", "c"), ("a", "bc"), ("abc", "c"), ("c", "ab")] {
        let message = SendMessage::from("m").group_id(group).deduplication_id(id);
        assert!(!queue.send(message.clone()).await.unwrap().duplicate);
        assert!(queue.send(message).await.unwrap().duplicate);
    }
}

/// F24. [`test_fifo_change_to_high_throughput_after_creation`, `…to_regular_throughput…`] A later change is shown and
/// changes nothing, in either direction.
async fn the_scope_in_force_is_that_at_creation(world: World) {
    let broker = world.broker().await;
    let (queue_wide, by_group) = (DeduplicationScope::Queue, DeduplicationScope::MessageGroup);
    for (name, at_creation, later) in [("a.fifo", queue_wide, by_group), ("b.fifo", by_group, queue_wide)] {
        let queue = broker.queue(name).fifo().deduplication_scope(at_creation).await.unwrap();
        queue.send(of_group("before")).await.unwrap();
        queue.set_attributes(QueueSettings::new().deduplication_scope(later)).await.unwrap();
        let shown = queue.attributes().await.unwrap().fifo.unwrap().deduplication_scope;
        assert_eq!(shown, later);
        let duplicate = queue.send(of_group("after")).await.unwrap().duplicate;
        assert_eq!(duplicate, at_creation == queue_wide, "{name}");
    }
    broker.close().await.unwrap();
    let broker = world.broker().await;
    for (name, expected) in [("a.fifo", true), ("b.fifo", false)] {
        let queue = broker.open_queue(name).await.unwrap();
        assert_eq!(queue.send(of_group("reopened")).await.unwrap().duplicate, expected, "{name}");
    }
}

/// F20: two queues know nothing of each other.
async fn an_id_is_remembered_by_its_own_queue(world: World) {
    let (broker, queue) = world.fifo().await;
    let other = broker.queue("other.fifo").fifo().await.unwrap();
    send(&queue, &["a1"]).await;
    assert!(!other.send(fifo("a1")).await.unwrap().duplicate);
}

/// F20, F15: a duplicate does not move its original, and the group goes on behind it.
async fn a_duplicate_does_not_change_the_order_of_its_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a1", "a3", "a2"]).await;
    let received = poll(&queue, 1).await;
    assert_eq!(texts(&received), ["a1"]);
    assert!(queue.send(fifo("a1")).await.unwrap().duplicate);
    delete(&queue, &received).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a2", "a3"]);
}

everywhere! {
    a_duplicate_is_accepted_answered_with_the_original_and_not_enqueued,
    a_duplicate_after_2_seconds_is_swallowed_and_one_after_6_minutes_is_not,
    the_window_ends_five_minutes_after_the_first_send,
    an_id_is_remembered_after_its_message_was_received_and_deleted,
    a_delayed_an_expired_and_a_visible_message_keep_their_id,
    a_dead_lettered_message_keeps_its_id,
    only_the_id_counts_not_what_is_sent_with_it,
    by_default_an_id_is_the_same_in_every_group,
    in_the_scope_of_a_group_an_id_is_another_in_each_group,
    in_the_scope_of_a_group_the_id_and_the_group_are_kept_apart,
    the_scope_in_force_is_that_at_creation,
    an_id_is_remembered_by_its_own_queue,
    a_duplicate_does_not_change_the_order_of_its_group,
}
