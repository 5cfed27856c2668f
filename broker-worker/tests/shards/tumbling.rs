//! Tumbling windows: a state that goes from invocation to invocation. L90.

use std::sync::Arc;

use broker_core::ShardId;
use broker_worker::{
    Failure,
    event::Source,
    stream::{KinesisEvent, RecordBatch, StreamMapping, StreamResponse, function},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{World, ms, queue, secs, text};

/// One invocation: when, relative to the first window's begin; where the window begins; the state; the records; whether it is the
/// last one, and before its time.
type Seen = (u64, u64, String, String, bool, bool);

/// A mapping with windows of ten seconds whose state is the records so far, and what it has seen. The world begins with a window.
async fn aligned(shards: u32) -> (World, Arc<Mutex<Vec<Seen>>>, u64) {
    let world = World::new(shards).await;
    let probe = world.broker.stream("probe").shards(1).await.unwrap();
    probe.put(broker_core::PutRecord::new("k", "x")).await.unwrap();
    let reader = probe.reader(ShardId(0), broker_core::StartingPosition::TrimHorizon).await;
    let now = reader.unwrap().next().await.unwrap().unwrap().arrived_at.as_millis();
    let begin = now.next_multiple_of(10_000);
    tokio::time::sleep(ms(begin - now)).await;
    (world, Arc::default(), begin)
}

fn state(window: &broker_worker::stream::Window) -> String {
    window.state.get("letters").and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn gather(world: &World, seen: &Arc<Mutex<Vec<Seen>>>, begin: u64) -> StreamMapping {
    let (seen, offset) = (seen.clone(), world.now());
    let clock = world.clone();
    let gather = move |batch: RecordBatch, _| {
        let window = batch.window().unwrap();
        let letters: String = batch.records().iter().map(text).collect();
        seen.lock().push((
            clock.now() - offset,
            window.start.as_millis() - begin,
            state(window),
            letters.clone(),
            window.is_final,
            window.is_terminated_early,
        ));
        assert_eq!(window.end.as_millis() - window.start.as_millis(), 10_000);
        let letters = state(window).trim_start_matches('-').to_owned() + &letters;
        async move {
            if letters.contains('X') {
                return Err(Failure::new("no"));
            }
            Ok(StreamResponse::State(json!({ "letters": letters })))
        }
    };
    world.mapping(gather).tumbling_window(secs(10))
}

fn row(at: u64, start: u64, state: &str, letters: &str, last: bool) -> Seen {
    (at, start, state.to_owned(), letters.to_owned(), last, false)
}

// L90
#[tokio::test(start_paused = true)]
async fn a_window_has_a_state_and_a_last_invocation_without_records() {
    let (world, seen, begin) = aligned(1).await;
    let running = gather(&world, &seen, begin).start().await.unwrap();
    world.put("k", "ab").await;
    tokio::time::sleep(secs(4)).await;
    world.put("k", "c").await;
    tokio::time::sleep(secs(11)).await;
    world.put("k", "d").await;
    tokio::time::sleep(secs(60)).await;
    let expected = [
        row(0, 0, "-", "ab", false),
        row(4_000, 0, "ab", "c", false),
        // When the time is over, to the millisecond; there is nothing to be read.
        row(10_000, 0, "abc", "", true),
        // The next window begins with nothing.
        row(15_000, 10_000, "-", "d", false),
        row(20_000, 10_000, "d", "", true),
    ];
    assert_eq!(*seen.lock(), expected);
    assert_eq!(running.counts().done, 4);
}

// L90: boundaries go by the time of arrival, not by that of the invocation.
#[tokio::test(start_paused = true)]
async fn records_that_were_put_before_belong_to_the_windows_of_their_arrival() {
    let (world, seen, begin) = aligned(1).await;
    world.put("k", "ab").await;
    tokio::time::sleep(ms(9_999)).await;
    world.put("k", "c").await;
    tokio::time::sleep(ms(1)).await;
    world.put("k", "d").await;
    tokio::time::sleep(secs(20)).await;
    world.put("k", "e").await;
    let offset = 30_000;
    let mapping = gather(&world, &seen, begin);
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let expected = [
        row(0, 0, "-", "abc", false),
        row(0, 0, "abc", "", true),
        row(0, 10_000, "-", "d", false),
        row(0, 10_000, "d", "", true),
        row(0, 30_000, "-", "e", false),
        row(10_000, 30_000, "e", "", true),
    ];
    assert_eq!(*seen.lock(), expected, "from {offset} ms on");
}

// L90: an answer without a state is a failed invocation; a failure suspends the shard, and the settings of retries apply.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_state_fails_and_a_failure_suspends_the_shard() {
    let (world, _, _) = aligned(1).await;
    let failed = world.queue("failed").await;
    world.put("k", "ab").await;
    let begin = world.now();
    let forgets = |_: RecordBatch, context: broker_worker::Context| async move {
        Ok(match context.attempt() {
            1 => StreamResponse::Done,
            2 => StreamResponse::Json(json!({"batchItemFailures": []})),
            _ => StreamResponse::Json(json!({"state": {"n": 1}})),
        })
    };
    let mapping = world.mapping(forgets).tumbling_window(secs(10)).maximum_retry_attempts(2);
    let running = mapping.on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.put("k", "c").await;
    tokio::time::sleep(secs(60)).await;
    let timeline: Vec<_> = world.timeline().into_iter().map(|(at, texts)| (at - begin, texts)).collect();
    let expected = [
        (0, "ab"),
        (500, "ab"),
        (1_500, "ab"),
        (1_500, "c"),
        (2_000, "c"),
        (3_000, "c"),
        (10_000, ""),
        (10_500, ""),
        (11_500, ""),
    ];
    assert_eq!(timeline, crate::support::owned(expected));
    assert_eq!(running.counts().given_up, 0);
}

// L90: what is given up leaves the state as it was.
#[tokio::test(start_paused = true)]
async fn records_that_are_given_up_leave_the_state_as_it_was() {
    let (world, seen, begin) = aligned(1).await;
    let failed = world.queue("failed").await;
    world.put("k", "abXc").await;
    let mapping = gather(&world, &seen, begin).bisect_batch_on_function_error(true).maximum_retry_attempts(0);
    let _running = mapping.on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let states: Vec<(String, String)> =
        seen.lock().iter().map(|seen| (seen.2.clone(), seen.3.clone())).collect();
    let expected = [("-", "abXc"), ("-", "ab"), ("ab", "Xc"), ("ab", "X"), ("ab", "c"), ("abc", "")];
    let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(states, expected);
    assert_eq!(world.told(&failed).await.len(), 1);
}

// L90: a state of more than 1 MiB ends the window before its time.
#[tokio::test(start_paused = true)]
async fn a_state_that_is_too_large_ends_the_window_early() {
    let (world, _, _) = aligned(1).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let grows = move |batch: RecordBatch, _| {
        let window = batch.window().unwrap();
        let large = batch.records().iter().any(|record| text(record) == "L");
        let bytes = window.state.as_str().map_or(0, str::len);
        notes.lock().push((batch.records().len(), bytes, window.is_final, window.is_terminated_early));
        // With its quotes.
        let state = "x".repeat(if large { 1024 * 1024 - 1 } else { 1024 * 1024 - 2 });
        async move { Ok(StreamResponse::State(Value::String(state))) }
    };
    let _running = world.mapping(grows).tumbling_window(secs(10)).batch_size(1).start().await.unwrap();
    world.put("k", "aLb").await;
    tokio::time::sleep(secs(60)).await;
    let max = 1024 * 1024 - 2;
    let expected = [
        (1, 0, false, false),
        (1, max, false, false),
        (0, max + 1, true, true),
        // The rest of the time is another window.
        (1, 0, false, false),
        (0, max, true, false),
    ];
    assert_eq!(*seen.lock(), expected);
}

// L90: the end of a shard closes its window, and its children begin with nothing.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_closes_its_window() {
    let (world, seen, begin) = aligned(1).await;
    let _running = gather(&world, &seen, begin).start().await.unwrap();
    world.put("k", "a").await;
    tokio::time::sleep(secs(2)).await;
    world.stream.split_shard(ShardId(0), 1 << 127).await.unwrap();
    world.put("k", "b").await;
    tokio::time::sleep(secs(60)).await;
    let expected = [
        row(0, 0, "-", "a", false),
        row(2_000, 0, "a", "", true),
        row(2_000, 0, "-", "b", false),
        row(10_000, 0, "b", "", true),
    ];
    assert_eq!(*seen.lock(), expected);
}

// L90: after a restart a window is begun again, so that its state is right.
#[tokio::test(start_paused = true)]
async fn a_restart_begins_at_the_begin_of_the_window() {
    let (world, seen, begin) = aligned(1).await;
    let first = gather(&world, &seen, begin).start().await.unwrap();
    world.put("k", "a").await;
    tokio::time::sleep(secs(11)).await;
    world.put("k", "bc").await;
    tokio::time::sleep(secs(1)).await;
    first.stop(secs(1)).await;
    seen.lock().clear();
    let _second = gather(&world, &seen, begin).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(*seen.lock(), [row(0, 10_000, "-", "bc", false), row(8_000, 10_000, "bc", "", true)]);
}

// L90: in the JSON of Lambda.
#[tokio::test(start_paused = true)]
async fn a_function_gets_the_window_in_the_json_of_lambda() {
    let (world, _, begin) = aligned(1).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let handler = function(Source::default(), move |event: KinesisEvent, _| {
        let mut event = serde_json::to_value(event).unwrap();
        let records = event["Records"].take();
        notes.lock().push((records.as_array().unwrap().len(), event));
        async { Ok::<_, std::fmt::Error>(json!({"state": {"n": 1}})) }
    });
    let mapping = StreamMapping::new("bill", world.stream.clone(), handler).tumbling_window(secs(10));
    let _running = mapping.start().await.unwrap();
    world.put("k", "a").await;
    tokio::time::sleep(secs(60)).await;
    let expected = |state: Value, last: bool| {
        json!({
            "Records": null,
            "window": {
                "start": broker_core::Timestamp::from_millis(begin).to_string(),
                "end": broker_core::Timestamp::from_millis(begin + 10_000).to_string(),
            },
            "state": state,
            "shardId": "shardId-000000000000",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
            "isFinalInvokeForWindow": last,
            "isWindowTerminatedEarly": false,
        })
    };
    assert_eq!(*seen.lock(), [(1, expected(json!({}), false)), (0, expected(json!({"n": 1}), true))]);
}

// L87, L90: a part that is done has its part in the state.
#[tokio::test(start_paused = true)]
async fn a_partial_failure_keeps_the_state_of_what_is_done() {
    let (world, _, _) = aligned(1).await;
    let states = Arc::new(Mutex::new(Vec::new()));
    let notes = states.clone();
    let partly = move |batch: RecordBatch, _| {
        let window = batch.window().unwrap();
        let before = state(window).trim_start_matches('-').to_owned();
        notes.lock().push((before.clone(), batch.records().iter().map(text).collect::<String>()));
        // Two records at a time.
        let failed: Vec<Value> =
            batch.records().iter().skip(2).map(|r| json!({"itemIdentifier": r.number.to_string()})).collect();
        let letters = before + &batch.records().iter().take(2).map(text).collect::<String>();
        async move {
            Ok(StreamResponse::Json(json!({"state": {"letters": letters}, "batchItemFailures": failed})))
        }
    };
    let mapping = world.mapping(partly).tumbling_window(secs(10)).report_batch_item_failures(true);
    let running = mapping.start().await.unwrap();
    world.put("k", "abcde").await;
    tokio::time::sleep(secs(60)).await;
    let expected = [("", "abcde"), ("ab", "cde"), ("abcd", "e"), ("abcde", "")];
    let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(*states.lock(), expected);
    assert_eq!(running.counts().done, 5);
}
