//! What frees a group, and that whoever waits for it is woken: IF2, IF8, IQ16 and IQ17 for message groups, and the
//! in-flight limit of F36.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Broker, Clock, Limits, LocalQueue, Message, QueueSettings, Result, Sleep, Timestamp, TokioClock,
};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::{
    fifo_support::{NAME, delete, fifo, give_back, long_poll, send},
    support::{World, advance, counts, ms, poll, poll_for, secs, settle_down, texts, waiter},
};

/// What a waiter received, and how long it waited.
async fn arrived(waiting: JoinHandle<(Result<Vec<Message>>, Duration)>) -> (Vec<String>, Duration) {
    let (received, waited) = waiting.await.unwrap();
    let received = received.unwrap();
    (texts(&received).into_iter().map(str::to_owned).collect(), waited)
}

/// A group of two whose first message is in flight for `timeout`, and a waiter.
async fn blocked(
    queue: &LocalQueue,
    timeout: Duration,
) -> (Vec<Message>, JoinHandle<(Result<Vec<Message>>, Duration)>) {
    send(queue, &["a1", "a2"]).await;
    let head = poll_for(queue, 1, timeout).await;
    assert_eq!(texts(&head), ["a1"]);
    (head, waiter(queue, secs(20)).await)
}

/// IF2, IQ16.
async fn a_delete_frees_the_group_and_ends_a_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    let (head, waiting) = blocked(&queue, secs(100)).await;
    delete(&queue, &head).await;
    assert_eq!(arrived(waiting).await, (vec!["a2".into()], ms(1)));
}

/// IF2, IQ16: the one delete that leaves nothing in flight before the rest.
async fn the_last_delete_frees_the_group_and_ends_a_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a3", "a4"]).await;
    let received = poll_for(&queue, 3, secs(100)).await;
    let waiting = waiter(&queue, secs(20)).await;
    for n in [2, 0] {
        delete(&queue, &received[n..=n]).await;
        settle_down().await;
        assert!(!waiting.is_finished());
    }
    delete(&queue, &received[1..2]).await;
    assert_eq!(arrived(waiting).await, (vec!["a4".into()], ms(3)));
}

/// IF2, IQ16.
async fn the_end_of_a_timeout_frees_the_group_and_ends_a_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    let (_, waiting) = blocked(&queue, secs(7)).await;
    assert_eq!(arrived(waiting).await, (vec!["a1".into()], secs(7)));
    assert!(poll(&queue, 10).await.is_empty(), "a2 stays behind it");
}

/// IF2, IQ16.
async fn a_change_to_zero_frees_the_group_and_ends_a_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    let (head, waiting) = blocked(&queue, secs(100)).await;
    give_back(&queue, &head).await;
    assert_eq!(arrived(waiting).await, (vec!["a1".into()], ms(1)));
}

/// IF2, IQ16: a head in flight expires with its retention, and what was sent later is next.
async fn the_end_of_the_retention_of_a_head_frees_the_group_and_ends_a_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    queue.set_attributes(QueueSettings::new().retention(secs(60))).await.unwrap();
    send(&queue, &["a1"]).await;
    poll_for(&queue, 1, secs(1_000)).await;
    advance(secs(45)).await;
    send(&queue, &["a2"]).await;
    let waiting = waiter(&queue, secs(20)).await;
    assert_eq!(arrived(waiting).await, (vec!["a2".into()], secs(15)));
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// IF2: nor does a group stay blocked by what was in flight when the queue was purged.
async fn a_purge_frees_every_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    let (head, waiting) = blocked(&queue, secs(1_000)).await;
    queue.purge().await.unwrap();
    settle_down().await;
    assert!(!waiting.is_finished());
    send(&queue, &["a3"]).await;
    assert_eq!(arrived(waiting).await, (vec!["a3".into()], ms(2)));
    delete(&queue, &head).await;
    assert!(poll(&queue, 10).await.is_empty(), "a3 is in flight");
}

/// IF2: a head given up to the dead-letter queue, by its count or by its consumer.
async fn a_dead_letter_frees_its_group(world: World) {
    let broker = world.broker().await;
    broker.queue("dead.fifo").fifo().await.unwrap();
    let queue = broker.queue(NAME).fifo().dead_letter("dead.fifo", 1).await.unwrap();
    let (_, waiting) = blocked(&queue, secs(7)).await;
    assert_eq!(arrived(waiting).await, (vec!["a2".into()], secs(7)), "a1 is moved at its second receive");
    send(&queue, &["b1", "b2"]).await;
    let head = poll(&queue, 1).await;
    assert_eq!(texts(&head), ["b1"]);
    let waiting = waiter(&queue, secs(20)).await;
    queue.dead_letter(head[0].receipt, "poison").await.unwrap();
    assert_eq!(arrived(waiting).await, (vec!["b2".into()], ms(1)));
}

/// IF8: it stays locked, the wait goes on, and the one for another group ends.
async fn a_send_into_a_blocked_group_ends_no_wait(world: World) {
    let (_broker, queue) = world.fifo().await;
    let (_, waiting) = blocked(&queue, secs(100)).await;
    for n in 3..6 {
        send(&queue, &[&format!("a{n}")]).await;
        settle_down().await;
    }
    assert!(!waiting.is_finished());
    send(&queue, &["b1"]).await;
    assert_eq!(arrived(waiting).await, (vec!["b1".into()], ms(4)));
    let waiting = waiter(&queue, secs(20)).await;
    send(&queue, &["a6", "b2"]).await;
    assert_eq!(arrived(waiting).await, (vec![], secs(20)));
}

/// IQ17: as many waiters return as groups are freed in one batch.
async fn as_many_waiters_return_as_groups_are_freed_at_once(world: World) {
    const GROUPS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let (_broker, queue) = world.fifo().await;
    for group in GROUPS {
        send(&queue, &[&format!("{group}1"), &format!("{group}2")]).await;
    }
    let mut heads = Vec::new();
    for _ in GROUPS {
        heads.extend(poll_for(&queue, 1, secs(100)).await);
    }
    assert!(poll(&queue, 10).await.is_empty());
    let waiting = join_all(GROUPS.map(|_| waiter(&queue, secs(20)))).await;
    queue.delete_batch(heads.iter().map(|head| head.receipt).collect()).await.unwrap().all().unwrap();
    let mut received = Vec::new();
    for waiting in waiting {
        let (one, waited) = arrived(waiting).await;
        assert!(waited < secs(1), "{waited:?}");
        received.extend(one);
    }
    received.sort_unstable();
    assert_eq!(received, GROUPS.map(|group| format!("{group}2")));
}

/// IQ17: also when their timeouts end together.
async fn as_many_waiters_return_as_groups_become_visible_together(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "c1", "c2"]).await;
    assert_eq!(poll_for(&queue, 10, secs(5)).await.len(), 5);
    let waiting = join_all((0..3).map(|_| waiter(&queue, secs(20)))).await;
    let mut received = Vec::new();
    for waiting in waiting {
        let (one, waited) = arrived(waiting).await;
        assert!(waited <= secs(5), "{waited:?}");
        received.extend(one);
    }
    received.sort_unstable();
    assert_eq!(received, ["a1", "b1", "c1"]);
}

/// IF1, IQ16: each message of a group goes to one waiter after the other, when the one before is done with it.
async fn waiters_take_turns_at_a_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    let mut waiting: Vec<_> = join_all((0..4).map(|_| waiter(&queue, secs(20)))).await;
    send(&queue, &["a1", "a2", "a3", "a4"]).await;
    for n in 1..=4 {
        let (done, _, others) = futures_util::future::select_all(waiting).await;
        let received = done.unwrap().0.unwrap();
        assert_eq!(texts(&received), [format!("a{n}")]);
        settle_down().await;
        assert!(others.iter().all(|waiting| !waiting.is_finished()), "a{n} blocks the others");
        delete(&queue, &received).await;
        waiting = others;
    }
}

/// IQ16, IQ18: a waiter that is dropped right after it was woken hands the freed group on.
async fn a_waiter_that_is_dropped_hands_a_freed_group_on(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let head = poll_for(&queue, 1, secs(100)).await;
    let dropped = join_all((0..5).map(|_| waiter(&queue, secs(20)))).await;
    let staying = waiter(&queue, secs(20)).await;
    delete(&queue, &head).await;
    // On the current-thread runtime none of them has been polled since.
    dropped.iter().for_each(JoinHandle::abort);
    let (received, waited) = staying.await.unwrap();
    let received = received.unwrap();
    assert_eq!((texts(&received), received[0].receive_count), (vec!["a2"], 1));
    assert!(waited < secs(1), "{waited:?}");
}

/// F36: at the limit a receive returns nothing, and no error.
async fn at_the_in_flight_limit_a_fifo_receive_returns_nothing(world: World) {
    let world = world.limits(Limits { in_flight_max: 3, ..Limits::aws() });
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "b2", "c1"]).await;
    let received = poll(&queue, 10).await;
    assert_eq!(received.len(), 3, "up to the limit");
    assert!(poll(&queue, 10).await.is_empty());
    send(&queue, &["d1"]).await;
    assert!(poll(&queue, 10).await.is_empty());
    assert_eq!(arrived(waiter(&queue, secs(20)).await).await, (vec![], secs(20)));
    let waiting = waiter(&queue, secs(5)).await;
    delete(&queue, &received[..1]).await;
    let (next, waited) = arrived(waiting).await;
    assert_eq!((next.len(), waited), (1, ms(1)), "room ends a wait");
    assert_eq!(counts(&queue).await, [2, 3, 0]);
    advance(secs(10)).await;
    assert_eq!(long_poll(&queue, 10).await.0.len(), 2, "the two whose time is up leave room");
}

everywhere! {
    a_delete_frees_the_group_and_ends_a_wait,
    the_last_delete_frees_the_group_and_ends_a_wait,
    the_end_of_a_timeout_frees_the_group_and_ends_a_wait,
    a_change_to_zero_frees_the_group_and_ends_a_wait,
    the_end_of_the_retention_of_a_head_frees_the_group_and_ends_a_wait,
    a_purge_frees_every_group,
    a_dead_letter_frees_its_group,
    a_send_into_a_blocked_group_ends_no_wait,
    as_many_waiters_return_as_groups_are_freed_at_once,
    as_many_waiters_return_as_groups_become_visible_together,
    waiters_take_turns_at_a_group,
    a_waiter_that_is_dropped_hands_a_freed_group_on,
    at_the_in_flight_limit_a_fifo_receive_returns_nothing,
}

/// A clock that counts how often it is asked.
#[derive(Clone)]
struct CountingClock {
    clock: TokioClock,
    asked: Arc<AtomicUsize>,
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        assert!(self.asked.fetch_add(1, Ordering::SeqCst) < 5_000, "a wait looks at the clock over and over");
        self.clock.now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        self.clock.sleep_until(deadline)
    }
}

/// A wait beside blocked groups, whose messages count as visible, sleeps.
#[tokio::test(start_paused = true)]
async fn a_wait_beside_blocked_groups_sleeps() {
    let clock = CountingClock { clock: TokioClock::new(), asked: Arc::default() };
    let builder = Broker::builder(broker_mem::MemStorage::new()).clock(clock.clone());
    let queue = builder.open().await.unwrap().queue(NAME).fifo().await.unwrap();
    for group in ["a", "b", "c"] {
        for n in 0..3 {
            queue.send(fifo(&format!("{group}{n}"))).await.unwrap();
        }
        assert_eq!(poll_for(&queue, 2, secs(100)).await.len(), 2);
    }
    let waiting = join_all((0..5).map(|_| waiter(&queue, secs(20)))).await;
    let before = clock.asked.load(Ordering::SeqCst);
    advance(secs(19)).await;
    settle_down().await;
    assert_eq!(clock.asked.load(Ordering::SeqCst), before);
    for waiting in waiting {
        assert!(waiting.await.unwrap().0.unwrap().is_empty());
    }
}
