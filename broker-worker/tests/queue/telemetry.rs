//! Spans, metrics, trace context and events.

use std::sync::Arc;

use broker_core::{AttributeValue, Queue, QueueExt, SendMessage};
use broker_worker::{
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
    telemetry::{Counts, TraceContext, Traced, WorkerEvent},
};
use futures_util::StreamExt;
use metrics_util::debugging::DebuggingRecorder;
use parking_lot::Mutex;

use crate::{
    ground::{ms, queue, run_for, secs, send, sleep},
    seen::{Metrics, PARENT, Spans, assert_fields},
};

/// A trace context as AWS writes it, and the same as W3C would.
const AWS: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const FROM_AWS: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

// Spans for receive, process and settle, with OpenTelemetry's names; process is linked to who sent.
#[tokio::test(start_paused = true)]
async fn there_are_spans_with_the_names_of_opentelemetry() {
    let spans = Spans::collect();
    let queue = queue().await;
    let traced = Traced::new(queue.clone(), || PARENT.parse().ok());
    let sent = traced.send_one(SendMessage::from("hello")).await.unwrap();
    queue.send_one(SendMessage::from("fails").trace_header(AWS)).await.unwrap();
    let linked = Arc::new(Mutex::new(Vec::new()));
    let links = linked.clone();
    let handler = batch(|messages: Batch, _| async move {
        if messages.messages()[0].text() == Ok("fails") { Err("no") } else { Ok(()) }
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(1).pollers(Pollers::Fixed(1));
    let mapping = mapping.link(move |_, remote| links.lock().push(remote.to_string()));
    run_for(mapping.start().await.unwrap(), secs(1)).await;

    assert_eq!(spans.named("send")[0]["otel.name"], "send orders");
    assert_eq!(spans.named("receive")[0]["otel.kind"], "client");
    let [done, failed] = &spans.named("process")[..] else { panic!("two invocations") };
    let fields = [
        ("otel.name", "process orders"),
        ("otel.kind", "consumer"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "broker"),
        ("messaging.destination.name", "orders"),
        ("messaging.batch.message_count", "1"),
        ("messaging.message.id", &*sent.id.to_string()),
        ("messaging.message.body.size", "5"),
        ("messaging.links", PARENT),
    ];
    assert_fields(done, fields);
    assert!(!done.contains_key("error.type"));
    assert_eq!((&*failed["error.type"], &*failed["otel.status_code"]), ("error", "ERROR"));
    assert_eq!(failed["messaging.links"], FROM_AWS);
    assert_eq!(*linked.lock(), [PARENT, FROM_AWS]);
    assert_eq!(spans.named("receive")[0]["messaging.batch.message_count"], "1");
    assert_eq!(spans.named("settle").len(), 2);
}

// Metrics with OpenTelemetry's names and attributes.
#[tokio::test(start_paused = true)]
async fn there_are_metrics_with_the_names_of_opentelemetry() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let queue = queue().await;
    let traced = Traced::new(queue.clone(), || None);
    for body in ["a", "fails"] {
        traced.send_one(SendMessage::from(body)).await.unwrap();
    }
    let handler = batch(|messages: Batch, _| async move {
        sleep(ms(250)).await;
        if messages.messages()[0].text() == Ok("fails") { Err("no") } else { Ok(()) }
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(1).pollers(Pollers::Fixed(1));
    run_for(mapping.start().await.unwrap(), secs(1)).await;

    let found = Metrics::of(&snapshotter, "orders", None);
    assert_eq!(found.counter("messaging.client.sent.messages", "send"), 2);
    assert_eq!(found.counter("messaging.client.consumed.messages", "receive"), 2);
    assert_eq!(found.samples("messaging.process.duration", "process", None), [0.25]);
    assert_eq!(found.samples("messaging.process.duration", "process", Some("error")), [0.25]);
    assert_eq!(found.samples("messaging.client.operation.duration", "settle", None).len(), 2);
    assert_eq!(found.samples("messaging.client.operation.duration", "receive", None), [0.0, 0.0]);
}

// W3C and AWS: what is written can be read, and what makes no sense is no context.
#[tokio::test(start_paused = true)]
async fn trace_contexts_are_written_and_read() {
    let context: TraceContext = PARENT.parse().unwrap();
    assert_eq!((context.to_string(), context.sampled), (PARENT.to_owned(), true));
    assert_eq!(TraceContext::from_aws(&context.to_aws()).unwrap(), context);
    assert_eq!(TraceContext::from_aws(AWS).unwrap().to_aws(), AWS);
    // Of a later version what is known is read.
    assert!("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more".parse::<TraceContext>().is_ok());
    for text in [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-äbf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
    ] {
        assert!(text.parse::<TraceContext>().is_err(), "{text}");
    }
    for header in [
        "",
        "Root=1-5759e988-bd862e3fe1be46a994272793",
        "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
        "Root=1-ä759e98-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
    ] {
        assert!(TraceContext::from_aws(header).is_err(), "{header}");
    }
    // W3C goes before AWS, and state comes along.
    let queue = queue().await;
    let with_state = TraceContext { state: Some("vendor=1".into()), ..context };
    queue.send_one(with_state.inject(SendMessage::from("a")).trace_header(AWS)).await.unwrap();
    let message = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!(TraceContext::extract(&message), Some(with_state.clone()));
    queue.send_one(with_state.inject_aws(SendMessage::from("b"))).await.unwrap();
    let message = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!(TraceContext::extract(&message), Some(TraceContext { state: None, ..with_state }));
}

// A message that carries a context keeps it, and where there is no room for W3C's attributes it gets AWS's header.
#[tokio::test(start_paused = true)]
async fn a_traced_send_adds_the_context_where_there_is_none_in_the_form_that_fits() {
    let queue = queue().await;
    let state = Some("vendor=1".to_owned());
    let context = TraceContext { state: state.clone(), ..PARENT.parse().unwrap() };
    let without_state: TraceContext = PARENT.parse().unwrap();
    let traced = Traced::new(queue.clone(), move || {
        Some(TraceContext { state: state.clone(), ..PARENT.parse().unwrap() })
    });
    let other: TraceContext = "00-000000000000000000000000000000aa-00000000000000bb-00".parse().unwrap();
    let full = |attributes: u32| {
        let add = |message: SendMessage, number: u32| {
            message.attribute(number.to_string(), AttributeValue::number(number))
        };
        (0..attributes).fold(SendMessage::from("full"), add)
    };
    let plain = SendMessage::from("plain");
    let messages =
        [plain, other.inject("a".into()), other.inject_aws("b".into()), full(8), full(9), full(10)];
    traced.send_batch(messages.into_iter().collect()).await.unwrap().all().unwrap();
    let received = queue.receive(broker_core::ReceiveOptions::up_to(10)).await.unwrap();
    let found: Vec<_> = received.iter().map(|message| TraceContext::extract(message).unwrap()).collect();
    let fits = [context.clone(), other.clone(), other, context, without_state.clone(), without_state];
    assert_eq!(found, fits);
}

// The context makes no message and no batch too large.
#[tokio::test(start_paused = true)]
async fn a_traced_send_takes_as_large_messages_as_the_queue() {
    const MAX: usize = 1024 * 1024;
    let queue = queue().await;
    let traced = Traced::new(queue.clone(), || PARENT.parse().ok());
    traced.send_one("x".repeat(MAX).into()).await.unwrap();
    let parts = (0..10).map(|_| SendMessage::new("x".repeat(MAX / 10)));
    traced.send_batch(parts.collect()).await.unwrap().all().unwrap();
    let mut found = 0;
    for _ in 0..2 {
        for message in queue.receive(broker_core::ReceiveOptions::up_to(10)).await.unwrap() {
            assert_eq!(TraceContext::extract(&message), PARENT.parse().ok());
            found += 1;
        }
    }
    assert_eq!(found, 11);
    // A queue may take less than a batch may have.
    let small = crate::ground::broker().await.queue("small").max_message_size(2_048).await.unwrap();
    let traced = Traced::new(small.clone(), || PARENT.parse().ok());
    traced.send_one("x".repeat(2_000).into()).await.unwrap();
    let message = small.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0);
    assert_eq!(TraceContext::extract(&message), PARENT.parse().ok());
}

// Events tell what happens, in order; who is too slow is told what was missed.
#[tokio::test(start_paused = true)]
async fn events_tell_what_happens() {
    let queue = queue().await;
    let mapping = QueueMapping::new(queue.clone(), batch(|_: Batch, _| sleep(ms(500))));
    let running = mapping.pollers(Pollers::Fixed(1)).start().await.unwrap();
    let (events, slow) = (running.events(), running.events());
    send(&queue, ["a", "b"]).await;
    sleep(secs(1)).await;
    let early: Vec<WorkerEvent> = {
        let mut events = events;
        let mut early = Vec::new();
        while let Ok(Some(event)) = tokio::time::timeout(ms(1), events.next()).await {
            early.push(event);
        }
        early
    };
    let settled = Counts { acked: 2, ..Counts::default() };
    let expected = [
        WorkerEvent::Workers { running: 1 },
        WorkerEvent::Received { messages: 2 },
        WorkerEvent::Succeeded { messages: 2, took: ms(500) },
        WorkerEvent::Settled { counts: settled },
    ];
    assert_eq!(early, expected);
    for _ in 0..600 {
        send(&queue, ["x"]).await;
        sleep(ms(501)).await;
    }
    run_for(running, secs(0)).await;
    let all: Vec<WorkerEvent> = slow.collect().await;
    assert!(matches!(all[0], WorkerEvent::Missed { events: 700.. }), "{:?}", all[0]);
    assert_eq!(all.len(), 1_025);
}
