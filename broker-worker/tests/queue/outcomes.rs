//! What a handler can say of single messages: done, again after a time, dead, failed.

use broker_worker::{
    IntoOutcome, Outcome,
    handler::{batch, each},
    queue::{Batch, Pollers, QueueMapping, Received, Response},
};

use crate::ground::{Log, broker, counters, ms, queue, run_for, secs, send};

// Each outcome for its message, whatever becomes of the others.
#[tokio::test(start_paused = true)]
async fn each_message_has_an_outcome_of_its_own() {
    let broker = broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let queue = broker.queue("orders").dead_letter("dead", 9).await.unwrap();
    send(&queue, ["done", "later", "hopeless", "failed"]).await;
    let log = Log::new();
    let seen = log.clone();
    let handler = each(move |body: String, message: Received| {
        seen.note(format!("{body} {}", message.receive_count));
        async move {
            match (body.as_str(), message.receive_count) {
                ("later", 1) => Outcome::retry(ms(1_250)),
                ("hopeless", _) => Outcome::dead("no such customer"),
                ("failed", 1) => Err::<(), _>("out of luck").into_outcome(),
                _ => Outcome::Ack,
            }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(60)).await;
    let expected = [
        (0, "done 1"),
        (0, "later 1"),
        (0, "hopeless 1"),
        (0, "failed 1"),
        (1_250, "later 2"),
        (30_000, "failed 2"),
    ];
    assert_eq!(log.lines(), expected.map(|(when, what)| (when, what.to_owned())));
    let counts = report.counts;
    assert_eq!((counts.acked, counts.retried, counts.dead, counts.failed), (3, 1, 1, 1));
    assert_eq!(counts.failed_invocations, 0);
    let letter = dead.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!(letter.dead_letter.unwrap().reason.as_deref(), Some("no such customer"));
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_queue_a_dead_message_fails() {
    let queue = queue().await;
    send(&queue, ["hopeless"]).await;
    let handler = each(|(): (), _: Received| async { Outcome::dead("no") });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!((report.counts.dead, report.counts.failed), (0, 1));
    assert_eq!(counters(&queue).await, (0, 1, 0));
}

// A reason is cut between characters to the 1,024 bytes that a dead-letter queue takes.
#[tokio::test(start_paused = true)]
async fn a_long_reason_is_cut_to_what_a_dead_letter_queue_takes() {
    let broker = broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let queue = broker.queue("orders").dead_letter("dead", 9).await.unwrap();
    send(&queue, ["hopeless"]).await;
    let handler = each(|(): (), _: Received| async { Outcome::dead(format!("x{}", "é".repeat(600))) });
    let running = QueueMapping::new(queue, handler).start().await.unwrap();
    run_for(running, secs(1)).await;
    let letter = dead.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!(letter.dead_letter.unwrap().reason, Some(format!("x{}", "é".repeat(511))));
}

// A decision holds, and the answer is for the rest.
#[tokio::test(start_paused = true)]
async fn the_answer_is_for_what_was_not_decided_and_the_first_decision_holds() {
    let queue = queue().await;
    send(&queue, ["a", "b", "c"]).await;
    let handler = batch(|messages: Batch, _| async move {
        assert!(messages.messages()[0].ack());
        assert!(!messages.messages()[0].retry(secs(5)));
        assert!(messages.messages()[1].retry(secs(5)));
        Err::<(), _>("the rest failed")
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    let counts = report.counts;
    assert_eq!((counts.acked, counts.retried, counts.failed, counts.failed_invocations), (1, 1, 1, 1));
    assert_eq!(counters(&queue).await, (0, 2, 0));
}

// Decisions that were made before a panic or a timeout are carried out.
#[tokio::test(start_paused = true)]
async fn decisions_outlive_a_panic_and_a_timeout() {
    for panics in [true, false] {
        let queue = queue().await;
        send(&queue, ["a", "b"]).await;
        let handler = batch(move |messages: Batch, _| async move {
            messages.messages()[0].ack();
            assert!(!panics, "as planned");
            std::future::pending::<()>().await;
        });
        let mapping = QueueMapping::new(queue.clone(), handler).timeout(secs(1)).pollers(Pollers::Fixed(1));
        let report = run_for(mapping.start().await.unwrap(), secs(2)).await;
        assert_eq!((report.counts.acked, report.counts.failed), (1, 1), "panics: {panics}");
        assert_eq!(counters(&queue).await, (0, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_leaves_the_message_to_its_visibility_timeout() {
    let queue = queue().await;
    send(&queue, ["a"]).await;
    let handler = each(|(): (), _: Received| async { Outcome::retry(secs(13 * 3_600)) });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!((report.counts.unsettled, report.counts.retried), (1, 0));
    assert_eq!(counters(&queue).await, (0, 1, 0));
}

// Ids that failed, from a handler that is no JSON function.
#[tokio::test(start_paused = true)]
async fn failures_are_named_by_id_and_an_unknown_id_fails_all() {
    let queue = queue().await;
    send(&queue, ["a", "b", "c"]).await;
    let handler = batch(|messages: Batch, _| async move {
        let of = |body: &str| messages.messages().iter().find(|message| message.text() == Ok(body));
        match (of("b"), of("x")) {
            (Some(b), _) => Response::Failures(vec![b.id.to_string()]),
            (None, Some(x)) => Response::Failures(vec![x.id.to_string(), "nobody".into()]),
            (None, None) => Response::Rest(Outcome::Ack),
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    crate::ground::sleep(secs(1)).await;
    let counts = running.counts();
    assert_eq!((counts.acked, counts.failed, counts.failed_invocations), (2, 1, 0));
    send(&queue, ["x", "y"]).await;
    let counts = run_for(running, secs(1)).await.counts;
    assert_eq!((counts.acked, counts.failed, counts.failed_invocations), (2, 3, 1));
}
