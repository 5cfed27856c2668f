//! Spans, metrics, trace context and events of a function.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use broker_worker::{
    Failure,
    invoke::{AsyncFunction, DestinationKind, Invocation, InvokeConfig},
    telemetry::{Counts, TraceContext, Traced, WorkerEvent},
};
use futures_util::StreamExt;
use metrics_util::debugging::DebuggingRecorder;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    seen::{Metrics, PARENT, Spans, assert_fields},
    support::{Broken, World, secs},
};

/// A function that fails once on each event, and takes a quarter of a second. Its calls are traced.
async fn function(world: &World) -> AsyncFunction {
    struct Once;
    #[async_trait::async_trait]
    impl broker_worker::Handler<Invocation> for Once {
        async fn handle(&self, _: Invocation, context: broker_worker::Context) -> Result<Value, Failure> {
            sleep(std::time::Duration::from_millis(250)).await;
            if context.attempt() == 1 { Err(Failure::new("no")) } else { Ok(json!("done")) }
        }
    }
    let queue = world.queue("orders-events").await;
    // Whoever calls is in a trace; the attempts that the function sends to itself are in none.
    let called = AtomicBool::new(false);
    let current = move || {
        let context = TraceContext { state: Some("vendor=1".into()), ..PARENT.parse().unwrap() };
        (!called.swap(true, Ordering::SeqCst)).then_some(context)
    };
    AsyncFunction::new("orders", Traced::new(queue, current), Once)
}

// Spans of all attempts, linked to who has called: the context is in the stored event, also in the second one.
#[tokio::test(start_paused = true)]
async fn spans_of_a_function_have_the_names_of_opentelemetry_and_the_callers_link() {
    let spans = Spans::collect();
    let world = World::new().await;
    let linked = Arc::new(Mutex::new(Vec::new()));
    let links = linked.clone();
    let function = function(&world).await.link(move |_, caller| links.lock().push(caller.clone()));
    let function = function.start().await.unwrap();
    let accepted = function.invoke("[1]").await.unwrap();
    sleep(secs(100)).await;
    function.stop(secs(1)).await;

    assert_fields(&spans.named("send")[0], [("otel.name", "send orders-events"), ("otel.kind", "producer")]);
    assert_fields(&spans.named("receive")[0], [("otel.name", "receive orders-events")]);
    let [first, second] = &spans.named("process")[..] else { panic!("two attempts") };
    for (span, attempt) in [(first, "1"), (second, "2")] {
        let fields = [
            ("otel.name", "process orders-events"),
            ("otel.kind", "consumer"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "broker"),
            ("messaging.destination.name", "orders-events"),
            ("messaging.batch.message_count", "1"),
            ("messaging.message.body.size", "3"),
            ("messaging.links", PARENT),
            ("faas.name", "orders"),
            ("faas.invocation_id", &*accepted.request_id.to_string()),
            ("attempt", attempt),
        ];
        assert_fields(span, fields);
    }
    assert_fields(first, [("error.type", "error"), ("otel.status_code", "ERROR")]);
    assert!(!second.contains_key("error.type"));
    let caller = TraceContext { state: Some("vendor=1".into()), ..PARENT.parse().unwrap() };
    assert_eq!(*linked.lock(), [caller.clone(), caller]);
    assert_eq!(spans.named("settle").len(), 2);
}

// The largest event leaves no room for W3C's attributes: it has AWS's header.
#[tokio::test(start_paused = true)]
async fn the_largest_event_carries_its_context_too() {
    let spans = Spans::collect();
    let world = World::new().await;
    let function = function(&world).await.start().await.unwrap();
    function.invoke(format!("\"{}\"", "x".repeat(1024 * 1024 - 256 - 2))).await.unwrap();
    sleep(secs(100)).await;
    function.stop(secs(1)).await;
    let processed = spans.named("process");
    assert_eq!(processed.len(), 2);
    assert!(processed.iter().all(|span| span["messaging.links"] == PARENT));
}

// Metrics with OpenTelemetry's names, units and attributes.
#[tokio::test(start_paused = true)]
async fn metrics_of_a_function_have_the_names_of_opentelemetry() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new().await;
    let broken = Arc::new(Broken(DestinationKind::Queue, "arn:aws:sqs:us-east-1:000000000000:broken"));
    let config = InvokeConfig { on_success: Some(broken), ..InvokeConfig::default() };
    let function = function(&world).await.config(config).start().await.unwrap();
    function.invoke("1").await.unwrap();
    sleep(secs(100)).await;
    function.stop(secs(1)).await;

    let found = Metrics::of(&snapshotter, "orders-events", None);
    // The event, and once more to be tried again.
    assert_eq!(found.counter("messaging.client.sent.messages", "send"), 2);
    assert_eq!(found.counter("messaging.client.consumed.messages", "receive"), 2);
    assert_eq!(found.samples("messaging.process.duration", "process", None), [0.25]);
    assert_eq!(found.samples("messaging.process.duration", "process", Some("error")), [0.25]);
    assert_eq!(found.samples("messaging.client.operation.duration", "settle", None), [0.0, 0.0]);
    assert_eq!(found.counter("broker.worker.destination_delivery_failures", "settle"), 1);
    assert_eq!(found.counter("broker.worker.dead_letter_errors", "settle"), 0);
}

// Events tell what happens, in order.
#[tokio::test(start_paused = true)]
async fn events_of_a_function_tell_what_happens() {
    let world = World::new().await;
    let function = function(&world).await.start().await.unwrap();
    let events = function.events();
    function.invoke("1").await.unwrap();
    sleep(secs(100)).await;
    function.stop(secs(1)).await;
    let took = std::time::Duration::from_millis(250);
    let settled = |counts| WorkerEvent::Settled { counts };
    let (one, none) = (WorkerEvent::Workers { running: 1 }, WorkerEvent::Workers { running: 0 });
    let expected = [
        WorkerEvent::Received { messages: 1 },
        one.clone(),
        WorkerEvent::Failed { messages: 1, took, failure: Failure::new("no") },
        settled(Counts { retried: 1, ..Counts::default() }),
        none.clone(),
        WorkerEvent::Received { messages: 1 },
        one,
        WorkerEvent::Succeeded { messages: 1, took },
        settled(Counts { acked: 1, ..Counts::default() }),
        none,
    ];
    assert_eq!(events.collect::<Vec<_>>().await, expected);
}
