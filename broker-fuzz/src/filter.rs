//! Any text as a filter policy, and any bytes as what it is matched against: no panic, and no slow input.
//!
//! A policy that is taken can be stored and read again, and says of a message what its copy says. A body is an object
//! exactly if `serde_json` takes it for one.

use arbitrary::Arbitrary;
use broker_core::{
    AttributeValue, MessageAttributes,
    filter::{Document, FilterLimits, FilterPolicy, FilterScope, Scratch},
};

use crate::input;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    policy: &'a str,
    in_body: bool,
    body: &'a [u8],
    attributes: Vec<(&'a str, u8, &'a str)>,
}

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(input: &Input<'_>) {
    let scope = if input.in_body { FilterScope::MessageBody } else { FilterScope::MessageAttributes };
    let mut scratch = Scratch::default();
    let document = Document::parse(input.body, &mut scratch);
    agrees_with_serde_json(input.body, document.is_some());
    let aws = FilterPolicy::parse(input.policy, scope);
    let Ok(policy) = FilterPolicy::parse_with(input.policy, scope, &FilterLimits::most()) else {
        assert!(aws.is_err(), "wider limits refuse more");
        return;
    };
    let stored = serde_json::to_string(&policy).expect("text and scope");
    let read: FilterPolicy = serde_json::from_str(&stored).expect("it was taken before");
    let attributes = attributes(input);
    let answer = |policy: &FilterPolicy| {
        let body = document.is_some_and(|document| policy.matches_document(&document));
        (policy.matches_attributes(&attributes), body)
    };
    assert_eq!(answer(&policy), answer(&read));
    assert_eq!(answer(&policy).1, policy.matches_body(input.body));
}

/// `serde_json` refuses numbers that no double holds, and nothing else that is JSON.
fn agrees_with_serde_json(body: &[u8], ours: bool) {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Err(error) if error.to_string().contains("number out of range") => {}
        theirs => assert_eq!(ours, theirs.is_ok_and(|value| value.is_object())),
    }
}

fn attributes(input: &Input<'_>) -> MessageAttributes {
    let value = |data_type: u8, text: &str| match data_type % 4 {
        0 => AttributeValue::string(text),
        1 => AttributeValue::number(text),
        2 => AttributeValue::from_text("String.Array".into(), text.into()),
        _ => AttributeValue::binary(text.as_bytes().to_vec()),
    };
    input.attributes.iter().map(|(name, data_type, text)| (*name, value(*data_type, text))).collect()
}
