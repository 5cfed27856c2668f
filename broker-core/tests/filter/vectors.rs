//! What other engines say: cases from the test suites of event-ruler and quamina (`tests/data/README.md`).

use broker_core::filter::{FilterPolicy, FilterScope};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    scope: FilterScope,
    policy: String,
    event: String,
    r#match: bool,
    source: String,
}

/// N60 to N70, T2.
#[test]
fn other_engines_agree() {
    let lines = include_str!("../data/filter-vectors.jsonl").lines();
    let vectors: Vec<Vector> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(vectors.len(), 328);
    let differs = |vector: &&Vector| match FilterPolicy::parse(&vector.policy, vector.scope) {
        Ok(policy) => policy.matches_body(vector.event.as_bytes()) != vector.r#match,
        Err(_) => true,
    };
    let told = |vector: &Vector| {
        let Vector { policy, event, source, .. } = vector;
        format!("{source}\n  {policy}\n  {event}\n  they say {}", vector.r#match)
    };
    let differing: Vec<String> = vectors.iter().filter(differs).map(told).collect();
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}
