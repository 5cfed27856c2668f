//! What each operator matches: rules N60, N61, N63, N66, N70.

use crate::support::bodies;

/// N60.
#[test]
fn keys_are_anded_and_values_ored() {
    let policy = r#"{"a": ["x", "y"], "b": [1]}"#;
    let matching = [r#"{"a": "x", "b": 1}"#, r#"{"b": 1, "c": 2, "a": "y"}"#];
    bodies(policy, &matching, &[r#"{"a": "x"}"#, r#"{"b": 1}"#, r#"{"a": "z", "b": 1}"#, "{}"]);
}

/// N60, N61: without keys everything matches that a policy for bodies can look at.
#[test]
fn an_empty_policy_matches_every_object() {
    bodies("{}", &["{}", r#"{"a": 1}"#], &["", "text", "[]", "null", r#""a""#]);
}

/// N61.
#[test]
fn a_body_that_is_no_json_object_never_matches() {
    let others = ["a", "", r#""a""#, r#"["a"]"#, r#"[{"a": 1}]"#, r#"{"a": 1"#, r#"{"a": 1} x"#, "1", "null"];
    bodies(r#"{"a": [{"exists": true}]}"#, &[r#"{"a": 1}"#, " \n\t\r{\"a\":1} "], &others);
    bodies(r#"{"a": [{"exists": false}]}"#, &["{}"], &others);
}

/// N63, N70.
#[test]
fn exact_values_are_equal_in_type_and_case() {
    bodies(r#"{"a": ["x"]}"#, &[r#"{"a": "x"}"#, r#"{"a": "\u0078"}"#], &[r#"{"a": "X"}"#, r#"{"a": "xx"}"#]);
    bodies(r#"{"a": [5]}"#, &[r#"{"a": 5}"#, r#"{"a": 5.0}"#], &[r#"{"a": "5"}"#, r#"{"a": 5.1}"#]);
    bodies(r#"{"a": [true]}"#, &[r#"{"a": true}"#], &[r#"{"a": false}"#, r#"{"a": "true"}"#, r#"{"a": 1}"#]);
    bodies(r#"{"a": [false]}"#, &[r#"{"a": false}"#], &[r#"{"a": true}"#, r#"{"a": null}"#, r#"{"a": 0}"#]);
    bodies(
        r#"{"a": [null]}"#,
        &[r#"{"a": null}"#],
        &[r#"{"a": "null"}"#, "{}", r#"{"a": []}"#, r#"{"a": ""}"#],
    );
    bodies(r#"{"a": [""]}"#, &[r#"{"a": ""}"#], &[r#"{"a": null}"#, r#"{"a": " "}"#, "{}"]);
    bodies(r#"{"ä\n": ["ö\"\\"]}"#, &[r#"{"\u00e4\n": "\u00F6\"\\"}"#], &[r#"{"ä": "ö"}"#]);
    bodies(
        r#"{"a": ["\ud83d\ude00"]}"#,
        &[r#"{"a": "😀"}"#, r#"{"a": "\uD83D\uDE00"}"#],
        &[r#"{"a": "😁"}"#],
    );
}

/// N63.
#[test]
fn prefix_suffix_and_case() {
    bodies(
        r#"{"a": [{"prefix": "ab"}]}"#,
        &[r#"{"a": "abc"}"#, r#"{"a": "ab"}"#],
        &[r#"{"a": "Abc"}"#, r#"{"a": "a"}"#],
    );
    bodies(
        r#"{"a": [{"suffix": "bc"}]}"#,
        &[r#"{"a": "abc"}"#, r#"{"a": "bc"}"#],
        &[r#"{"a": "bcd"}"#, r#"{"a": "c"}"#],
    );
    bodies(r#"{"a": [{"prefix": ""}]}"#, &[r#"{"a": ""}"#, r#"{"a": "x"}"#], &[r#"{"a": 1}"#, "{}"]);
    bodies(r#"{"a": [{"prefix": "1"}]}"#, &[r#"{"a": "12"}"#], &[r#"{"a": 12}"#]);
    bodies(
        r#"{"a": [{"equals-ignore-case": "aBä"}]}"#,
        &[r#"{"a": "AbÄ"}"#, r#"{"a": "aBä"}"#],
        &[r#"{"a": "AbA"}"#, r#"{"a": "AbÄx"}"#, r#"{"a": "ab"}"#, r#"{"a": null}"#],
    );
}

/// N63: a value that is there and not listed, of whatever type.
#[test]
fn anything_but_matches_what_is_there_and_not_listed() {
    bodies(
        r#"{"a": [{"anything-but": ["x", "y"]}]}"#,
        &[r#"{"a": "z"}"#, r#"{"a": 1}"#, r#"{"a": null}"#, r#"{"a": true}"#, r#"{"a": ""}"#],
        &[r#"{"a": "x"}"#, r#"{"a": "y"}"#, "{}", r#"{"a": {"x": "z"}}"#],
    );
    bodies(
        r#"{"a": [{"anything-but": 5}]}"#,
        &[r#"{"a": 6}"#, r#"{"a": "5"}"#],
        &[r#"{"a": 5.0}"#, r#"{"a": 50e-1}"#],
    );
    bodies(r#"{"a": [{"anything-but": [0, 5]}]}"#, &[r#"{"a": 6}"#], &[r#"{"a": -0.0}"#, r#"{"a": 5}"#]);
    // One element that is not listed is enough.
    bodies(
        r#"{"a": [{"anything-but": ["x"]}]}"#,
        &[r#"{"a": ["x", "z"]}"#],
        &[r#"{"a": ["x", "x"]}"#, r#"{"a": []}"#],
    );
    bodies(
        r#"{"a": [{"anything-but": {"prefix": "ab"}}]}"#,
        &[r#"{"a": "a"}"#, r#"{"a": "b"}"#, r#"{"a": 1}"#],
        &[r#"{"a": "ab"}"#, r#"{"a": "abc"}"#, "{}"],
    );
    bodies(
        r#"{"a": [{"anything-but": {"prefix": ["b", "abc", "ab", "d"]}}]}"#,
        &[r#"{"a": "a"}"#, r#"{"a": "c"}"#, r#"{"a": ""}"#],
        &[r#"{"a": "abz"}"#, r#"{"a": "abc"}"#, r#"{"a": "b"}"#, r#"{"a": "dd"}"#],
    );
}

/// N63, N66.
#[test]
fn numbers_are_compared_as_doubles() {
    bodies(r#"{"a": [301.5]}"#, &[r#"{"a": 3.015e2}"#, r#"{"a": 301.50}"#], &[r#"{"a": 301.6}"#]);
    bodies(r#"{"a": [0]}"#, &[r#"{"a": -0}"#, r#"{"a": 0e5}"#], &[r#"{"a": 1e-9}"#]);
    bodies(
        r#"{"a": [{"numeric": ["=", 0.3]}]}"#,
        &[r#"{"a": 0.3}"#],
        &[r#"{"a": 0.30000001}"#, r#"{"a": "0.3"}"#],
    );
    bodies(
        r#"{"a": [{"numeric": ["<", 3]}]}"#,
        &[r#"{"a": 2.9}"#, r#"{"a": -1e9}"#],
        &[r#"{"a": 3}"#, r#"{"a": 4}"#],
    );
    bodies(r#"{"a": [{"numeric": ["<=", 3]}]}"#, &[r#"{"a": 3}"#], &[r#"{"a": 3.00001}"#]);
    bodies(r#"{"a": [{"numeric": [">", 3]}]}"#, &[r#"{"a": 3.00001}"#, r#"{"a": 1e9}"#], &[r#"{"a": 3}"#]);
    bodies(r#"{"a": [{"numeric": [">=", 3]}]}"#, &[r#"{"a": 3}"#], &[r#"{"a": 2.99999}"#]);
    bodies(
        r#"{"a": [{"numeric": [">", 1, "<=", 3]}]}"#,
        &[r#"{"a": 3}"#, r#"{"a": 1.5}"#],
        &[r#"{"a": 1}"#, r#"{"a": 4}"#],
    );
    bodies(r#"{"a": [{"numeric": [">=", 1, "<", 3]}]}"#, &[r#"{"a": 1}"#], &[r#"{"a": 3}"#, r#"{"a": 0}"#]);
    // No number is too large for a policy.
    bodies(r#"{"a": [12345678901234567890]}"#, &[r#"{"a": 12345678901234567890}"#], &[r#"{"a": 1}"#]);
}

/// N63.
#[test]
fn addresses_lie_in_a_range() {
    bodies(
        r#"{"a": [{"cidr": "10.0.0.0/24"}]}"#,
        &[
            r#"{"a": "10.0.0.0"}"#,
            r#"{"a": "10.0.0.255"}"#,
            r#"{"a": "010.0.0.07"}"#,
            r#"{"a": "::ffff:0a00:0001"}"#,
        ],
        &[
            r#"{"a": "10.0.1.0"}"#,
            r#"{"a": "9.255.255.255"}"#,
            r#"{"a": "10.0.0"}"#,
            r#"{"a": "10.0.0.256"}"#,
            r#"{"a": 10}"#,
        ],
    );
    bodies(r#"{"a": [{"cidr": "0.0.0.0/0"}]}"#, &[r#"{"a": "255.1.2.3"}"#], &[r#"{"a": "::1"}"#]);
    bodies(
        r#"{"a": [{"cidr": "2001:db8::/32"}]}"#,
        &[r#"{"a": "2001:db8::"}"#, r#"{"a": "2001:DB8:ffff:0:0:0:0:1"}"#],
        &[r#"{"a": "2001:db9::"}"#, r#"{"a": "32.1.13.184"}"#, r#"{"a": "2001:db8"}"#],
    );
    // An address as an exact value is one however it is written.
    bodies(r#"{"a": ["::1"]}"#, &[r#"{"a": "::1"}"#, r#"{"a": "0:0:0:0:0:0:0:1"}"#], &[r#"{"a": "::2"}"#]);
    bodies(
        r#"{"a": ["1.2.3.4"]}"#,
        &[r#"{"a": "1.2.3.04"}"#],
        &[r#"{"a": "1.2.3.5"}"#, r#"{"a": "1.2.3.4.5"}"#],
    );
}

/// N63.
#[test]
fn alternatives_match_across_keys() {
    let policy = r#"{"s": ["x"], "$or": [{"a": [1]}, {"b": [2], "c": [3]}, {"d": {"e": [4]}}]}"#;
    let matching =
        [r#"{"s": "x", "a": 1}"#, r#"{"s": "x", "b": 2, "c": 3}"#, r#"{"s": "x", "d": {"e": 4}, "a": 2}"#];
    let others = [
        r#"{"a": 1}"#,
        r#"{"s": "x"}"#,
        r#"{"s": "x", "b": 2}"#,
        r#"{"s": "y", "a": 1}"#,
        r#"{"s": "x", "e": 4}"#,
    ];
    bodies(policy, &matching, &others);
    let nested = r#"{"d": {"$or": [{"a": [1]}, {"$or": [{"b": [2]}, {"c": [3]}]}], "z": [0]}}"#;
    let matching = [r#"{"d": {"a": 1, "z": 0}}"#, r#"{"d": {"c": 3, "z": 0}}"#];
    bodies(nested, &matching, &[r#"{"d": {"c": 3}}"#, r#"{"a": 1, "d": {"z": 0}}"#]);
}

/// N63.
#[test]
fn what_is_not_two_objects_of_keys_is_a_key_named_or() {
    for policy in [
        r#"{"$or": [1]}"#,
        r#"{"$or": [1, {"prefix": "x"}]}"#,
        r#"{"$or": [{"numeric": ["=", 1]}, {"prefix": "x"}]}"#,
    ] {
        bodies(policy, &[r#"{"$or": 1}"#], &["{}", r#"{"$or": 2}"#]);
    }
    bodies(r#"{"$or": {"a": [1]}}"#, &[r#"{"$or": {"a": 1}}"#], &[r#"{"a": 1}"#]);
}

/// What a policy says twice of a key, it says last.
#[test]
fn a_key_that_comes_again_replaces_what_was_said_of_it() {
    bodies(r#"{"a": [1], "a": [2]}"#, &[r#"{"a": 2}"#], &[r#"{"a": 1}"#]);
    bodies(r#"{"a": {"b": [1]}, "a.b": [2]}"#, &[r#"{"a": {"b": 2}}"#], &[r#"{"a": {"b": 1}}"#]);
    let before = r#"{"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}"#;
    bodies(before, &[r#"{"a": 2}"#, r#"{"a": 1, "b": 3}"#], &[r#"{"a": 1}"#, r#"{"a": 0, "b": 3}"#]);
    let behind = r#"{"$or": [{"a": [2]}, {"b": [3]}], "a": [1]}"#;
    bodies(behind, &[r#"{"a": 1}"#], &[r#"{"a": 2}"#, r#"{"a": 0, "b": 3}"#]);
}
