//! Matching allocates nothing, once the memory for a document is there: issue 4, and the reason why a topic can ask
//! hundreds of policies about each message.

use allocation_counter::measure;
use broker_core::filter::{Document, Scratch};

use crate::support::{attributes, for_attributes, for_body};

/// T7.
#[test]
fn a_body_is_matched_without_allocating() {
    let policies = [
        for_body(
            r#"{"a": {"b": [1, {"prefix": "x"}], "c": [{"exists": false}]}, "t": ["\"q\"", {"suffix": "z"}]}"#,
        ),
        for_body(
            r#"{"$or": [{"a.b": [{"numeric": [">", 5]}]}, {"t": [{"anything-but": ["u"]}]}, {"i": [{"cidr": "10.0.0.0/8"}]}]}"#,
        ),
        for_body(r#"{"t": [{"equals-ignore-case": "ÄZ"}], "z": [{"anything-but": {"prefix": "y"}}]}"#),
    ];
    let bodies = [
        r#"{"a": [{"b": 1}, [{"b": ["xy", 7.5], "c": null}]], "t": "\"q\"", "i": "10.0.0.1", "z": [true, null]}"#,
        r#"{"t": "\u00e4z", "z": 12.25, "i": "::1"}"#,
    ];
    let mut scratch = Scratch::default();
    let mut matched = 0;
    let mut round = || {
        for body in bodies {
            let document = Document::parse(body.as_bytes(), &mut scratch).unwrap();
            matched += policies.iter().filter(|policy| policy.matches_document(&document)).count();
        }
    };
    assert!(measure(&mut round).count_total > 0, "the counter counts");
    assert_eq!(measure(&mut round).count_total, 0);
    assert_eq!(matched % 2, 0);
    assert!(matched > 0);
}

/// T7.
#[test]
fn attributes_are_matched_without_allocating() {
    let policies = [
        for_attributes(
            r#"{"a": ["x"], "n": [{"numeric": [">", 5]}], "l": ["say \\\"x\\\""], "q": ["\\\"q\\\""], "z": [{"exists": false}]}"#,
        ),
        for_attributes(r#"{"$or": [{"a": ["y"]}, {"l": [5]}]}"#),
    ];
    let message = attributes(&[
        ("a", "String", "x"),
        ("n", "Number", "6.5"),
        ("l", "String.Array", r#"["say \"x\"", 5]"#),
        ("q", "String", "\"q\""),
    ]);
    let matches = || assert!(policies.iter().all(|policy| policy.matches_attributes(&message)));
    matches();
    assert_eq!(measure(matches).count_total, 0);
}
