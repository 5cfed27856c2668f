//! Receives that are tried again with the id of their attempt: rule F39.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Error, Limits, LocalQueue, Message, ReceiveOptions,
    storage::faults::{Gate, SlowStorage},
};
use broker_mem::MemStorage;
use futures_util::FutureExt;

use crate::{
    fifo_support::{NAME, attempt, delete, give_back, send},
    support::{World, advance, assert_invalid, counts, ms, poll, refusal, secs, texts},
};

async fn three(world: &World) -> (Broker, LocalQueue) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1"]).await;
    (broker, queue)
}

/// An attempt whose messages stay invisible for `timeout`.
async fn attempt_for(queue: &LocalQueue, id: &str, max: usize, timeout: Duration) -> Vec<Message> {
    let options = ReceiveOptions::up_to(max).wait_time(Duration::ZERO).visibility_timeout(timeout);
    queue.receive(options.attempt_id(id)).await.unwrap()
}

/// F39: the same messages, receipts and counts.
async fn the_same_attempt_returns_the_same_messages_and_receipts(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 10).await;
    assert_eq!(texts(&first), ["a1", "a2", "b1"]);
    assert!(first.iter().all(|message| message.receive_count == 1));
    advance(secs(10)).await;
    send(&queue, &["a3", "c1"]).await;
    for _ in 0..3 {
        assert_eq!(attempt(&queue, "try", 10).await, first);
    }
    assert_eq!(counts(&queue).await, [2, 3, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["c1"], "without it, others");
    delete(&queue, &first).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a3"]);
}

/// F39: the visibility timeout begins anew, with the length that the retry says.
async fn the_same_attempt_starts_the_visibility_timeout_again(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 10).await;
    advance(secs(20)).await;
    assert_eq!(attempt(&queue, "try", 10).await, first);
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    assert_eq!(attempt_for(&queue, "try", 10, secs(100)).await, first);
    advance(secs(100) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    let again = poll(&queue, 10).await;
    assert!(again.len() == 3 && again.iter().all(|message| message.receive_count == 2));
}

/// F39: another id, or none, is another attempt.
async fn another_attempt_gets_other_messages(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "one", 2).await;
    let second = attempt(&queue, "two", 2).await;
    assert_eq!((texts(&first), texts(&second)), (vec!["a1", "a2"], vec!["b1"]));
    assert!(attempt(&queue, "three", 10).await.is_empty() && poll(&queue, 10).await.is_empty());
    assert_eq!(attempt(&queue, "two", 2).await, second);
    assert_eq!(attempt(&queue, "one", 2).await, first);
    assert!(attempt(&queue, "ONE", 2).await.is_empty(), "case matters");
}

/// F39: when all are visible again, a new set.
async fn after_the_visibility_timeout_an_attempt_gets_a_new_set(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 2).await;
    advance(secs(30)).await;
    send(&queue, &["a3"]).await;
    let mut second = attempt(&queue, "try", 10).await;
    second.sort_by_key(|message| message.group_id.clone());
    assert_eq!(texts(&second), ["a1", "a2", "a3", "b1"]);
    assert!(second[0].receipt != first[0].receipt && second[0].receive_count == 2);
    let mut third = attempt(&queue, "try", 10).await;
    third.sort_by_key(|message| message.group_id.clone());
    assert_eq!(third, second);
}

/// F39: once one of them was deleted the attempt is over.
async fn after_a_delete_an_attempt_gets_what_others_would(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 2).await;
    delete(&queue, &first[..1]).await;
    advance(secs(10)).await;
    assert_eq!(texts(&attempt(&queue, "try", 10).await), ["b1"]);
    assert_eq!(counts(&queue).await, [0, 2, 0]);
    advance(secs(20)).await;
    assert_eq!(texts(&poll(&queue, 1).await), ["a2"], "its timeout has not begun anew");
}

/// F39: and once the visibility of one was changed, longer, shorter or to zero.
async fn after_a_change_of_visibility_an_attempt_gets_what_others_would(world: World) {
    for timeout in [secs(0), secs(5), secs(60)] {
        let (broker, queue) = three(&world).await;
        let first = attempt(&queue, "try", 2).await;
        queue.change_visibility(first[1].receipt, timeout).await.unwrap();
        advance(secs(10)).await;
        assert_eq!(texts(&attempt(&queue, "try", 10).await), ["b1"], "{timeout:?}");
        advance(secs(20)).await;
        let others = poll(&queue, 1).await;
        assert_eq!((texts(&others), others[0].receive_count), (vec!["a1"], 2));
        broker.delete_queue(NAME).await.unwrap();
        broker.close().await.unwrap();
    }
}

/// F39: five minutes after the receive the id means nothing.
async fn an_attempt_can_be_repeated_for_five_minutes(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt_for(&queue, "try", 10, secs(1_000)).await;
    advance(secs(300) - ms(1)).await;
    let options = || ReceiveOptions::up_to(10).visibility_timeout(secs(1_000)).attempt_id("try");
    assert_eq!(queue.receive(options()).await.unwrap(), first);
    let other = {
        send(&queue, &["c1"]).await;
        attempt_for(&queue, "other", 10, secs(1_000)).await
    };
    assert_eq!(texts(&other), ["c1"]);
    advance(secs(300)).await;
    assert!(attempt(&queue, "try", 10).await.is_empty() && attempt(&queue, "other", 10).await.is_empty());
    assert_eq!(counts(&queue).await, [0, 4, 0]);
}

/// F39: what found nothing is not repeated.
async fn an_attempt_that_was_empty_looks_again(world: World) {
    let (_broker, queue) = world.fifo().await;
    assert!(attempt(&queue, "try", 10).await.is_empty());
    send(&queue, &["a1"]).await;
    let first = attempt(&queue, "try", 10).await;
    assert_eq!(texts(&first), ["a1"]);
    assert_eq!(attempt(&queue, "try", 10).await, first);
}

/// F39, IQ14: a purge ends every attempt, and a message that has expired or moved is not returned either.
async fn an_attempt_returns_nothing_that_has_gone(world: World) {
    let broker = world.broker().await;
    broker.queue("dead.fifo").fifo().await.unwrap();
    let queue = broker.queue(NAME).fifo().dead_letter("dead.fifo", 5).retention(secs(60)).await.unwrap();
    send(&queue, &["a1"]).await;
    attempt_for(&queue, "purged", 10, secs(1_000)).await;
    queue.purge().await.unwrap();
    assert!(attempt(&queue, "purged", 10).await.is_empty());
    send(&queue, &["b1"]).await;
    let moved = attempt_for(&queue, "moved", 10, secs(1_000)).await.remove(0);
    queue.dead_letter(moved.receipt, "poison").await.unwrap();
    assert!(attempt(&queue, "moved", 10).await.is_empty());
    send(&queue, &["c1"]).await;
    attempt_for(&queue, "expired", 10, secs(1_000)).await;
    advance(secs(60)).await;
    assert!(attempt(&queue, "expired", 10).await.is_empty());
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// F39: with one of its messages received again by somebody else, an attempt does not take it away (IQ4).
async fn an_attempt_takes_nothing_from_others(world: World) {
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 10).await;
    give_back(&queue, &first).await;
    let others = poll(&queue, 10).await;
    assert_eq!(others.len(), 3);
    assert!(attempt(&queue, "try", 10).await.is_empty());
    delete(&queue, &others).await;
    assert!(attempt(&queue, "try", 10).await.is_empty());
}

/// F39, F36: a repeat takes no more of what may be in flight.
async fn an_attempt_is_repeated_at_the_in_flight_limit_too(world: World) {
    let world = world.limits(Limits { in_flight_max: 2, ..Limits::aws() });
    let (_broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 10).await;
    assert_eq!(texts(&first), ["a1", "a2"]);
    assert!(poll(&queue, 10).await.is_empty());
    assert_eq!(attempt(&queue, "try", 10).await, first);
    assert_eq!(counts(&queue).await, [1, 2, 0]);
}

/// The id is for the life of the broker: after a restart a repeat is a receive like any other.
async fn after_a_restart_an_attempt_is_a_new_one(world: World) {
    let (broker, queue) = three(&world).await;
    let first = attempt(&queue, "try", 10).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(attempt(&queue, "try", 10).await.is_empty());
    assert_eq!(counts(&queue).await, [0, 3, 0]);
    advance(secs(30)).await;
    let second = attempt(&queue, "try", 10).await;
    assert!(second.len() == 3 && second[0].receive_count == 2);
    assert_ne!(first[0].receipt, second[0].receipt);
}

/// F39.
async fn an_attempt_id_has_1_to_128_letters_digits_and_punctuation(world: World) {
    let (_broker, queue) = three(&world).await;
    let long = "t".repeat(129);
    for id in ["", " ", "a b", "é", "a\n", &long] {
        let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(10).attempt_id(id))).await;
        assert!(matches!(error, Error::InvalidParameter { field: "attempt_id", .. }), "{error:?}");
    }
    let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(10).attempt_id("a b"))).await;
    assert_invalid(&error, "attempt_id", "a b", "1 to 128");
    for id in ["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", &long[1..]] {
        attempt(&queue, id, 1).await;
    }
}

/// F39: FIFO only. Refused like other parameters that a standard queue does not have (Q26).
async fn an_attempt_id_is_refused_on_a_standard_queue(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(1).attempt_id("try"))).await;
    assert_invalid(&error, "attempt_id", "try", "FIFO queues only");
}

/// F39, Q53: the repeat of a long poll does not wait.
async fn a_repeated_long_poll_returns_at_once(world: World) {
    let (_broker, queue) = three(&world).await;
    let poll = || ReceiveOptions::up_to(10).wait_time(secs(20)).attempt_id("try");
    let first = queue.receive(poll()).await.unwrap();
    let begin = tokio::time::Instant::now();
    assert_eq!(queue.receive(poll()).await.unwrap(), first);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

everywhere! {
    the_same_attempt_returns_the_same_messages_and_receipts,
    the_same_attempt_starts_the_visibility_timeout_again,
    another_attempt_gets_other_messages,
    after_the_visibility_timeout_an_attempt_gets_a_new_set,
    after_a_delete_an_attempt_gets_what_others_would,
    after_a_change_of_visibility_an_attempt_gets_what_others_would,
    an_attempt_can_be_repeated_for_five_minutes,
    an_attempt_that_was_empty_looks_again,
    an_attempt_returns_nothing_that_has_gone,
    an_attempt_takes_nothing_from_others,
    an_attempt_is_repeated_at_the_in_flight_limit_too,
    after_a_restart_an_attempt_is_a_new_one,
    an_attempt_id_has_1_to_128_letters_digits_and_punctuation,
    an_attempt_id_is_refused_on_a_standard_queue,
    a_repeated_long_poll_returns_at_once,
}

/// A queue with `a1` and `a2`, whose commits can be held.
async fn gated() -> (Gate, LocalQueue) {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let queue = Broker::open(store).await.unwrap().queue(NAME).fifo().await.unwrap();
    send(&queue, &["a1", "a2"]).await;
    (gate, queue)
}

/// Makes an attempt and drops it while its commit waits.
fn drop_attempt(gate: &Gate, queue: &LocalQueue, id: &str) {
    gate.hold();
    let mut dropped = Box::pin(queue.receive(ReceiveOptions::up_to(10).attempt_id(id)));
    assert!(dropped.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    drop(dropped);
    gate.open();
}

/// F39, IQ18: an attempt whose future was dropped has given its messages back, and there is nothing to repeat.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_dropped_is_not_repeated() {
    let (gate, queue) = gated().await;
    drop_attempt(&gate, &queue, "try");
    assert_eq!(counts(&queue).await, [2, 0, 0]);
    let first = attempt(&queue, "try", 10).await;
    assert_eq!((texts(&first), first[0].receive_count), (vec!["a1", "a2"], 1));
    assert_eq!(attempt(&queue, "try", 10).await, first);
}

/// F39, IQ18, IQ6: a repeat has leased nothing, so a dropped one gives nothing back: who has the messages keeps them.
#[tokio::test(start_paused = true)]
async fn a_repeat_that_was_dropped_leaves_its_messages_in_flight() {
    let (gate, queue) = gated().await;
    let first = attempt(&queue, "try", 10).await;
    advance(secs(1)).await;
    drop_attempt(&gate, &queue, "try");
    assert_eq!(counts(&queue).await, [0, 2, 0]);
    assert!(poll(&queue, 10).await.is_empty());
    delete(&queue, &first[..1]).await;
    advance(secs(30)).await;
    let [again] = &poll(&queue, 10).await[..] else { panic!("a2 is visible again") };
    assert_eq!((again.text(), again.receive_count), (Ok("a2"), 2));
    assert_ne!(again.receipt, first[1].receipt);
}
