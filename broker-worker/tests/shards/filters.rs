//! Filter criteria of records. L70, L72, L73, L74, L75.

use broker_core::PutRecord;
use broker_worker::{queue::FilterError, stream::StreamFilters};

use crate::support::{World, secs};

async fn wanted(patterns: &[&str], records: &[(&str, &str)]) -> (World, String) {
    let world = World::new(1).await;
    for (key, data) in records {
        world.stream.put(PutRecord::new(*key, (*data).to_owned())).await.unwrap();
    }
    let filters = StreamFilters::parse(patterns.iter().copied()).unwrap();
    let running = world.working().filters(filters).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let group = world.stream.consumer_groups().await.unwrap().remove(0);
    assert_eq!(group.leases[0].behind, 0, "what nobody wants is passed over");
    let counts = running.counts();
    assert_eq!((counts.read, counts.filtered + counts.done), (records.len() as u64, counts.read));
    let texts = world.texts().concat();
    (world, texts)
}

// L70, L72
#[tokio::test(start_paused = true)]
async fn records_are_filtered_by_data_and_by_what_is_beside_it() {
    let records =
        [("a", r#"{"n":1}"#), ("b", r#"{"n":2}"#), ("c", r#"{"n":3,"m":{"x":[1,2]}}"#), ("d", "{}")];
    let (_, texts) = wanted(&[r#"{"data": {"n": [{"numeric": [">", 1]}]}}"#], &records).await;
    assert_eq!(texts, r#"{"n":2}{"n":3,"m":{"x":[1,2]}}"#);
    let (_, texts) = wanted(&[r#"{"partitionKey": ["a", "d"]}"#], &records).await;
    assert_eq!(texts, r#"{"n":1}{}"#);
    // Fields are joined by and, patterns by or; nested keys.
    let both = [r#"{"partitionKey": ["b"], "data": {"n": [1]}}"#, r#"{"data": {"m": {"x": [2]}}}"#];
    assert_eq!(wanted(&both, &records).await.1, r#"{"n":3,"m":{"x":[1,2]}}"#);
    let arn = r#"{"eventSourceARN": [{"prefix": "arn:aws:kinesis:"}], "data": {"n": [2]}}"#;
    assert_eq!(wanted(&[arn], &records).await.1, r#"{"n":2}"#);
}

// L73: the table.
#[tokio::test(start_paused = true)]
async fn data_that_is_no_json_does_not_match_a_pattern_of_json() {
    let records = [("a", "plain"), ("b", r#"{"n":1}"#), ("c", "{broken"), ("d", "\u{0}\u{ff}")];
    let (world, texts) = wanted(&[r#"{"data": {"n": [1]}}"#], &records).await;
    assert_eq!((texts.as_str(), world.calls().len()), (r#"{"n":1}"#, 1));
    // No pattern for data: it is not looked at.
    assert_eq!(wanted(&[r#"{"partitionKey": ["a"]}"#], &records).await.1, "plain");
    for pattern in [r#"{"data": ["plain"]}"#, "{\n \"data\": [\"plain\"]}"] {
        let refused = StreamFilters::parse([r#"{"partitionKey": ["a"]}"#, pattern]).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid filter pattern definition.");
        assert!(matches!(refused, FilterError::Pattern { index: 1, .. }));
    }
}

// L74
#[test]
fn patterns_that_are_none_are_refused() {
    for pattern in
        ["null", "\"x\"", r#"{"data": "x"}"#, r#"{"data": {"n": 1}}"#, r#"{"data": {"n": []}}"#, "{", ""]
    {
        let refused = StreamFilters::parse([pattern]).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid filter pattern definition.", "{pattern}");
    }
    assert!(StreamFilters::parse([]).unwrap().is_empty());
}

// L75
#[tokio::test(start_paused = true)]
async fn if_nothing_is_wanted_nothing_is_invoked() {
    let (world, _) = wanted(&[r#"{"data": {"n": [9]}}"#], &[("a", r#"{"n":1}"#), ("b", "x")]).await;
    assert!(world.calls().is_empty());
}
