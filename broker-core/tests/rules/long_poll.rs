//! Long polls: rules Q51 and Q53, IQ16. Each cause that makes a message visible ends the wait of a receive.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Error, LocalQueue, Message, QueueSettings, ReceiveOptions, Result, SendMessage,
    storage::faults::{FailingStorage, Fault},
};
use tokio::{task::JoinHandle, time::Instant};

use crate::support::{
    World, advance, assert_invalid, counts, ms, poll, poll_for, refusal, secs, settle_down, take, texts,
    waiter,
};

/// A waiter's message and how long it waited.
async fn arrived(waiting: JoinHandle<(Result<Vec<Message>>, Duration)>) -> (String, Duration) {
    let (received, waited) = waiting.await.unwrap();
    let [message] = received.unwrap().try_into().expect("one message");
    (message.text().unwrap().to_owned(), waited)
}

/// Q51.
async fn a_wait_time_above_20_seconds_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    for wait in [secs(20) + Duration::from_nanos(1), secs(21), Duration::MAX] {
        let error = refusal(&queue, queue.receive(ReceiveOptions::up_to(1).wait_time(wait))).await;
        assert_invalid(&error, "wait_time", &format!("{wait:?}"), "between 0ns and 20s");
    }
}

/// Q51: the call's own wait, or else the queue's.
async fn an_empty_receive_takes_exactly_its_wait_time(world: World) {
    let (_broker, queue) = world.queue().await;
    let timed = async |options: ReceiveOptions| {
        let begin = Instant::now();
        assert!(queue.receive(options).await.unwrap().is_empty());
        begin.elapsed()
    };
    assert_eq!(timed(ReceiveOptions::default()).await, Duration::ZERO);
    for wait in [ms(1), secs(1), secs(20)] {
        assert_eq!(timed(ReceiveOptions::default().wait_time(wait)).await, wait);
    }
    queue.set_attributes(QueueSettings::new().receive_wait_time(secs(7))).await.unwrap();
    assert_eq!(timed(ReceiveOptions::default()).await, secs(7));
    assert_eq!(timed(ReceiveOptions::default().wait_time(Duration::ZERO)).await, Duration::ZERO);
    assert_eq!(timed(ReceiveOptions::default().wait_time(secs(2))).await, secs(2));
}

/// Q53. [`test_receive_message_wait_time_seconds_and_max_number_of_messages_does_not_block`]
async fn a_long_poll_returns_at_once_with_what_is_there(world: World) {
    let (_broker, queue) = world.queue().await;
    crate::support::send_all(&queue, &["a", "b", "c"]).await;
    let begin = Instant::now();
    let received = queue.receive(ReceiveOptions::up_to(10).wait_time(secs(20))).await.unwrap();
    assert_eq!((texts(&received), begin.elapsed()), (vec!["a", "b", "c"], Duration::ZERO));
}

/// Q53.
async fn a_send_ends_a_wait(world: World) {
    let (_broker, queue) = world.queue().await;
    let waiting = waiter(&queue, secs(20)).await;
    advance(secs(3) - ms(1)).await;
    queue.send("m").await.unwrap();
    assert_eq!(arrived(waiting).await, ("m".into(), secs(3)));
}

/// Q53.
async fn a_batch_of_sends_ends_a_wait(world: World) {
    let (_broker, queue) = world.queue().await;
    let waiting = waiter(&queue, secs(20)).await;
    queue
        .send_batch(["\0", "m"].into_iter().map(SendMessage::from).collect())
        .await
        .unwrap()
        .failed()
        .count();
    assert_eq!(arrived(waiting).await, ("m".into(), ms(1)));
}

/// Q53. [`test_send_delay_and_wait_time`]
async fn the_end_of_a_delay_ends_a_wait(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send(SendMessage::from("before").delay(secs(5))).await.unwrap();
    let waiting = waiter(&queue, secs(20)).await;
    assert_eq!(arrived(waiting).await, ("before".into(), secs(5)));
    let waiting = waiter(&queue, secs(20)).await;
    queue.send(SendMessage::from("far").delay(secs(15))).await.unwrap();
    settle_down().await;
    queue.send(SendMessage::from("near").delay(secs(5))).await.unwrap();
    assert_eq!(arrived(waiting).await, ("near".into(), secs(5) + ms(2)), "an earlier end takes its place");
}

/// Q53, IQ5.
async fn the_end_of_a_visibility_timeout_ends_a_wait(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    poll_for(&queue, 1, secs(5)).await;
    let waiting = waiter(&queue, secs(20)).await;
    assert_eq!(arrived(waiting).await, ("m".into(), secs(5)));
    let (_broker, queue) = world.reopened(broker).await;
    let waiting = waiter(&queue, secs(20)).await;
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (0, secs(20)));
    let waiting = waiter(&queue, secs(20)).await;
    assert_eq!(arrived(waiting).await, ("m".into(), secs(10)), "30 seconds in all, across the restart");
}

/// Q53, Q77.
async fn a_change_of_visibility_to_zero_ends_a_wait(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let message = take(&queue).await;
    let waiting = waiter(&queue, secs(20)).await;
    advance(secs(1)).await;
    queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
    assert_eq!(arrived(waiting).await, ("m".into(), secs(1) + ms(1)));
}

/// Q53: the timer is set anew.
async fn a_shortened_visibility_timeout_ends_a_wait_earlier(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let message = take(&queue).await;
    let waiting = waiter(&queue, secs(20)).await;
    queue.change_visibility(message.receipt, secs(4)).await.unwrap();
    assert_eq!(arrived(waiting).await, ("m".into(), secs(4) + ms(1)));
}

/// Q53: the timer that was set for the old end finds nothing.
async fn a_lengthened_visibility_timeout_ends_a_wait_later(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let [message] = &poll_for(&queue, 1, secs(5)).await[..] else { panic!() };
    let waiting = waiter(&queue, secs(20)).await;
    queue.change_visibility(message.receipt, secs(9)).await.unwrap();
    assert_eq!(arrived(waiting).await, ("m".into(), secs(9) + ms(1)));
}

/// Q53: nothing becomes visible by being deleted or purged.
async fn a_delete_or_a_purge_ends_no_wait(world: World) {
    let (_broker, queue) = world.queue().await;
    crate::support::send_all(&queue, &["a", "b"]).await;
    let received = poll_for(&queue, 10, secs(10)).await;
    let waiting = waiter(&queue, secs(20)).await;
    queue.delete(received[0].receipt).await.unwrap();
    queue.purge().await.unwrap();
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (0, secs(20)));
}

/// Q7, IQ19.
async fn the_end_of_the_queue_ends_every_wait(world: World) {
    let (broker, queue) = world.queue().await;
    let waiting = futures_util::future::join_all((0..3).map(|_| waiter(&queue, secs(20)))).await;
    broker.delete_queue("orders").await.unwrap();
    for waiting in waiting {
        let (received, waited) = waiting.await.unwrap();
        assert!(matches!(received, Err(Error::QueueDoesNotExist { name }) if name == "orders"));
        assert!(waited < secs(1));
    }
}

/// The end of the broker, by its own will.
async fn closing_the_broker_ends_every_wait(world: World) {
    let (broker, queue) = world.queue().await;
    let waiting = futures_util::future::join_all((0..3).map(|_| waiter(&queue, secs(20)))).await;
    broker.close().await.unwrap();
    for waiting in waiting {
        let (received, waited) = waiting.await.unwrap();
        assert!(matches!(received, Err(Error::Closed)));
        assert!(waited < secs(1));
    }
}

/// The end of the broker, by a failure of its store: who wrote is told that it is uncertain, all others that it has
/// stopped.
async fn ends_by_poison(store: FailingStorage) {
    let broker = Broker::open(store).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    let waiting = futures_util::future::join_all((0..3).map(|_| waiter(&queue, secs(20)))).await;
    assert!(matches!(queue.send("m").await, Err(Error::Indeterminate(_))));
    let mut uncertain = 0;
    for waiting in waiting {
        let (received, waited) = waiting.await.unwrap();
        match received {
            Err(Error::Poisoned(_)) => {}
            // This one had leased the message, in a commit behind the failed one.
            Err(Error::Indeterminate(_)) => uncertain += 1,
            other => panic!("{other:?}"),
        }
        assert!(waited < secs(1));
    }
    assert!(uncertain <= 1);
    assert!(matches!(queue.send("m").await, Err(Error::Poisoned(_))));
    assert!(matches!(broker.close().await, Err(Error::Poisoned(_))));
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_ends_every_wait() {
    // Commit 0 makes the store, commit 1 the queue, commit 2 is the send.
    let memory = || Arc::new(broker_mem::MemStorage::new());
    ends_by_poison(FailingStorage::new(memory()).fail_commit(2, Fault::DiskFull)).await;
    let threaded = Arc::new(broker_core::storage::faults::SlowStorage::new(memory()));
    ends_by_poison(FailingStorage::new(threaded).fail_commit(2, Fault::Io)).await;
}

/// A short poll beside a long poll does not disturb it.
async fn other_receives_leave_a_wait_alone(world: World) {
    let (_broker, queue) = world.queue().await;
    let waiting = waiter(&queue, secs(20)).await;
    for _ in 0..5 {
        assert!(poll(&queue, 10).await.is_empty());
        settle_down().await;
    }
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((received.unwrap().len(), waited), (0, secs(20)));
}

/// Q51: with the wait of the queue, callers need not say.
async fn a_wait_of_the_queue_is_a_long_poll(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").receive_wait_time(secs(20)).await.unwrap();
    let waiting: JoinHandle<_> = {
        let queue: LocalQueue = queue.clone();
        tokio::spawn(async move { queue.receive(ReceiveOptions::default()).await })
    };
    settle_down().await;
    queue.send("m").await.unwrap();
    assert_eq!(texts(&waiting.await.unwrap().unwrap()), ["m"]);
}

everywhere! {
    a_wait_time_above_20_seconds_is_refused,
    an_empty_receive_takes_exactly_its_wait_time,
    a_long_poll_returns_at_once_with_what_is_there,
    a_send_ends_a_wait,
    a_batch_of_sends_ends_a_wait,
    the_end_of_a_delay_ends_a_wait,
    the_end_of_a_visibility_timeout_ends_a_wait,
    a_change_of_visibility_to_zero_ends_a_wait,
    a_shortened_visibility_timeout_ends_a_wait_earlier,
    a_lengthened_visibility_timeout_ends_a_wait_later,
    a_delete_or_a_purge_ends_no_wait,
    the_end_of_the_queue_ends_every_wait,
    closing_the_broker_ends_every_wait,
    other_receives_leave_a_wait_alone,
    a_wait_of_the_queue_is_a_long_poll,
}
