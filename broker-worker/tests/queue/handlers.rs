//! What can be a handler: functions on messages and batches, tower services, typed payloads; and what a panic is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use broker_core::Message;
use broker_worker::{
    BoxError, Failure, FailureKind, Json, Outcome, Payload,
    handler::{batch, batch_service, each, each_service},
    queue::{Batch, Pollers, QueueMapping, Received},
    telemetry::WorkerEvent,
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;

use crate::ground::{Log, ms, queue, run_for, secs, send, sleep};

#[derive(Debug, Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    name: String,
    price: u32,
}

// A payload that does not parse fails alone, with the path to the place.
#[tokio::test(start_paused = true)]
async fn a_payload_is_parsed_and_a_bad_one_fails_with_its_path() {
    let (queue, log) = (queue().await, Log::new());
    let good = r#"{"items": [{"name": "socks", "price": 3}]}"#;
    let bad = r#"{"items": [{"name": "a", "price": 1}, {"name": "b", "price": "two"}]}"#;
    send(&queue, [good, bad, "no json", "{} {}"]).await;
    let seen = log.clone();
    let handler = each(move |Json(order): Json<Order>, _: Received| {
        seen.note(format!("{} {}", order.items[0].name, order.items[0].price));
        async {}
    });
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    let counts = run_for(mapping.start().await.unwrap(), secs(1)).await.counts;
    assert_eq!(log.words(), ["socks 3"]);
    assert_eq!((counts.acked, counts.failed), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn failures_of_payloads_name_the_place() {
    async fn failure<P: Payload + std::fmt::Debug>(body: &str) -> String {
        let queue = queue().await;
        send(&queue, [body]).await;
        let message: Message = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
        let failure = P::read(&message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Payload);
        failure.message
    }
    let text = failure::<Json<Order>>(r#"{"items": [{"name": "b", "price": "two"}]}"#).await;
    let place =
        "the body is not what is expected at items[0].price: invalid type: string \"two\", expected u32";
    assert_eq!(text, format!("{place} at line 1 column 39"));
    let text = failure::<Json<Order>>("nonsense").await;
    assert_eq!(text, "the body is not what is expected: expected ident at line 1 column 2");
    let text = failure::<Json<u32>>("7 8").await;
    assert_eq!(text, "the body goes on behind its end: trailing characters at line 1 column 3");
    // Deep nesting is an error, and no overflow of the stack.
    let deep = "[".repeat(200_000);
    assert!(failure::<Json<serde_json::Value>>(&deep).await.contains("recursion limit"));
}

#[tokio::test(start_paused = true)]
async fn a_message_may_be_taken_as_text_bytes_or_itself() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = each(move |whole: Message, message: Received| {
        let bytes = message.payload::<Bytes>().unwrap();
        let text = message.payload::<String>().unwrap();
        seen.note(format!("{text} {bytes:?} {}", whole.id == message.id));
        async {}
    });
    run_for(QueueMapping::new(queue, handler).start().await.unwrap(), secs(1)).await;
    assert_eq!(log.words(), ["a b\"a\" true"]);
}

/// The failures of invocations with this handler on one message.
async fn failures(handler: impl broker_worker::Handler<Batch>) -> Vec<Failure> {
    let queue = queue().await;
    send(&queue, ["a"]).await;
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    let events = running.events();
    run_for(running, secs(1)).await;
    let failures = events.filter_map(|event| async {
        match event {
            WorkerEvent::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    });
    failures.collect().await
}

// A panic is a failure with its message, and the worker goes on.
#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_message() {
    let number = 7;
    let found =
        failures(batch(move |_: Batch, _| async move { assert!(number != 7, "number {number}") })).await;
    assert_eq!(found[0].kind, FailureKind::Panic);
    assert_eq!(found[0].message, "the handler panicked: number 7");
    // Before its first await, and with something that is no text.
    let found =
        failures(batch(|_: Batch, _| -> std::future::Ready<()> { std::panic::panic_any(7_u8) })).await;
    assert_eq!(found[0].message, "the handler panicked: with something that is no text");
}

// With single messages a panic fails the one message.
#[tokio::test(start_paused = true)]
async fn a_panic_on_one_message_fails_that_message_only() {
    let queue = queue().await;
    send(&queue, ["a", "panic", "b"]).await;
    let handler = each(|body: String, _: Received| async move { assert_ne!(body, "panic", "as planned") });
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    let counts = run_for(mapping.start().await.unwrap(), secs(1)).await.counts;
    assert_eq!((counts.acked, counts.failed, counts.failed_invocations), (2, 1, 0));
}

// An error is told with its causes and its type.
#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("the order cannot be stored")]
    struct NotStored(#[source] std::io::Error);
    let found =
        failures(batch(|_: Batch, _| async { Err::<(), _>(NotStored(std::io::Error::other("disk full"))) }))
            .await;
    assert_eq!(found[0].message, "the order cannot be stored: disk full");
    assert!(found[0].error_type.ends_with("NotStored"), "{}", found[0].error_type);
    // A failure that is one already stays what it is, also in a box.
    let boxed: BoxError = Failure::payload("odd").into();
    assert_eq!(Failure::of(boxed), Failure::payload("odd"));
}

// Messages of a batch can be handled at the same time.
#[tokio::test(start_paused = true)]
async fn messages_of_a_batch_are_handled_one_by_one_or_several_at_once() {
    for (at_once, took) in [(1, 10_000), (4, 3_000), (100, 1_000)] {
        let (queue, log) = (queue().await, Log::new());
        send(&queue, (0..10).map(|n| n.to_string())).await;
        let seen = log.clone();
        let handler = each(move |(): (), _: Received| {
            let seen = seen.clone();
            async move {
                sleep(secs(1)).await;
                seen.note("done");
            }
        });
        let mapping = QueueMapping::new(queue, handler.concurrently(at_once)).pollers(Pollers::Fixed(1));
        let report = run_for(mapping.start().await.unwrap(), secs(20)).await;
        assert_eq!((report.counts.acked, *log.times().last().unwrap()), (10, took));
    }
}

// A tower service handles messages, and its layers work as they do in servers.
#[tokio::test(start_paused = true)]
async fn a_tower_service_handles_messages_behind_its_layers() {
    let queue = queue().await;
    send(&queue, (0..30).map(|n| n.to_string())).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (now.clone(), most.clone());
    let service = tower::service_fn(move |message: Received| {
        let (now, most) = (running.clone(), highest.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(ms(100)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            if message.text() == Ok("7") { Err("seven") } else { Ok(Outcome::Ack) }
        }
    });
    let limited = tower::limit::ConcurrencyLimit::new(service, 2);
    let mapping = QueueMapping::new(queue, each_service(limited)).pollers(Pollers::Fixed(3));
    let counts = run_for(mapping.start().await.unwrap(), secs(20)).await.counts;
    assert_eq!((counts.acked, counts.failed, most.load(Ordering::SeqCst)), (29, 1, 2));
}

// A tower service handles batches; if it does not become ready, that is a failure.
#[tokio::test(start_paused = true)]
async fn a_tower_service_handles_batches() {
    #[derive(Clone)]
    struct Whole(bool);
    impl tower_service::Service<Batch> for Whole {
        type Response = ();
        type Error = &'static str;
        type Future = std::future::Ready<Result<(), &'static str>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(if self.0 { Ok(()) } else { Err("not ready") })
        }

        fn call(&mut self, batch: Batch) -> Self::Future {
            assert_eq!((batch.len(), batch.queue(), batch.is_fifo()), (3, "orders", false));
            std::future::ready(Ok(()))
        }
    }
    for (ready, expected) in [(true, (3, 0)), (false, (0, 3))] {
        let queue = queue().await;
        send(&queue, ["a", "b", "c"]).await;
        let mapping = QueueMapping::new(queue, batch_service(Whole(ready))).pollers(Pollers::Fixed(1));
        let counts = run_for(mapping.start().await.unwrap(), secs(1)).await.counts;
        assert_eq!((counts.acked, counts.failed), expected);
    }
}

// The request id is that of the invocation, for all messages of it and no other.
#[tokio::test(start_paused = true)]
async fn an_invocation_has_an_id() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b", "c"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: broker_worker::Context| {
        for message in messages.messages() {
            assert_eq!(message.context().request_id(), context.request_id());
        }
        assert_eq!(context.attempt(), 1);
        seen.note(context.request_id().to_string());
        async {}
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(2).pollers(Pollers::Fixed(1));
    run_for(mapping.start().await.unwrap(), secs(1)).await;
    let ids = log.words();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}
