//! Many long polls at once: IQ16 and IQ17. Nobody who leaves takes a wake-up along, and the timer is handed over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Broker, Clock, Limits, LocalQueue, ManualClock, QueueExt, ReceiveOptions, SendMessage, Sleep, Timestamp,
    TokioClock,
};
use futures_util::future::join_all;

use crate::support::{World, advance, counts, ms, poll, poll_for, secs, send_all, settle_down, take, waiter};

const WAITERS: usize = 20;

/// Waits for this many waiters to return with one message each, and for nobody longer than `at_most`.
async fn all_return(queue: &LocalQueue, at_most: Duration, make_visible: impl AsyncFnOnce()) {
    let waiting: Vec<_> = join_all((0..WAITERS).map(|_| waiter(queue, secs(20)))).await;
    make_visible().await;
    for waiting in waiting {
        let (received, waited) = waiting.await.unwrap();
        assert_eq!(received.unwrap().len(), 1);
        assert!(waited <= at_most, "{waited:?}");
    }
}

/// IQ17.
async fn as_many_waiters_return_as_messages_are_sent_in_one_batch(world: World) {
    let world = world.limits(Limits { batch_entries_max: 100, ..Limits::aws() });
    let (_broker, queue) = world.queue().await;
    all_return(&queue, secs(1), async || {
        let batch = (0..WAITERS).map(|n| SendMessage::from(n.to_string())).collect();
        queue.send_batch(batch).await.unwrap().all().unwrap();
    })
    .await;
    assert_eq!(counts(&queue).await, [0, WAITERS as u64, 0]);
}

/// IQ17.
async fn as_many_waiters_return_as_delays_end_at_once(world: World) {
    let (_broker, queue) = world.queue().await;
    all_return(&queue, secs(5) + ms(2), async || {
        for _ in 0..WAITERS {
            queue.send(SendMessage::from("m").delay(secs(5))).await.unwrap();
        }
    })
    .await;
}

/// IQ17.
async fn as_many_waiters_return_as_leases_end_one_after_another(world: World) {
    let (_broker, queue) = world.queue().await;
    for _ in 0..WAITERS {
        queue.send("m").await.unwrap();
    }
    for n in 0..WAITERS as u64 {
        poll_for(&queue, 1, secs(1) + ms(10 * n)).await;
    }
    all_return(&queue, secs(2), async || {}).await;
}

/// IQ16: a waiter whose time is up at the very moment of a send.
async fn a_waiter_that_times_out_takes_no_wake_up_along(world: World) {
    let (_broker, queue) = world.queue().await;
    let leaving = join_all((0..WAITERS).map(|_| waiter(&queue, secs(5)))).await;
    let staying = waiter(&queue, secs(20)).await;
    queue.send(SendMessage::from("m").delay(secs(5) - ms(1))).await.unwrap();
    let mut messages = 0;
    for waiting in leaving {
        messages += waiting.await.unwrap().0.unwrap().len();
    }
    let (received, waited) = staying.await.unwrap();
    messages += received.unwrap().len();
    assert_eq!(messages, 1, "exactly one of them has it");
    assert!(waited <= secs(20));
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// IQ16, IQ18: each waiter is dropped right after it was woken.
async fn a_waiter_that_is_dropped_after_its_wake_up_hands_it_on(world: World) {
    let (_broker, queue) = world.queue().await;
    let dropped = join_all((0..WAITERS).map(|_| waiter(&queue, secs(20)))).await;
    let staying = waiter(&queue, secs(20)).await;
    queue.send("m").await.unwrap();
    // On the current-thread runtime none of them has been polled since.
    dropped.iter().for_each(tokio::task::JoinHandle::abort);
    let (received, waited) = staying.await.unwrap();
    let leased_by_the_first = received.unwrap();
    assert_eq!(leased_by_the_first.len(), 1);
    assert_eq!(leased_by_the_first[0].receive_count, 1);
    assert!(waited < secs(1), "{waited:?}");
}

/// IQ16: the first waiter keeps the time; when it leaves, the next one does.
async fn the_timekeeper_hands_over_when_it_leaves(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send(SendMessage::from("m").delay(secs(10))).await.unwrap();
    let dropped = waiter(&queue, secs(20)).await;
    let timing_out = waiter(&queue, secs(3)).await;
    let third = waiter(&queue, secs(20)).await;
    dropped.abort();
    settle_down().await;
    assert!(timing_out.await.unwrap().0.unwrap().is_empty());
    let (received, waited) = third.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (1, secs(10) - ms(2)));
}

/// IQ16: the timekeeper takes a message and leaves; the time of the next one is still kept.
async fn the_timekeeper_hands_over_when_it_has_a_message(world: World) {
    let (_broker, queue) = world.queue().await;
    for delay in [2, 4, 6] {
        queue.send(SendMessage::from("m").delay(secs(delay))).await.unwrap();
    }
    let waiting = join_all((0..3).map(|_| waiter(&queue, secs(20)))).await;
    let mut times = Vec::new();
    for waiting in waiting {
        let (received, waited) = waiting.await.unwrap();
        assert_eq!(received.unwrap().len(), 1);
        times.push(waited);
    }
    times.sort_unstable();
    let late =
        [2, 4, 6].into_iter().zip(times).all(|(end, waited)| waited <= secs(end) && waited > secs(end - 1));
    assert!(late, "each message ends one wait, at its time");
}

/// Q53 on a clock of the user's own.
#[tokio::test]
async fn a_manual_clock_ends_delays_leases_and_waits() {
    let clock = ManualClock::new(0);
    let store = broker_mem::MemStorage::new();
    let broker = Broker::builder(store).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send(SendMessage::from("m").delay(secs(5))).await.unwrap();
    let waiting = |queue: &LocalQueue| {
        let queue = queue.clone();
        tokio::spawn(
            async move { queue.receive(ReceiveOptions::up_to(1).wait_time(secs(20))).await.unwrap() },
        )
    };
    let first = waiting(&queue);
    tokio::task::yield_now().await;
    clock.advance(secs(5));
    let message = first.await.unwrap().remove(0);
    assert_eq!(message.first_received_at, Timestamp::from_millis(5_000));
    let second = waiting(&queue);
    tokio::task::yield_now().await;
    clock.set(Timestamp::from_millis(1_000));
    clock.set(Timestamp::from_millis(24_999));
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    clock.advance(ms(1));
    assert!(second.await.unwrap().is_empty(), "20 seconds have passed, the lease has 10 left");
    clock.advance(secs(10));
    assert_eq!(take(&queue).await.receive_count, 2);
}

/// A clock that counts how often it is asked, and ends the test if that is more than anything here needs.
#[derive(Clone)]
struct CountingClock {
    clock: TokioClock,
    asked: Arc<AtomicUsize>,
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(asked < 5_000, "a wait looks at the clock over and over");
        self.clock.now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        self.clock.sleep_until(deadline)
    }
}

/// Q59: at the limit a long poll waits, and does not spin although messages are visible.
#[tokio::test(start_paused = true)]
async fn at_the_in_flight_limit_a_long_poll_sleeps_and_returns_empty() {
    let clock = CountingClock { clock: TokioClock::new(), asked: Arc::default() };
    let limits = Limits { in_flight_max: 1, ..Limits::aws() };
    let builder = Broker::builder(broker_mem::MemStorage::new()).clock(clock.clone()).limits(limits);
    let queue = builder.open().await.unwrap().queue("orders").await.unwrap();
    send_all(&queue, &["a", "b"]).await;
    take(&queue).await;
    let (received, waited) = waiter(&queue, secs(20)).await.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (0, secs(20)));
    assert!(clock.asked.load(Ordering::SeqCst) < 100);
}

/// An idle long poll looks at the clock when it begins and when it ends, and never between.
#[tokio::test(start_paused = true)]
async fn an_idle_long_poll_sleeps() {
    let clock = CountingClock { clock: TokioClock::new(), asked: Arc::default() };
    let builder = Broker::builder(broker_mem::MemStorage::new()).clock(clock.clone());
    let queue = builder.open().await.unwrap().queue("orders").await.unwrap();
    queue.send(SendMessage::from("far").delay(secs(900))).await.unwrap();
    let waiting = join_all((0..10).map(|_| waiter(&queue, secs(20)))).await;
    let before = clock.asked.load(Ordering::SeqCst);
    advance(secs(19)).await;
    settle_down().await;
    assert_eq!(clock.asked.load(Ordering::SeqCst), before);
    for waiting in waiting {
        assert!(waiting.await.unwrap().0.unwrap().is_empty());
    }
}

/// Q53, Q59: what makes room at the in-flight limit ends the wait for it.
async fn room_at_the_in_flight_limit_ends_a_wait(world: World) {
    let world = world.limits(Limits { in_flight_max: 2, ..Limits::aws() });
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b", "c", "d", "e"]).await;
    let in_flight = poll(&queue, 10).await;
    let waiting = waiter(&queue, secs(20)).await;
    queue.delete(in_flight[0].receipt).await.unwrap();
    assert_eq!(waiting.await.unwrap().0.unwrap()[0].text(), Ok("c"));
    let waiting = waiter(&queue, secs(20)).await;
    queue.change_visibility(in_flight[1].receipt, Duration::ZERO).await.unwrap();
    assert_eq!(waiting.await.unwrap().0.unwrap()[0].text(), Ok("b"));
    advance(secs(20)).await;
    let (received, waited) = waiter(&queue, secs(20)).await.await.unwrap();
    assert_eq!(received.unwrap()[0].text(), Ok("c"), "the one whose lease ended first");
    assert!(waited < secs(11), "{waited:?}");
}

everywhere! {
    as_many_waiters_return_as_messages_are_sent_in_one_batch,
    as_many_waiters_return_as_delays_end_at_once,
    as_many_waiters_return_as_leases_end_one_after_another,
    a_waiter_that_times_out_takes_no_wake_up_along,
    a_waiter_that_is_dropped_after_its_wake_up_hands_it_on,
    the_timekeeper_hands_over_when_it_leaves,
    the_timekeeper_hands_over_when_it_has_a_message,
    room_at_the_in_flight_limit_ends_a_wait,
}

/// A stream that is kept and not polled must not hold what wakes the others (IQ16).
#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_polls_keeps_no_other_waiter_from_its_message() {
    let (_broker, queue) = World::in_memory().queue().await;
    let mut kept = queue.messages();
    assert!(futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut kept)).is_none());
    let other = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(ReceiveOptions::up_to(1).wait_time(secs(20))).await.unwrap() }
    });
    settle_down().await;
    for number in 0..11 {
        queue.send(SendMessage::from(number.to_string()).delay(secs(5))).await.unwrap();
    }
    let begin = tokio::time::Instant::now();
    assert_eq!(other.await.unwrap().len(), 1, "the stream took ten, and left one");
    assert_eq!(begin.elapsed(), secs(5));
}
