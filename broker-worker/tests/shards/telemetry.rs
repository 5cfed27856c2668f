//! Spans, metrics, trace context and events of a stream.

use std::sync::Arc;

use broker_core::{PutRecord, StartingPosition, Stream as _};
use broker_worker::{
    Failure,
    invoke::DestinationKind,
    stream::{RecordBatch, StreamMapping, StreamResponse},
    telemetry::{Counts, TraceContext, TracedStream, WorkerEvent},
};
use futures_util::StreamExt;
use metrics_util::debugging::DebuggingRecorder;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{
    hanging::Unhelpful,
    seen::{Metrics, PARENT, Spans, assert_fields},
    support::{World, ms, secs, text},
};

/// A record that says who has put it, as `CloudEvents` do.
fn marked(text: &str) -> PutRecord {
    PutRecord::new("key", format!(r#"{{"text":"{text}","traceparent":"{PARENT}","tracestate":"vendor=1"}}"#))
}

/// A mapping that fails on records with "poison", one record at a time, a quarter of a second each.
fn mapping(world: &World) -> StreamMapping {
    let mapping = world.mapping(|batch: RecordBatch, _| async move {
        sleep(ms(250)).await;
        let poison = batch.records().iter().any(|record| text(record).contains("poison"));
        if poison { Err(Failure::new("no")) } else { Ok(()) }
    });
    mapping.batch_size(1).maximum_retry_attempts(0).starting_position(StartingPosition::TrimHorizon)
}

// Spans for receive, process and settle, with OpenTelemetry's names; process is linked to who put the records.
#[tokio::test(start_paused = true)]
async fn spans_of_a_stream_have_the_names_of_opentelemetry_and_links() {
    let spans = Spans::collect();
    let world = World::new(1).await;
    let put = world.stream.put(marked("socks")).await.unwrap();
    world.stream.put(PutRecord::new("key", "poison")).await.unwrap();
    let linked = Arc::new(Mutex::new(Vec::new()));
    let links = linked.clone();
    let mapping = mapping(&world)
        .trace_context(|record| TraceContext::of_json(&record.data))
        .link(move |_, sender| links.lock().push(sender.clone()));
    let running = mapping.start().await.unwrap();
    sleep(secs(5)).await;
    running.stop(secs(1)).await;

    let receive = [
        ("otel.name", "receive clicks"),
        ("otel.kind", "client"),
        ("messaging.destination.name", "clicks"),
        ("messaging.consumer.group.name", "bill"),
    ];
    assert_fields(&spans.named("receive")[0], receive);
    let [done, failed] = &spans.named("process")[..] else { panic!("two invocations") };
    let fields = [
        ("otel.name", "process clicks"),
        ("otel.kind", "consumer"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "broker"),
        ("messaging.destination.name", "clicks"),
        ("messaging.destination.partition.id", "shardId-000000000000"),
        ("messaging.consumer.group.name", "bill"),
        ("messaging.batch.message_count", "1"),
        ("messaging.message.id", &*put.number.to_string()),
        ("messaging.message.body.size", &*marked("socks").data.len().to_string()),
        ("messaging.links", PARENT),
        ("faas.name", "bill"),
        ("attempt", "1"),
    ];
    assert_fields(done, fields);
    assert!(!done.contains_key("error.type"));
    assert_fields(failed, [("error.type", "error"), ("otel.status_code", "ERROR")]);
    assert!(!failed.contains_key("messaging.links"));
    let sender = TraceContext { state: Some("vendor=1".into()), ..PARENT.parse().unwrap() };
    assert_eq!(*linked.lock(), [sender]);
    let settle = &spans.named("settle")[..];
    assert_fields(&settle[0], [("otel.name", "settle clicks"), ("messaging.batch.message_count", "1")]);
    assert_eq!(settle.len(), 2);
}

// A put is told, and objects of JSON carry the context of whoever puts them; nothing else is changed.
#[tokio::test(start_paused = true)]
async fn puts_are_told_and_carry_the_context_where_a_record_can() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let spans = Spans::collect();
    let world = World::new(1).await;
    let context = TraceContext { state: Some("a=\"1\"".into()), ..PARENT.parse().unwrap() };
    let current = context.clone();
    let traced = TracedStream::new(world.stream.clone(), move || Some(current.clone()));
    let marked = format!(r#""traceparent":"{PARENT}","tracestate":"a=\"1\""}}"#);
    let own = r#"{"traceparent": "mine"}"#;
    let cases = [
        (r#"{"a": 1.50, "a": 2} "#, format!(r#"{{"a": 1.50, "a": 2,{marked}"#)),
        ("{ }", format!("{{{marked}")),
        (own, own.to_owned()),
        ("[1]", "[1]".to_owned()),
        ("text", "text".to_owned()),
        (r#"{"a": 1"#, r#"{"a": 1"#.to_owned()),
    ];
    let records = cases.iter().map(|(data, _)| PutRecord::new("key", *data)).collect();
    let put = traced.put_batch(records).await.unwrap();
    let shard = put[0].as_ref().unwrap().shard;
    let iterator = traced.iterator(shard, StartingPosition::TrimHorizon).await.unwrap();
    let read = traced.read_within(&iterator, 10, ms(0)).await.unwrap().records;
    for (record, (_, expected)) in read.iter().zip(&cases) {
        assert_eq!(text(record), *expected);
    }
    let found: Vec<_> = read.iter().map(|record| TraceContext::of_json(&record.data)).collect();
    assert_eq!(found, [Some(context.clone()), Some(context), None, None, None, None]);
    assert_fields(&spans.named("send")[0], [("otel.name", "send clicks"), ("otel.kind", "producer")]);
    let metrics = Metrics::of(&snapshotter, "clicks", None);
    assert_eq!(metrics.counter("messaging.client.sent.messages", "send"), 6);
    assert_eq!(metrics.samples("messaging.client.operation.duration", "send", None), [0.0]);
}

// The context makes no record too large.
#[tokio::test(start_paused = true)]
async fn a_record_as_large_as_the_stream_takes_is_put_without_a_context() {
    let world = World::new(1).await;
    let max = world.stream.attributes().await.unwrap().max_record_size;
    let traced = TracedStream::new(world.stream.clone(), || PARENT.parse().ok());
    let around = r#"{"a":""}"#.len() + "key".len();
    for (room, carries) in [(0, false), (71, false), (72, true)] {
        let data = format!(r#"{{"a":"{}"}}"#, "x".repeat(max - around - room));
        let put = traced.put_batch(vec![PutRecord::new("key", data)]).await.unwrap().remove(0).unwrap();
        let iterator = traced.iterator(put.shard, StartingPosition::At(put.number)).await.unwrap();
        let read = traced.read_within(&iterator, 1, ms(0)).await.unwrap().records.remove(0);
        assert_eq!(TraceContext::of_json(&read.data).is_some(), carries, "{room}");
    }
}

// Metrics with OpenTelemetry's names, units and attributes.
#[tokio::test(start_paused = true)]
async fn metrics_of_a_stream_have_the_names_of_opentelemetry() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new(1).await;
    let records = ["socks", "poison"].map(|text| PutRecord::new("key", text)).into_iter().collect();
    world.stream.put_batch(records).await.unwrap();
    let broken = Unhelpful::failing(DestinationKind::Queue);
    let running = mapping(&world).on_failure(broken).start().await.unwrap();
    sleep(secs(5)).await;
    running.stop(secs(1)).await;

    let found = Metrics::of(&snapshotter, "clicks", Some("bill"));
    assert_eq!(found.counter("messaging.client.consumed.messages", "receive"), 2);
    assert_eq!(found.samples("messaging.client.operation.duration", "receive", None), [0.0, 0.0]);
    assert_eq!(found.samples("messaging.process.duration", "process", None), [0.25]);
    assert_eq!(found.samples("messaging.process.duration", "process", Some("error")), [0.25]);
    assert_eq!(found.samples("messaging.client.operation.duration", "settle", None), [0.0, 0.0]);
    assert_eq!(found.counter("broker.worker.destination_delivery_failures", "settle"), 1);
}

// Events tell what happens, in order.
#[tokio::test(start_paused = true)]
async fn events_of_a_stream_tell_what_happens() {
    let world = World::new(1).await;
    let broken = Unhelpful::failing(DestinationKind::Queue);
    let running = mapping(&world).batch_size(2).on_failure(broken).start().await.unwrap();
    let events = running.events();
    sleep(secs(1)).await;
    world.put("key", "ab").await;
    sleep(secs(1)).await;
    world.stream.put(PutRecord::new("key", "poison")).await.unwrap();
    sleep(secs(1)).await;
    running.stop(secs(1)).await;
    let settled = |counts| WorkerEvent::Settled { counts };
    let expected = [
        WorkerEvent::Workers { running: 1 },
        WorkerEvent::Received { messages: 2 },
        WorkerEvent::Succeeded { messages: 2, took: ms(250) },
        settled(Counts { acked: 2, ..Counts::default() }),
        WorkerEvent::Received { messages: 1 },
        WorkerEvent::Failed { messages: 1, took: ms(250), failure: Failure::new("no") },
        WorkerEvent::DeliveryFailed { messages: 1, error: "it takes nothing".into() },
        settled(Counts { dead: 1, ..Counts::default() }),
        WorkerEvent::Workers { running: 0 },
    ];
    assert_eq!(events.collect::<Vec<_>>().await, expected);
}

// A record that an answer names as failed makes the invocation one that failed.
#[tokio::test(start_paused = true)]
async fn a_partial_failure_is_told_with_what_is_done_and_what_comes_again() {
    let world = World::new(1).await;
    let numbers = world.put("key", "abc").await;
    let second = numbers[1];
    let mapping = world.mapping(move |batch: RecordBatch, context| async move {
        Ok(if context.attempt() == 1 && batch.records().len() == 3 {
            StreamResponse::Failed(vec![second])
        } else {
            StreamResponse::Done
        })
    });
    let running = mapping.starting_position(StartingPosition::TrimHorizon).start().await.unwrap();
    let events = running.events();
    sleep(secs(2)).await;
    running.stop(secs(1)).await;
    let failure = Failure::new(format!("the answer names record {second} as failed"));
    let events: Vec<_> = events.collect().await;
    let at = events.iter().position(|event| matches!(event, WorkerEvent::Failed { .. })).unwrap();
    let expected = [
        WorkerEvent::Failed { messages: 3, took: ms(0), failure },
        WorkerEvent::Settled { counts: Counts { acked: 1, failed: 2, ..Counts::default() } },
        WorkerEvent::Succeeded { messages: 2, took: ms(0) },
        WorkerEvent::Settled { counts: Counts { acked: 2, ..Counts::default() } },
    ];
    assert_eq!(events[at..at + 4], expected);
}

// Who finds out trace contexts, and who links them, may panic: that fails nothing.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_search_for_a_context_fails_no_record() {
    let _spans = Spans::collect();
    let world = World::new(1).await;
    world.put("key", "ab").await;
    let mapping = mapping(&world).trace_context(|_| panic!("no trace for you"));
    let running = mapping.start().await.unwrap();
    sleep(secs(2)).await;
    assert_eq!(running.counts().done, 2);
    running.stop(secs(1)).await;
}
