//! Answers that name records which failed. L50, L87, L88.

use std::sync::Arc;

use broker_worker::{
    Failure,
    stream::{RecordBatch, StreamResponse, each},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{World, owned, queue, secs, text};

/// What a function answers with this JSON the first time, and `{}` later. Returns the batches.
async fn answered(
    report: bool,
    answer: impl Fn(&RecordBatch) -> Value + Send + Sync + 'static,
) -> Vec<(u64, String)> {
    let world = World::new(1).await;
    world.put("k", "abcde").await;
    let first = Mutex::new(true);
    let answers = move |batch: RecordBatch, _| {
        let answer = if std::mem::take(&mut *first.lock()) { answer(&batch) } else { json!({}) };
        async move { Ok(StreamResponse::Json(answer)) }
    };
    let _running = world.mapping(answers).report_batch_item_failures(report).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    world.timeline()
}

fn failures(batch: &RecordBatch, positions: &[usize]) -> Value {
    let item = |position: &usize| json!({"itemIdentifier": batch.records()[*position].number.to_string()});
    json!({"batchItemFailures": positions.iter().map(item).collect::<Vec<_>>()})
}

// L87: the lowest number counts, and all behind it come again, also those that worked.
#[tokio::test(start_paused = true)]
async fn the_lowest_number_is_the_checkpoint() {
    let batches = answered(true, |batch| failures(batch, &[4, 2, 3])).await;
    assert_eq!(batches, owned([(0, "abcde"), (500, "cde")]));
    let batches = answered(true, |batch| failures(batch, &[4])).await;
    assert_eq!(batches, owned([(0, "abcde"), (500, "e")]));
    let batches = answered(true, |batch| failures(batch, &[0])).await;
    assert_eq!(batches, owned([(0, "abcde"), (500, "abcde")]));
}

// L87
#[tokio::test(start_paused = true)]
async fn six_answers_are_a_success() {
    let successes = [
        json!({"batchItemFailures": []}),
        json!({"batchItemFailures": null}),
        json!({}),
        json!(null),
        json!(""),
        json!([]),
    ];
    for answer in successes {
        let batches = answered(true, {
            let answer = answer.clone();
            move |_| answer.clone()
        })
        .await;
        assert_eq!(batches, owned([(0, "abcde")]), "{answer}");
    }
}

// L87
#[tokio::test(start_paused = true)]
async fn six_answers_fail_the_whole_batch() {
    let item = |id: Value| json!({"batchItemFailures": [{"itemIdentifier": id}]});
    let wrong = json!({"batchItemFailures": [{"foo": "bar"}]});
    let failed =
        [item(json!("")), item(json!(null)), wrong, item(json!(7)), item(json!("unknown")), json!("no")];
    for answer in failed {
        let batches = answered(true, {
            let answer = answer.clone();
            move |_| answer.clone()
        })
        .await;
        assert_eq!(batches, owned([(0, "abcde"), (500, "abcde")]), "{answer}");
    }
}

// L50: without the setting any answer is a success.
#[tokio::test(start_paused = true)]
async fn without_the_setting_any_json_is_a_success() {
    let batches = answered(false, |batch| failures(batch, &[2])).await;
    assert_eq!(batches, owned([(0, "abcde")]));
}

// L87: the part in front is done for good.
#[tokio::test(start_paused = true)]
async fn what_is_before_the_lowest_number_is_checkpointed() {
    let world = World::new(1).await;
    world.put("k", "abXde").await;
    let reports = |batch: RecordBatch, _| async move {
        let poison = batch.records().iter().find(|record| text(record) == "X");
        Ok(poison.map_or(StreamResponse::Done, |record| StreamResponse::Failed(vec![record.number])))
    };
    let running = world.mapping(reports).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let group = world.stream.consumer_groups().await.unwrap().remove(0);
    assert_eq!(group.leases[0].behind, 3);
    assert_eq!(running.counts().done, 2);
    running.stop(secs(1)).await;
    let before = world.calls().len();
    let _running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.texts()[before..], ["Xde"]);
}

// L88: a batch that got smaller counts its attempts from the beginning.
#[tokio::test(start_paused = true)]
async fn progress_begins_to_count_the_attempts_again() {
    let world = World::new(1).await;
    world.put("k", "abcd").await;
    let failed = world.queue("failed").await;
    // Each record is done at the second attempt on it, but for the last.
    let seen = Arc::new(Mutex::new(std::collections::BTreeMap::<String, u32>::new()));
    let slowly = move |batch: RecordBatch, _| {
        let first = &batch.records()[0];
        let mut seen = seen.lock();
        let times = seen.entry(text(first)).or_default();
        *times += 1;
        let answer = match batch.records() {
            [_, second, ..] if *times == 2 => Ok(StreamResponse::Failed(vec![second.number])),
            _ => Err(Failure::new("not yet")),
        };
        async move { answer }
    };
    let mapping = world.mapping(slowly).maximum_retry_attempts(1).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.texts(), ["abcd", "abcd", "bcd", "bcd", "cd", "cd", "d", "d"]);
    assert_eq!(world.calls().iter().map(|call| call.attempt).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2, 1, 2]);
    let told = world.told(&failed).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(told[0]["KinesisBatchInfo"]["batchSize"], 1);
}

// L87: a function on single records stops where one fails.
#[tokio::test(start_paused = true)]
async fn a_function_on_records_stops_at_the_first_that_fails() {
    let world = World::new(1).await;
    world.put("k", "abcd").await;
    let seen = Arc::new(Mutex::new(String::new()));
    let notes = seen.clone();
    let handler = each(move |record: broker_core::Record, _| {
        let text = text(&record);
        let first = !notes.lock().contains(&text);
        notes.lock().push_str(&text);
        async move { if text == "c" && first { Err("not yet") } else { Ok(()) } }
    });
    let mapping = broker_worker::stream::StreamMapping::new("bill", world.stream.clone(), handler);
    let running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(*seen.lock(), "abccd");
    assert_eq!(running.counts().done, 4);
}
