//! Leases while a handler works: tokens that fire, extensions, heartbeats.

use std::time::Duration;

use broker_core::{QueueExt, ReceiveOptions};
use broker_worker::{
    Context, Outcome,
    handler::{batch, each},
    queue::{Batch, Pollers, QueueMapping, Received},
};

use crate::ground::{Log, broker, counters, late, ms, queue, run_for, secs, send, sleep};

// The token fires at the very millisecond at which the message is visible to others.
#[tokio::test(start_paused = true)]
async fn the_token_fires_when_the_lease_ends() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: Context| {
        let seen = seen.clone();
        async move {
            let message = &messages.messages()[0];
            seen.note(format!("delivery {}", message.receive_count));
            if message.receive_count == 1 {
                assert!(!message.lease().is_lost());
                message.lease().lost().cancelled().await;
                assert!(message.lease().is_lost());
                // The only message of the batch: with it the whole invocation is cancelled.
                assert!(context.cancelled().is_cancelled());
                seen.note("lost");
                std::future::pending::<()>().await;
            }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).gate(late(secs(10)));
    let report = run_for(mapping.start().await.unwrap(), secs(50)).await;
    // It was called after 10 seconds, so its own time is not over yet.
    let words = log.lines();
    assert_eq!(words[0], (10_000, "delivery 1".to_owned()));
    assert!(words[1..].contains(&(30_000, "lost".to_owned())), "{words:?}");
    assert!(words[1..].contains(&(30_000, "delivery 2".to_owned())), "{words:?}");
    assert_eq!((report.counts.leases_lost, report.counts.acked), (1, 1));
}

// A batch is cancelled when the last of its leases is lost, not with the first.
#[tokio::test(start_paused = true)]
async fn an_invocation_is_cancelled_with_its_last_lease() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: Context| {
        let seen = seen.clone();
        async move {
            let [a, b] = messages.messages() else { panic!("two messages") };
            // Shorter and longer than it was: both ends are noticed.
            a.lease().extend(secs(5)).await.unwrap();
            b.lease().extend(secs(10)).await.unwrap();
            a.lease().lost().cancelled().await;
            seen.note("first lost");
            assert!(!b.lease().is_lost() && !context.cancelled().is_cancelled());
            context.cancelled().cancelled().await;
            seen.note("cancelled");
            std::future::pending::<()>().await;
        }
    });
    let running = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1)).start().await.unwrap();
    sleep(secs(11)).await;
    drop(running);
    assert_eq!(log.lines(), [(5_000, "first lost".to_owned()), (10_000, "cancelled".to_owned())]);
}

/// How often somebody else could receive a message while a handler takes `takes`, asking every millisecond around the
/// ends of leases.
async fn stolen_during(takes: Duration, visibility: Duration) -> (usize, broker_worker::telemetry::Counts) {
    let queue = broker().await.queue("orders").visibility_timeout(visibility).await.unwrap();
    send(&queue, ["a"]).await;
    let handler = each(move |(): (), _: Received| sleep(takes));
    let mapping = QueueMapping::new(queue.clone(), handler).heartbeat(true).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    sleep(ms(1)).await;
    let mut stolen = 0;
    let step = visibility / 10;
    for _ in 0..(takes.as_millis() / step.as_millis()) {
        stolen += queue.receive(ReceiveOptions::up_to(10)).await.unwrap().len();
        sleep(step).await;
    }
    let report = run_for(running, visibility).await;
    (stolen, report.counts)
}

// The heartbeat keeps a message for as long as its handler works.
#[tokio::test(start_paused = true)]
async fn with_a_heartbeat_a_message_stays_invisible_while_its_handler_works() {
    let (stolen, counts) = stolen_during(secs(3_600), secs(30)).await;
    assert_eq!((stolen, counts.acked, counts.leases_lost), (0, 1, 0));
    let (stolen, counts) = stolen_during(secs(5), ms(20)).await;
    assert_eq!((stolen, counts.acked, counts.leases_lost), (0, 1, 0));
}

// A heartbeat extends at half of the time, by the whole of it: after a failure the message comes when the last extension ends.
#[tokio::test(start_paused = true)]
async fn a_message_that_fails_late_comes_when_its_last_extension_ends() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = each(move |(): (), message: Received| {
        seen.note(format!("delivery {}", message.receive_count));
        async move {
            if message.receive_count == 1 {
                sleep(secs(50)).await;
                return Err("no");
            }
            Ok(())
        }
    });
    let mapping = QueueMapping::new(queue, handler).heartbeat(true).pollers(Pollers::Fixed(1));
    run_for(mapping.start().await.unwrap(), secs(100)).await;
    // Extended at 15, 30 and 45 seconds.
    assert_eq!(log.times(), [0, 75_000]);
}

// What the handler has extended by itself is not made shorter by the heartbeat.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_does_not_shorten_what_the_handler_has_extended() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b"]).await;
    let seen = log.clone();
    let handler = each(move |body: String, message: Received| {
        let seen = seen.clone();
        async move {
            if body == "a" {
                let before = message.lease().until();
                message.lease().extend(secs(3_600)).await.unwrap();
                sleep(secs(100)).await;
                seen.note(format!("{:?}", message.lease().until().since(before)));
            }
        }
    });
    let mapping = QueueMapping::new(queue, handler).heartbeat(true).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(200)).await;
    assert_eq!(log.words(), ["3570s"]);
    assert_eq!(report.counts.acked, 2);
}

// The queue allows 12 hours since the receive. After that the lease is lost, and the token says so.
#[tokio::test(start_paused = true)]
async fn after_12_hours_no_heartbeat_helps() {
    let queue = broker().await.queue("orders").visibility_timeout(secs(3_600)).await.unwrap();
    let log = Log::new();
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = each(move |(): (), message: Received| {
        let seen = seen.clone();
        async move {
            if message.receive_count == 1 {
                message.lease().lost().cancelled().await;
                seen.note("lost");
                // Too late to decide anything.
                return Outcome::Ack;
            }
            seen.note("again");
            sleep(secs(60)).await;
            Outcome::Ack
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).heartbeat(true);
    let report = run_for(mapping.start().await.unwrap(), secs(13 * 3_600)).await;
    assert_eq!(log.times(), [12 * 3_600_000; 2]);
    assert_eq!((report.counts.leases_lost, report.counts.stale, report.counts.acked), (1, 1, 1));
    assert_eq!(counters(&queue).await, (0, 0, 0));
}

// A lease that somebody took is noticed by the heartbeat, and what the handler says then is counted as stale.
#[tokio::test(start_paused = true)]
async fn a_message_that_was_taken_over_is_noticed_and_not_acknowledged() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let thief = queue.clone();
    let handler = each(move |(): (), message: Received| {
        let (seen, thief) = (seen.clone(), thief.clone());
        async move {
            // Behind the back of the runtime the message is made visible, and somebody else receives it.
            thief.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
            let stolen = thief.recv().await.unwrap();
            assert_eq!(stolen.receive_count, 2);
            message.lease().lost().cancelled().await;
            seen.note("lost");
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).heartbeat(true).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(20)).await;
    // At the first heartbeat.
    assert_eq!(log.lines(), [(15_000, "lost".to_owned())]);
    assert_eq!((report.counts.acked, report.counts.stale, report.counts.leases_lost), (0, 1, 1));
    assert_eq!(counters(&queue).await, (0, 1, 0));
}

// A message whose turn comes after its lease has ended is left alone: somebody else may have it.
#[tokio::test(start_paused = true)]
async fn a_message_whose_lease_ended_before_its_turn_is_not_tried() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b"]).await;
    let seen = log.clone();
    let handler = each(move |body: String, message: Received| {
        seen.note(format!("{body} {}", message.receive_count));
        async move {
            if body == "a" {
                message.lease().extend(secs(100)).await.unwrap();
                sleep(secs(25)).await;
            }
        }
    });
    // Called after 10 seconds, it has until 40; the lease of the second message ends at 30.
    let mapping = QueueMapping::new(queue, handler).gate(late(secs(10))).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(100)).await;
    let expected = [(10_000, "a 1"), (35_000, "b 2")];
    assert_eq!(log.lines(), expected.map(|(when, what)| (when, what.to_owned())));
    assert_eq!((report.counts.acked, report.counts.failed), (2, 1));
}
