//! The scope of message attributes: rules N16, N61, N69 and N71.

use broker_core::{
    AttributeValue, MessageAttributes,
    filter::{Document, FilterPolicy, FilterScope, Scratch},
};

use crate::support::{attributes, for_attributes, for_body, values};

/// N61.
#[test]
fn strings_and_numbers_are_compared_by_their_type() {
    values(r#"{"a": ["5"]}"#, &[("String", "5"), ("String.own", "5")], &[("Number", "5"), ("String", "5.0")]);
    values(
        r#"{"a": [5]}"#,
        &[("Number", "5"), ("Number.float", "5.00"), ("Number", "5e0")],
        &[("String", "5")],
    );
    values(
        r#"{"a": [{"numeric": [">", 5]}]}"#,
        &[("Number", "6")],
        &[("Number", "5"), ("String", "6"), ("Number", "inf"), ("Number", "x")],
    );
    values(r#"{"a": [{"prefix": "x"}]}"#, &[("String", "xy")], &[("String", "y")]);
    values(
        r#"{"a": [{"anything-but": ["x"]}]}"#,
        &[("String", "y"), ("Number", "5"), ("Number", "x")],
        &[("String", "x")],
    );
    values(r#"{"a": [true, null]}"#, &[], &[("String", "true"), ("String", "null")]);
    values(r#"{"a": [{"cidr": "10.0.0.0/8"}]}"#, &[("String", "10.1.1.1")], &[("String", "11.0.0.0")]);
}

/// N61.
#[test]
fn any_element_of_an_array_may_match() {
    let array = "String.Array";
    values(
        r#"{"a": ["x"]}"#,
        &[(array, r#"["y", "x"]"#)],
        &[(array, r#"["y"]"#), (array, "[]"), ("String", r#"["x"]"#)],
    );
    values(r#"{"a": [5]}"#, &[(array, r#"["y", 5.0]"#)], &[(array, r#"["5"]"#)]);
    values(
        r#"{"a": [null, true]}"#,
        &[(array, "[null]"), (array, "[1, true]")],
        &[(array, r#"["null"]"#), (array, "[false]")],
    );
    values(
        r#"{"a": [{"anything-but": ["x"]}]}"#,
        &[(array, r#"["x", "y"]"#)],
        &[(array, r#"["x"]"#), (array, "[]")],
    );
    values(r#"{"a": [{"exists": false}]}"#, &[(array, "[]")], &[(array, "[1]")]);
    values(r#"{"a": [{"exists": true}]}"#, &[(array, "[1]")], &[(array, "[]")]);
}

/// N61: a list that is none, or is nested, is a string.
#[test]
fn a_malformed_array_is_a_string() {
    values(
        r#"{"a": ["[x"]}"#,
        &[("String.Array", "[x")],
        &[("String.Array", r#"["[x", "y"]"#.trim_start_matches('['))],
    );
    values(r#"{"a": ["[[1]]"]}"#, &[("String.Array", "[[1]]")], &[("String.Array", "[1]")]);
    values(r#"{"a": [5]}"#, &[], &[("String.Array", "5"), ("String.Array", "[5"), ("String.Array", "[[5]]")]);
}

/// N61: of binary values only counts that they are there.
#[test]
fn binary_values_only_exist() {
    let binary: MessageAttributes = [("a", AttributeValue::binary("x"))].into_iter().collect();
    let matches = |policy: &str| for_attributes(policy).matches_attributes(&binary);
    assert!(matches(r#"{"a": [{"exists": true}]}"#));
    for other in [
        r#"{"a": [{"exists": false}]}"#,
        r#"{"a": ["x"]}"#,
        r#"{"a": [{"anything-but": "y"}]}"#,
        r#"{"a": [{"prefix": ""}]}"#,
    ] {
        assert!(!matches(other), "{other}");
    }
    // Text with the type of binary, which no topic takes.
    values(r#"{"a": [{"exists": true}]}"#, &[("Binary", "x")], &[]);
    values(r#"{"a": ["x"]}"#, &[], &[("Binary.png", "x")]);
}

/// N60, N68.
#[test]
fn keys_are_names_of_attributes() {
    let policy = for_attributes(r#"{"a.b": ["x"], "c": [{"exists": false}]}"#);
    assert!(policy.matches_attributes(&attributes(&[("a.b", "String", "x")])));
    assert!(!policy.matches_attributes(&attributes(&[("a.b", "String", "x"), ("c", "String", "y")])));
    assert!(!policy.matches_attributes(&attributes(&[("a", "String", "x")])));
    assert!(!policy.matches_attributes(&MessageAttributes::new()));
    assert!(for_attributes("{}").matches_attributes(&MessageAttributes::new()));
    let any = for_attributes(r#"{"s": ["x"], "$or": [{"a": [1]}, {"b": ["y"]}]}"#);
    assert!(any.matches_attributes(&attributes(&[("s", "String", "x"), ("b", "String", "y")])));
    assert!(!any.matches_attributes(&attributes(&[("s", "String", "x"), ("a", "Number", "2")])));
}

/// N71: a policy needs to escape twice what an attribute has once.
#[test]
fn quotes_and_backslashes_are_compared_escaped() {
    let quoted = [("String", r#"say "x""#), ("String.Array", r#"["say \"x\""]"#)];
    values(r#"{"a": ["say \\\"x\\\""]}"#, &quoted, &[("String", r#"say \"x\""#), ("String", "say x")]);
    values(r#"{"a": ["say \"x\""]}"#, &[], &quoted);
    values(r#"{"a": [{"anything-but": ["say \"x\""]}]}"#, &quoted, &[]);
    values(r#"{"a": [{"anything-but": ["say \\\"x\\\""]}]}"#, &[], &quoted);
    values(r#"{"a": ["c:\\\\d"]}"#, &[("String", r"c:\d")], &[("String", r"c:\\d")]);
    values(r#"{"a": [{"prefix": "c:\\\\"}]}"#, &[("String", r"c:\d")], &[("String", "c:d")]);
    values(r#"{"a": [{"suffix": "x\\\""}]}"#, &quoted, &[("String", "x")]);
    values(r#"{"a": ["[\\\"x"]}"#, &[("String.Array", r#"["x"#)], &[("String.Array", r#"["x"]"#)]);
    // In a body a string is its text.
    assert!(for_body(r#"{"a": ["say \"x\""]}"#).matches_body(br#"{"a": "say \"x\""}"#));
}

/// N16.
#[test]
fn each_scope_looks_at_its_part_of_a_message() {
    let (by_attributes, by_body) = (for_attributes(r#"{"a": ["x"]}"#), for_body(r#"{"a": ["x"]}"#));
    let attributes = attributes(&[("a", "String", "x")]);
    let mut scratch = Scratch::default();
    let document = Document::parse(br#"{"a": "x"}"#, &mut scratch).unwrap();
    assert!(by_attributes.matches_attributes(&attributes) && by_body.matches_document(&document));
    assert!(!by_attributes.matches_document(&document) && !by_body.matches_attributes(&attributes));
    assert!(!by_attributes.matches_body(br#"{"a": "x"}"#));
    assert_eq!(FilterScope::default(), FilterScope::MessageAttributes);
    assert_eq!(FilterScope::MessageBody.to_string(), "MessageBody");
}

/// N16: a policy is stored as it was given, and compared so.
#[test]
fn a_policy_is_stored_as_its_text_and_scope() {
    let policy = for_body(r#"{"a": [ "x" ]}"#);
    let stored = serde_json::to_string(&policy).unwrap();
    assert_eq!(stored, r#"{"scope":"MessageBody","text":"{\"a\": [ \"x\" ]}"}"#);
    let read: FilterPolicy = serde_json::from_str(&stored).unwrap();
    assert_eq!(
        (&read, read.as_str(), read.scope()),
        (&policy, r#"{"a": [ "x" ]}"#, FilterScope::MessageBody)
    );
    assert!(read.matches_body(br#"{"a": "x"}"#));
    assert_ne!(read, for_body(r#"{"a": ["x"]}"#));
    assert_ne!(read, for_attributes(r#"{"a": [ "x" ]}"#));
    let bad = r#"{"scope":"MessageBody","text":"{\"a\": 1}"}"#;
    let error = serde_json::from_str::<FilterPolicy>(bad).unwrap_err().to_string();
    assert!(error.starts_with("\"a\" must be an object or an array"), "{error}");
    assert_eq!(format!("{policy:?}"), r#"FilterPolicy { scope: MessageBody, text: "{\"a\": [ \"x\" ]}" }"#);
}
