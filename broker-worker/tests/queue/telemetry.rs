//! Spans, metrics, trace context and events.

use std::{collections::HashMap, sync::Arc};

use broker_core::{Queue, QueueExt, SendMessage};
use broker_worker::{
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
    telemetry::{Counts, TraceContext, Traced, WorkerEvent},
};
use futures_util::StreamExt;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use parking_lot::Mutex;
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::ground::{ms, queue, run_for, secs, send, sleep};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const AWS: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// The fields of spans, by the names of the spans.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

type Span = (&'static str, HashMap<String, String>);

struct Fields<'f>(&'f mut HashMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut spans = self.0.lock();
        let mut fields = HashMap::new();
        attributes.record(&mut Fields(&mut fields));
        spans.push((attributes.metadata().name(), fields));
        span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Fields(&mut self.0.lock()[at].1));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Spans {
    fn named(&self, name: &str) -> Vec<HashMap<String, String>> {
        self.0.lock().iter().filter(|(of, _)| *of == name).map(|(_, fields)| fields.clone()).collect()
    }
}

// Spans for receive, process and settle, with OpenTelemetry's names; process is linked to who sent.
#[tokio::test(start_paused = true)]
async fn there_are_spans_with_the_names_of_opentelemetry() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
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
    for (field, value) in [
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
    ] {
        assert_eq!(done[field], value, "{field}");
    }
    assert!(!done.contains_key("error.type"));
    assert_eq!((&*failed["error.type"], &*failed["otel.status_code"]), ("error", "ERROR"));
    let from_aws = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    assert_eq!(failed["messaging.links"], from_aws);
    assert_eq!(*linked.lock(), [PARENT, from_aws]);
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

    let found: HashMap<(String, String, Option<String>), DebugValue> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let label = |name: &str| {
                key.key().labels().find(|label| label.key() == name).map(|label| label.value().to_owned())
            };
            assert_eq!(label("messaging.destination.name").as_deref(), Some("orders"));
            assert_eq!(label("messaging.system").as_deref(), Some("broker"));
            let operation = label("messaging.operation.name").unwrap();
            ((key.key().name().to_owned(), operation, label("error.type")), value)
        })
        .collect();
    let of = |name: &str, operation: &str, error: Option<&str>| {
        &found[&(name.to_owned(), operation.to_owned(), error.map(str::to_owned))]
    };
    let samples = |value: &DebugValue| match value {
        DebugValue::Histogram(samples) => {
            samples.iter().map(|sample| sample.into_inner()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(*of("messaging.client.sent.messages", "send", None), DebugValue::Counter(2));
    assert_eq!(*of("messaging.client.consumed.messages", "receive", None), DebugValue::Counter(2));
    assert_eq!(samples(of("messaging.process.duration", "process", None)), [0.25]);
    assert_eq!(samples(of("messaging.process.duration", "process", Some("error"))), [0.25]);
    assert_eq!(samples(of("messaging.client.operation.duration", "settle", None)).len(), 2);
    assert_eq!(samples(of("messaging.client.operation.duration", "receive", None)), [0.0, 0.0]);
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

// A message that carries a context keeps it, and there is room for no eleventh attribute.
#[tokio::test(start_paused = true)]
async fn a_traced_send_adds_the_context_where_there_is_none_and_room() {
    let queue = queue().await;
    let traced = Traced::new(queue.clone(), || PARENT.parse().ok());
    let other: TraceContext = "00-000000000000000000000000000000aa-00000000000000bb-00".parse().unwrap();
    let mut full = SendMessage::from("full");
    for number in 0..10 {
        full = full.attribute(number.to_string(), broker_core::AttributeValue::number(number));
    }
    let messages = [SendMessage::from("plain"), other.inject(SendMessage::from("marked")), full];
    traced.send_batch(messages.into_iter().collect()).await.unwrap().all().unwrap();
    let received = queue.receive(broker_core::ReceiveOptions::up_to(10)).await.unwrap();
    let found: Vec<_> = received.iter().map(TraceContext::extract).collect();
    assert_eq!(found, [PARENT.parse().ok(), Some(other), None]);
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
