//! How large and intricate a policy may be: rules N62 and N63, invariant T7.

use std::fmt::Write;

use broker_core::filter::{
    FilterLimits, FilterPolicy,
    FilterScope::{self, MessageAttributes, MessageBody},
};

use crate::support::{for_attributes, for_body, refusal};

const COMPLEX: &str = "Filter policy is too complex";

/// An array of so many numbers.
fn numbers(count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

/// An object with a key for each array.
fn object(arrays: &[usize]) -> String {
    let members = arrays.iter().enumerate().map(|(n, count)| format!(r#""k{n}": {}"#, numbers(*count)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

#[track_caller]
fn too_complex(policy: &str, scope: FilterScope) {
    assert_eq!(refusal(policy, scope).message, COMPLEX, "{policy}");
}

/// N62.
#[test]
fn a_policy_has_up_to_5_keys_at_the_top() {
    for_attributes(&object(&[1; 5]));
    for scope in [MessageAttributes, MessageBody] {
        let error = refusal(&object(&[1; 6]), scope);
        assert_eq!(error.message, "Filter policy can not have more than 5 keys");
    }
    for_body(&format!(r#"{{"a": {}}}"#, object(&[1; 6])));
}

/// N62, N63.
#[test]
fn a_policy_has_up_to_150_combinations() {
    for_attributes(&object(&[150]));
    for_attributes(&object(&[3, 5, 10]));
    for arrays in [&[151][..], &[76, 2], &[2, 2, 2, 19], &[64; 5]] {
        too_complex(&object(arrays), MessageAttributes);
        too_complex(&object(arrays), MessageBody);
    }
}

/// N63: the example of the documentation has 72.
#[test]
fn nested_arrays_count_by_their_depth() {
    let nested = |four: usize, three: usize| {
        format!(r#"{{"a": {{"b": {{"c": {}}}}}, "d": {{"e": {}}}}}"#, numbers(four), numbers(three))
    };
    let of = |max: u64| FilterLimits { combinations_max: max, ..FilterLimits::aws() };
    let parse = |max: u64| FilterPolicy::parse_with(&nested(4, 3), MessageBody, &of(max));
    assert!(parse(72).is_ok());
    assert_eq!(parse(71).unwrap_err().message, COMPLEX);
    for_body(&nested(5, 5));
    too_complex(&nested(26, 1), MessageBody);
    // A dot is no nesting.
    for_body(&format!(r#"{{"a.b.c": {}}}"#, numbers(150)));
}

/// N63: `$or` adds up.
#[test]
fn alternatives_are_added() {
    // Outside, and the arrays of each alternative.
    let policy = |outside: usize, alternatives: &[&[usize]]| {
        let alternatives: Vec<String> = alternatives.iter().map(|arrays| object(arrays)).collect();
        format!(r#"{{"out": {}, "$or": [{}]}}"#, numbers(outside), alternatives.join(","))
    };
    for scope in [MessageAttributes, MessageBody] {
        // (3 * 6) + (3 * 4 * 4) + (3 * 4 * 7) = 150.
        FilterPolicy::parse(&policy(3, &[&[6], &[4, 4], &[4, 7]]), scope).unwrap();
        // 2 * 76 = 152, 4 * 40 = 160.
        too_complex(&policy(2, &[&[6, 6], &[4, 10]]), scope);
        too_complex(&policy(4, &[&[6], &[16], &[18]]), scope);
    }
    // Behind it, outside of it or around it is the same, and it adds no depth.
    let around = |inner: usize| {
        format!(r#"{{"a": {{"$or": [{{"b": {}}}, {{"c": [1]}}]}}, "d": [1, 2, 3]}}"#, numbers(inner))
    };
    for_body(&around(24));
    too_complex(&around(25), MessageBody);
    let within = |inner: usize| {
        format!(r#"{{"$or": [{{"a": [1]}}, {{"$or": [{{"b": [1, 2]}}, {{"c": {}}}]}}]}}"#, numbers(inner))
    };
    for_attributes(&within(147));
    too_complex(&within(148), MessageAttributes);
}

/// N62.
#[test]
fn a_policy_has_up_to_256_kib() {
    let policy = |bytes: usize| format!("{}{}", r#"{"a": ["b"]}"#, " ".repeat(bytes - 12));
    for_attributes(&policy(256 * 1024));
    too_complex(&policy(256 * 1024 + 1), MessageAttributes);
}

fn nested(depth: usize) -> String {
    format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

/// T7: depth, also that of `$or`, is bounded.
#[test]
fn a_policy_is_up_to_16_deep() {
    for_body(&nested(16));
    too_complex(&nested(17), MessageBody);
    let alternatives = |depth: usize| {
        let open = r#"{"$or": [{"b": [1]}, "#.repeat(depth);
        format!(r#"{open}{{"a": [1]}}{}"#, "]}".repeat(depth))
    };
    for_attributes(&alternatives(15));
    too_complex(&alternatives(16), MessageAttributes);
    let error = refusal(&nested(200), MessageBody);
    assert_eq!(error.message, "failed to parse JSON. nested too deep");
}

/// T7: arrays of values, whose combinations may be one.
#[test]
fn a_policy_has_up_to_256_arrays() {
    let policy = |count: usize| format!(r#"{{"$or": [{}, {{"z": [1]}}]}}"#, object(&vec![1; count]));
    for_body(&policy(255));
    too_complex(&policy(256), MessageBody);
}

/// T7: keys that may lie in the same array of a body.
#[test]
fn up_to_8_keys_have_the_same_parent() {
    let below = |count: usize| {
        let mut keys = String::new();
        (0..count).for_each(|n| write!(keys, r#""a.{n}": [1],"#).unwrap());
        format!(r#"{{"$or": [{{{keys} "b": [1]}}, {{"c": [1]}}]}}"#)
    };
    for_body(&below(8));
    too_complex(&below(9), MessageBody);
    for_attributes(&below(100));
}

/// T7.
#[test]
fn a_path_is_not_without_end() {
    let policy = |bytes: usize| format!(r#"{{"{}": ["b"]}}"#, "a".repeat(bytes));
    for_body(&policy(4096));
    too_complex(&policy(4097), MessageBody);
}

/// N62: limits are data.
#[test]
fn limits_can_be_others_up_to_those_of_the_engine() {
    let with = |policy: &str, limits| FilterPolicy::parse_with(policy, MessageBody, &limits).map(|_| ());
    let aws = FilterLimits::aws();
    assert_eq!(FilterLimits::default(), aws);
    assert!(with(&object(&[1; 7]), FilterLimits { keys_max: 7, ..aws }).is_ok());
    let error = with(&object(&[1; 3]), FilterLimits { keys_max: 2, ..aws }).unwrap_err();
    assert_eq!(error.message, "Filter policy can not have more than 2 keys");
    assert!(with(&object(&[1000]), FilterLimits { combinations_max: u64::MAX, ..aws }).is_ok());
    assert!(with(&object(&[1001]), FilterLimits { combinations_max: u64::MAX, ..aws }).is_err());
    assert!(with(&nested(17), FilterLimits { depth_max: usize::MAX, ..aws }).is_err());
    assert!(with(&nested(4), FilterLimits { depth_max: 3, ..aws }).is_err());
    assert!(with(&object(&[2, 2]), FilterLimits { arrays_max: 1, ..aws }).is_err());
    assert!(with(&object(&[2]), FilterLimits { bytes_max: 8, ..aws }).is_err());
}
