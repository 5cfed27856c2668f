//! Asking filter policies about messages: bodies against a bare `serde_json` parse of the same body into its `Value`,
//! attributes for themselves. Wanted: parsing and matching a body costs less than that parse; a policy of five keys on
//! attributes takes less than 300 ns.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant},
};

use broker_benches::{Contest, median};
use broker_core::{
    AttributeValue, MessageAttributes,
    filter::{Document, FilterPolicy, FilterScope, Scratch},
};
use criterion::{Criterion, criterion_group, criterion_main};

/// One departure, as the examples publish them.
const FLAT: &str = r#"{"year":2013,"month":1,"day":1,"dep_time":517,"sched_dep_time":515,"dep_delay":2,"arr_time":830,
"sched_arr_time":819,"arr_delay":11,"carrier":"UA","flight":1545,"tailnum":"N14228","origin":"EWR","dest":"IAH",
"air_time":227,"distance":1400,"hour":5,"minute":15,"time_hour":"2013-01-01T10:00:00Z"}"#;
const FLAT_POLICY: &str = r#"{"carrier": ["AA", "UA"], "origin": [{"anything-but": "JFK"}], "dep_delay": [{"numeric": [">", 1]}],
"dest": [{"prefix": "I"}], "cancelled": [{"exists": false}]}"#;

/// An order whose lines have to be looked through, with names that have escapes.
const NESTED_POLICY: &str = r#"{"order": {"lines": {"sku": [{"prefix": "sku-39"}], "count": [{"numeric": [">=", 3]}]}},
"customer": {"country": ["NZ", "AU"]}}"#;

fn nested() -> String {
    let mut body =
        String::from(r#"{"customer":{"name":"Z\u00fcrich \"C\u00f4te\"","country":"NZ"},"order":{"lines":["#);
    for line in 0..40 {
        let comma = if line == 0 { "" } else { "," };
        let count = line % 4;
        write!(
            body,
            r#"{comma}{{"sku":"sku-{line}","count":{count},"price":{line}.25,"gift":false,"note":null}}"#
        )
        .expect("a string takes all");
    }
    body.push_str("]}}");
    body
}

fn timed(rounds: u64, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..rounds).for_each(|_| work());
    start.elapsed()
}

/// Parses a body once and asks so many policies.
fn bodies(criterion: &mut Criterion, name: &str, body: &str, policy: &str, policies: usize) {
    let policy = FilterPolicy::parse(policy, FilterScope::MessageBody).expect("a good policy");
    assert!(policy.matches_body(body.as_bytes()), "a match asks for every key");
    let policies = vec![policy; policies];
    let mut scratch = Scratch::default();
    let mut contest = Contest::new(format!("filter/{name}, {} policies", policies.len()), 1);
    contest.enter("parse and match", |rounds| {
        timed(rounds, || {
            let document = Document::parse(black_box(body).as_bytes(), &mut scratch).expect("an object");
            for policy in &policies {
                black_box(policy.matches_document(&document));
            }
        })
    });
    contest.enter("serde_json::Value", |rounds| {
        timed(rounds, || {
            let value: serde_json::Value = serde_json::from_slice(black_box(body).as_bytes()).expect("JSON");
            black_box(&value);
        })
    });
    contest.run(criterion);
}

fn in_bodies(criterion: &mut Criterion) {
    for policies in [1, 10] {
        bodies(criterion, "flat body", FLAT, FLAT_POLICY, policies);
        bodies(criterion, "nested body", &nested(), NESTED_POLICY, policies);
    }
}

/// What the policy on the flat body asks of a body, asked of attributes.
fn in_attributes(criterion: &mut Criterion) {
    let policy = FilterPolicy::parse(FLAT_POLICY, FilterScope::MessageAttributes).expect("a good policy");
    let mut attributes = MessageAttributes::new();
    for (name, value) in
        [("carrier", "UA"), ("origin", "EWR"), ("dest", "IAH"), ("tailnum", "N14228"), ("flight", "1545")]
    {
        attributes.insert(name, AttributeValue::string(value));
    }
    attributes.insert("dep_delay", AttributeValue::number(2));
    assert!(policy.matches_attributes(&attributes), "a match asks for every key");
    let mut work = |rounds| {
        timed(rounds, || {
            black_box(policy.matches_attributes(black_box(&attributes)));
        })
    };
    let mut contest = Contest::new("filter/attributes, 5 keys", 1);
    contest.enter("match", &mut work).run(criterion);
    drop(contest);
    let turns = (0..15).map(|_| work(100_000).as_secs_f64() * 1e9 / 1e5);
    println!("ratio  filter/attributes, 5 keys: {:.0} ns a match (wanted: under 300)", median(turns));
}

criterion_group!(benches, in_bodies, in_attributes);
criterion_main!(benches);
