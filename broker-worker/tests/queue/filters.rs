//! Filter criteria: which messages reach the handler, and what becomes of the others.

use broker_core::{AttributeValue, QueueExt, SendMessage};
use broker_worker::{
    handler::batch,
    queue::{Batch, FilterCriteria, FilterError, Pollers, QueueMapping},
};

use crate::ground::{Log, counters, queue, run_for, secs, send};

/// Which of these bodies a pattern lets through.
async fn wanted(patterns: &[&str], bodies: &[&str]) -> Vec<String> {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, bodies.iter().copied()).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        messages.messages().iter().for_each(|message| seen.note(message.text().unwrap()));
        async {}
    });
    let filters = FilterCriteria::parse(patterns.iter().copied()).unwrap();
    let mapping = QueueMapping::new(queue.clone(), handler).filters(filters).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    let counts = report.counts;
    assert_eq!(counts.received, bodies.len() as u64);
    assert_eq!((counts.filtered, counts.acked), (counts.received - counts.acked, log.words().len() as u64));
    // L72: what does not match is deleted without an invocation.
    assert_eq!(counters(&queue).await, (0, 0, 0));
    log.words()
}

// L70: fields are ANDed, values ORed, keys may be nested, filters are ORed; a field that is missing does not match.
#[tokio::test(start_paused = true)]
async fn fields_are_anded_values_and_filters_ored() {
    let bodies = [
        r#"{"kind": "order", "item": {"color": "red"}}"#,
        r#"{"kind": "order", "item": {"color": "green"}}"#,
        r#"{"kind": "order"}"#,
        r#"{"kind": "offer", "item": {"color": "blue"}}"#,
    ];
    let red_or_blue_orders = r#"{"body": {"kind": ["order"], "item": {"color": ["red", "blue"]}}}"#;
    assert_eq!(wanted(&[red_or_blue_orders], &bodies).await, [bodies[0]]);
    let offers = r#"{"body": {"kind": ["offer"]}}"#;
    assert_eq!(wanted(&[red_or_blue_orders, offers], &bodies).await, [bodies[0], bodies[3]]);
}

// L70: of two equal keys the last one counts.
#[tokio::test(start_paused = true)]
async fn of_two_equal_keys_the_last_one_counts() {
    let pattern = r#"{"body": {"a": ["1"], "a": ["2"]}}"#;
    let bodies = [r#"{"a": "1"}"#, r#"{"a": "2"}"#];
    assert_eq!(wanted(&[pattern], &bodies).await, [bodies[1]]);
}

// L70 (!): the current page knows the body only, the page of 2023 metadata too. We take both.
#[tokio::test(start_paused = true)]
async fn patterns_may_speak_of_the_rest_of_the_record() {
    let (queue, log) = (queue().await, Log::new());
    for (body, tenant) in [("a", "blue"), ("b", "red")] {
        let message = SendMessage::from(body).attribute("tenant", AttributeValue::string(tenant));
        queue.send_one(message).await.unwrap();
    }
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        messages.messages().iter().for_each(|message| seen.note(message.text().unwrap()));
        async {}
    });
    let pattern = r#"{"messageAttributes": {"tenant": {"stringValue": ["red"]}}, "body": ["b", "a"]}"#;
    let filters = FilterCriteria::parse([pattern]).unwrap();
    let mapping = QueueMapping::new(queue.clone(), handler).filters(filters);
    run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!(log.words(), ["b"]);
}

// L71: the operators.
#[tokio::test(start_paused = true)]
async fn all_operators_are_known() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (r#"["x"]"#, &[r#""x""#], &[r#""X""#, r#""xx""#, "1"]),
        (r"[null]", &["null"], &[r#""null""#, r#""""#]),
        (r#"[""]"#, &[r#""""#], &["null", r#"" ""#]),
        (r#"[{"exists": true}]"#, &["1", r#""x""#], &[]),
        (r#"[{"numeric": ["=", 300]}]"#, &["300", "300.0"], &["301", r#""300""#]),
        (r#"[{"numeric": [">", 10, "<=", 20]}]"#, &["10.5", "20"], &["10", "20.5"]),
        (r#"[{"prefix": "eu-"}]"#, &[r#""eu-west""#], &[r#""us-east""#]),
        (r#"[{"suffix": ".png"}]"#, &[r#""a.png""#], &[r#""a.jpg""#]),
        (r#"[{"anything-but": ["x", "y"]}]"#, &[r#""z""#], &[r#""x""#]),
        (r#"[{"equals-ignore-case": "Yes"}]"#, &[r#""yES""#], &[r#""no""#]),
    ];
    for (operator, matching, others) in cases {
        let body = |value: &&str| format!(r#"{{"k": {value}}}"#);
        let matching: Vec<String> = matching.iter().map(body).collect();
        let all: Vec<String> = matching.iter().cloned().chain(others.iter().map(body)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let pattern = format!(r#"{{"body": {{"k": {operator}}}}}"#);
        assert_eq!(wanted(&[&pattern], &all).await, matching, "{operator}");
    }
    let absent = r#"{"body": {"k": [{"exists": false}]}}"#;
    assert_eq!(wanted(&[absent], &[r#"{"k": 1}"#, r#"{"j": 1}"#]).await, [r#"{"j": 1}"#]);
    let either = r#"{"body": {"$or": [{"a": ["1"]}, {"b": ["2"]}]}}"#;
    let bodies = [r#"{"a": "1"}"#, r#"{"b": "2"}"#, r#"{"b": "1"}"#];
    assert_eq!(wanted(&[either], &bodies).await, bodies[..2]);
}

// L71 (!): numbers are compared by value, also without an operator.
#[tokio::test(start_paused = true)]
async fn numbers_are_equal_by_value() {
    let bodies = [r#"{"k": 300}"#, r#"{"k": 300.0}"#, r#"{"k": 3.0e2}"#, r#"{"k": "300"}"#];
    assert_eq!(wanted(&[r#"{"body": {"k": [300]}}"#], &bodies).await, bodies[..3]);
}

// L73: a body and a pattern of different formats do not match. Without a pattern for the body there is no check.
#[tokio::test(start_paused = true)]
async fn formats_must_agree() {
    let bodies = ["hello", r#"{"hello": "you"}"#, r#"["hello"]"#];
    assert_eq!(wanted(&[r#"{"body": {"hello": ["you"]}}"#], &bodies).await, [bodies[1]]);
    assert_eq!(wanted(&[r#"{"body": ["hello"]}"#], &bodies[..2]).await, [bodies[0]]);
    assert_eq!(wanted(&["{}"], &bodies).await, bodies);
    assert_eq!(wanted(&[r#"{"eventSource": ["aws:sqs"]}"#], &bodies).await, bodies);
}

// L74: what is no pattern is refused in AWS's words. Without filters everything is wanted.
#[tokio::test(start_paused = true)]
async fn what_is_no_pattern_is_refused() {
    for pattern in
        ["null", r#""text""#, "{", "[]", r#"{"body": "x"}"#, r#"{"body": []}"#, r#"{"body": {"k": []}}"#]
    {
        let error = FilterCriteria::parse(["{}", pattern]).unwrap_err();
        assert_eq!(error.to_string(), "Invalid filter pattern definition.", "{pattern}");
        assert!(matches!(error, FilterError::Pattern { index: 1, .. }));
    }
    assert_eq!(FilterCriteria::parse([]).unwrap(), FilterCriteria::default());
    assert_eq!(wanted(&[], &["anything"]).await, ["anything"]);
}

// Section E3: at most five filters, or ten with a raised quota, of 4,096 characters.
#[test]
fn filters_are_limited_in_number_and_length() {
    assert!(FilterCriteria::parse(["{}"; 5]).is_ok());
    assert_eq!(FilterCriteria::parse(["{}"; 6]).unwrap_err(), FilterError::TooMany { count: 6, max: 5 });
    assert!(FilterCriteria::parse_up_to(10, ["{}"; 10]).is_ok());
    assert_eq!(
        FilterCriteria::parse_up_to(99, ["{}"; 11]).unwrap_err(),
        FilterError::TooMany { count: 11, max: 10 }
    );
    let pattern = |chars: usize| {
        let text = format!(r#"{{"body": ["{}"]}}"#, "ä".repeat(chars - 14));
        assert_eq!(text.chars().count(), chars);
        text
    };
    assert!(FilterCriteria::parse([&*pattern(4_096)]).is_ok());
    let error = FilterCriteria::parse([&*pattern(4_097)]).unwrap_err();
    assert_eq!(error, FilterError::TooLong { index: 0, chars: 4_097, max: 4_096 });
}

// L75: if everything is filtered out there is no invocation; and what is filtered out takes no place in a batch.
#[tokio::test(start_paused = true)]
async fn what_is_filtered_out_takes_no_place_in_a_batch() {
    let (queue, log) = (queue().await, Log::new());
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.note(messages.len().to_string());
        async {}
    });
    let filters = FilterCriteria::parse([r#"{"body": ["yes"]}"#]).unwrap();
    let mapping = QueueMapping::new(queue.clone(), handler).filters(filters).pollers(Pollers::Fixed(1));
    send(&queue, ["no"; 10]).await;
    let running = mapping.batch_size(12).window(secs(5)).start().await.unwrap();
    crate::ground::sleep(secs(1)).await;
    assert_eq!((running.counts().filtered, running.counts().invocations), (10, 0));
    for _ in 0..12 {
        send(&queue, ["no", "yes"]).await;
    }
    run_for(running, secs(1)).await;
    // Full after one second, and not before it has twelve that are wanted.
    assert_eq!(log.lines(), [(1_000, "12".to_owned())]);
}

// Nothing that somebody sends can hurt: nesting, broken text, enormous keys.
#[tokio::test(start_paused = true)]
async fn hostile_bodies_are_filtered_out() {
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", r#"{"k":"#.repeat(50_000), "}".repeat(50_000));
    let bodies = [&*deep, &*deep_object, r#"{"k": "unclosed"#, r#"{"k": 1} trailing"#];
    assert_eq!(wanted(&[r#"{"body": {"k": ["x"]}}"#], &bodies).await, Vec::<String>::new());
}
