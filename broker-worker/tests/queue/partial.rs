//! Partial batch responses: the table behind rule L50, as Lambda reads what a function answers.

use broker_core::QueueExt;
use broker_worker::{
    event::{Report, Source, read_report, sqs},
    queue::{Pollers, QueueMapping},
};
use serde_json::{Value, json};

use crate::ground::{counters, queue, run_for, secs, send};

/// Answers a batch of three messages so. Returns how many were deleted, and how many invocations failed.
async fn answered(report: bool, answer: impl Fn(&str) -> Value + Send + Sync + 'static) -> (u64, u64) {
    let queue = queue().await;
    send(&queue, ["a", "b", "c"]).await;
    let function = sqs::function(Source::default(), move |event: sqs::SqsEvent, _| {
        let second = event.records[1].message_id.clone();
        let answer = answer(&second);
        async move { Ok::<_, String>(answer) }
    });
    let mapping = QueueMapping::new(queue.clone(), function).pollers(Pollers::Fixed(1));
    let running = mapping.report_batch_item_failures(report).start().await.unwrap();
    let report = run_for(running, secs(1)).await;
    let counts = report.counts;
    assert_eq!(counts.acked + counts.failed, 3);
    assert_eq!(counters(&queue).await, (0, counts.failed, 0));
    (counts.acked, counts.failed_invocations)
}

/// Answers that are complete success (section E4).
fn successes() -> Vec<Value> {
    vec![
        json!({"batchItemFailures": []}),
        json!({"batchItemFailures": null}),
        json!({}),
        json!(null),
        json!(""),
        json!([]),
    ]
}

/// Answers that are complete failure, whatever the ids.
fn failures() -> Vec<Value> {
    vec![
        json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
        json!({"batchItemFailures": [{"itemIdentifier": null}]}),
        json!({"batchItemFailures": [{"itemIdentifier": 123_456}]}),
        json!({"batchItemFailures": [{"foo": "bar"}]}),
        json!({"batchItemFailures": [{"foo": null}]}),
        json!({"batchItemFailures": ["bare"]}),
        json!({"batchItemFailures": "all of them"}),
        json!("invalid"),
        json!(7),
        json!([{"itemIdentifier": "x"}]),
    ]
}

// The six answers of complete success, deleted all.
#[tokio::test(start_paused = true)]
async fn empty_answers_are_complete_success() {
    for answer in successes() {
        assert_eq!(read_report(&answer), Report::Success);
        let answered = answered(true, move |_| answer.clone()).await;
        assert_eq!(answered, (3, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_make_no_sense_are_complete_failure() {
    for answer in failures() {
        let shown = answer.to_string();
        assert!(matches!(read_report(&answer), Report::Malformed(_)), "{shown}");
        assert_eq!(answered(true, move |_| answer.clone()).await, (0, 1), "{shown}");
    }
}

// Others are deleted, those listed stay until their visibility timeout ends.
#[tokio::test(start_paused = true)]
async fn messages_that_are_listed_stay_and_others_are_deleted() {
    let listed = |id: &str| json!({"batchItemFailures": [{"itemIdentifier": id}]});
    assert_eq!(answered(true, listed).await, (2, 0));
    let twice = |id: &str| json!({"batchItemFailures": [{"itemIdentifier": id}, {"itemIdentifier": id}]});
    assert_eq!(answered(true, twice).await, (2, 0));
}

// An unknown id among known ones fails all.
#[tokio::test(start_paused = true)]
async fn an_id_that_is_not_in_the_batch_is_complete_failure() {
    let unknown =
        |id: &str| json!({"batchItemFailures": [{"itemIdentifier": id}, {"itemIdentifier": "nobody"}]});
    assert_eq!(answered(true, unknown).await, (0, 1));
}

// L50: without the setting any answer is success.
#[tokio::test(start_paused = true)]
async fn without_the_setting_any_answer_is_success() {
    let listed = |id: &str| json!({"batchItemFailures": [{"itemIdentifier": id}]});
    assert_eq!(answered(false, listed).await, (3, 0));
    for answer in failures() {
        assert_eq!(answered(false, move |_| answer.clone()).await, (3, 0));
    }
}

// An exception fails all, with the setting or without.
#[tokio::test(start_paused = true)]
async fn an_exception_is_complete_failure() {
    for report in [false, true] {
        let queue = queue().await;
        queue.send("a").await.unwrap();
        let function =
            sqs::function(Source::default(), |_, _| async { Err::<Value, _>("unhandled exception") });
        let mapping = QueueMapping::new(queue.clone(), function).report_batch_item_failures(report);
        let counts = run_for(mapping.start().await.unwrap(), secs(1)).await.counts;
        assert_eq!((counts.acked, counts.failed, counts.failed_invocations), (0, 1, 1));
        assert_eq!(queue.recv().await.unwrap().receive_count, 2);
    }
}
