//! Functions that fail: nothing is deleted, and everything comes again when its visibility timeout ends.

use broker_worker::{
    FailureKind, Outcome,
    handler::batch,
    queue::{Batch, Pollers, QueueMapping, Received},
    telemetry::WorkerEvent,
};
use futures_util::StreamExt;

use crate::ground::{Log, broker, counters, queue, run_for, secs, send, sleep};

// L40: a failure deletes nothing and changes no visibility timeout.
#[tokio::test(start_paused = true)]
async fn a_failed_batch_comes_again_when_its_visibility_timeout_ends() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        let counts: Vec<_> = messages.messages().iter().map(|message| message.receive_count).collect();
        seen.note(format!("{counts:?}"));
        async move { if counts[0] < 3 { Err("not yet") } else { Ok(()) } }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(100)).await;
    let expected = [(0, "[1, 1]"), (30_000, "[2, 2]"), (60_000, "[3, 3]")];
    assert_eq!(log.lines(), expected.map(|(when, what)| (when, what.to_owned())));
    let counts = report.counts;
    assert_eq!((counts.invocations, counts.failed_invocations, counts.failed, counts.acked), (3, 2, 4, 2));
    assert_eq!(counters(&queue).await, (0, 0, 0));
}

// L40 and L2: a timeout is a failure like any other. The handler is dropped at it.
#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_dropped_and_its_batch_comes_again() {
    struct Dropped(Log);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        let seen = seen.clone();
        async move {
            seen.note(format!("delivery {}", messages.messages()[0].receive_count));
            let _guard = Dropped(seen.clone());
            if messages.messages()[0].receive_count == 1 {
                sleep(secs(11)).await;
            }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).timeout(secs(10)).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    let mut events = running.events();
    let report = run_for(running, secs(50)).await;
    let expected = [(0, "delivery 1"), (10_000, "dropped"), (30_000, "delivery 2"), (30_000, "dropped")];
    assert_eq!(log.lines(), expected.map(|(when, what)| (when, what.to_owned())));
    assert_eq!((report.counts.failed_invocations, report.counts.acked), (1, 1));
    let mut failed = Vec::new();
    while let Some(event) = events.next().await {
        if let WorkerEvent::Failed { failure, took, .. } = event {
            failed.push((failure.kind, failure.message, took));
        }
    }
    let message = "Task timed out after 10.00 seconds".to_owned();
    assert_eq!(failed, [(FailureKind::Timeout, message, secs(10))]);
}

// L2: without a timeout of its own a handler may take as long as its messages are invisible.
#[tokio::test(start_paused = true)]
async fn the_timeout_is_the_visibility_timeout_unless_it_is_given() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: broker_worker::Context| {
        let until = messages.messages()[0].lease().until();
        assert_eq!(context.deadline(), Some(until));
        seen.note("begins");
        async move { sleep(secs(31)).await }
    });
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    run_for(mapping.start().await.unwrap(), secs(70)).await;
    assert_eq!(log.times(), [0, 30_000, 60_000]);
}

// L52: after its last delivery a failing message is moved to the dead-letter queue, with its id.
#[tokio::test(start_paused = true)]
async fn a_message_that_keeps_failing_ends_in_the_dead_letter_queue_with_its_id() {
    let broker = broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let queue = broker.queue("orders").dead_letter("dead", 3).await.unwrap();
    let sent = queue.send("poison").await.unwrap();
    send(&queue, ["fine"]).await;
    let log = Log::new();
    let seen = log.clone();
    let handler = broker_worker::handler::each(move |body: String, message: Received| {
        seen.note(format!("{body} {}", message.receive_count));
        async move { if body == "poison" { Err("cannot") } else { Ok(()) } }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(200)).await;
    let expected = [(0, "poison 1"), (0, "fine 1"), (30_000, "poison 2"), (60_000, "poison 3")];
    assert_eq!(log.lines(), expected.map(|(when, what)| (when, what.to_owned())));
    // Only what fails is moved.
    assert_eq!((report.counts.acked, report.counts.failed), (1, 3));
    let letter = dead.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!((letter.id, letter.text()), (sent.id, Ok("poison")));
    assert_eq!(counters(&queue).await, (0, 0, 0));
}

// L40: an outcome for the whole batch that is a failure is one.
#[tokio::test(start_paused = true)]
async fn an_outcome_for_the_whole_batch_may_be_a_failure() {
    let queue = queue().await;
    send(&queue, ["a", "b"]).await;
    let handler = batch(|_: Batch, _| async { Outcome::Failed(broker_worker::Failure::new("none of them")) });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!((report.counts.failed, report.counts.acked), (2, 0));
    assert_eq!(counters(&queue).await, (0, 2, 0));
}
