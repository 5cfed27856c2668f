//! Policies and bodies of somebody who means harm: invariants T7 and G10. Each is run on a thread with a stack of
//! 256 KiB, and counts on nothing but the bounds: the times are so far above what is needed that a slow machine passes.

use std::{fmt::Write, thread};

use broker_core::filter::{FilterLimits, FilterPolicy, FilterScope::MessageBody};

use crate::support::{attributes, for_attributes, for_body};

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 * 1024).spawn(work).unwrap().join().unwrap();
}

/// So much text that a body is full.
fn full(unit: &str) -> String {
    unit.repeat((1 << 20) / unit.len())
}

/// T7, G10.
#[test]
fn nesting_without_end_is_no_object() {
    on_a_small_stack(|| {
        let policy = for_body(r#"{"a": {"b": [1], "c": [{"exists": false}]}}"#);
        for unit in ["[", "{\"a\":", "{\"a\":[", "[[]", "\"", "\\", "{", "{\"a\":[]", "-"] {
            assert!(!policy.matches_body(full(unit).as_bytes()), "{unit}");
            assert!(!policy.matches_body(format!("{{\"a\":{}", full(unit)).as_bytes()), "{unit}");
        }
        let array = attributes(&[("a", "String.Array", &full("["))]);
        assert!(!for_attributes(r#"{"a": [1]}"#).matches_attributes(&array));
    });
}

/// T7, G10.
#[test]
fn policies_without_end_are_refused() {
    on_a_small_stack(|| {
        let most = FilterLimits { keys_max: usize::MAX, ..FilterLimits::most() };
        let units = [
            "[",
            "{",
            "{\"a\":",
            "{\"a\":[{",
            "{\"$or\":[{\"a\":[1]},",
            "{\"a\":[{\"anything-but\":[",
            "\"",
            "1",
            "{\"a\":[1],",
        ];
        for unit in units {
            for length in [1 << 10, 1 << 17, 1 << 20] {
                let policy = unit.repeat(length / unit.len());
                assert!(FilterPolicy::parse(&policy, MessageBody).is_err(), "{unit}");
                assert!(FilterPolicy::parse_with(&policy, MessageBody, &most).is_err(), "{unit}");
            }
        }
        let closed = format!("{}[1]{}", "{\"a\":".repeat(126), "}".repeat(126));
        assert!(FilterPolicy::parse_with(&closed, MessageBody, &most).is_err());
    });
}

/// T7: as deep as a body goes, in every way of matching.
#[test]
fn the_deepest_bodies_fit_on_a_small_stack() {
    on_a_small_stack(|| {
        let arrays = |inside: &str| format!("{{\"a\":{}{inside}{}}}", "[".repeat(120), "]".repeat(120));
        let joined = for_body(r#"{"a": {"b": [1], "c": [2], "d": [3], "e": [{"exists": false}]}}"#);
        assert!(joined.matches_body(arrays(r#"{"b": 1, "c": 2, "d": 3}"#).as_bytes()));
        assert!(for_body(r#"{"a": {"b": [1]}}"#).matches_body(arrays(r#"{"b": [[1]]}"#).as_bytes()));
        let objects = format!("{}1{}", "{\"a\":".repeat(127), "}".repeat(127));
        let path = vec!["a"; 127].join(".");
        assert!(for_body(&format!(r#"{{"{path}": [1]}}"#)).matches_body(objects.as_bytes()));
        assert!(
            for_body(&format!(r#"{{"{path}": [1], "a.b": [{{"exists": false}}]}}"#))
                .matches_body(objects.as_bytes())
        );
    });
}

/// T7: where trying choice after choice would take for ever. Seven keys, each in one of many arrays of the same name.
#[test]
fn many_arrays_of_one_name_are_no_maze() {
    let keys: Vec<String> = (0..7).map(|key| format!(r#""{key}": [1]"#)).collect();
    let policy = for_body(&format!(r#"{{"a": {{{}}}}}"#, keys.join(",")));
    // Each array has an element for each key but the last.
    let elements: Vec<String> = (0..6).map(|key| format!(r#"{{"{key}":1}}"#)).collect();
    let array = format!(r#""a":[{}],"#, elements.join(","));
    let body = |last: &str| format!(r#"{{{}"a":{{"{last}":1}}}}"#, full(&array));
    assert!(!policy.matches_body(body("5").as_bytes()));
    assert!(policy.matches_body(body("6").as_bytes()));
    // Elements that match every choice of keys but all of them.
    let mut elements = String::new();
    for left_out in 0..7 {
        let members = (0..7).filter(|key| *key != left_out).map(|key| format!(r#""{key}":1"#));
        write!(elements, "{{{}}},", members.collect::<Vec<_>>().join(",")).unwrap();
    }
    let body = format!(r#"{{"a":[{}{{}}]}}"#, full(&elements));
    assert!(!policy.matches_body(body.as_bytes()));
    let body = format!(r#"{{"a":[{}{{}}],"a":{{"3":1}}}}"#, full(&elements));
    assert!(policy.matches_body(body.as_bytes()));
}

/// T7: the same name at every split, over and over.
#[test]
fn dots_and_repeated_names_are_no_maze() {
    let path = vec!["a"; 16].join(".");
    let policy = for_body(&format!(r#"{{"{path}": [1], "{path}.b": [2]}}"#));
    let mut splits = String::new();
    for at in 1..16 {
        let (left, right) = (vec!["a"; at].join("."), vec!["a"; 16 - at].join("."));
        write!(splits, r#""{left}":{{"{right}":[0,{{"b":0}}]}},"#).unwrap();
    }
    let body = format!(r#"{{{}"z":0}}"#, full(&splits));
    assert!(!policy.matches_body(body.as_bytes()));
}

/// T7: as many alternatives as a policy has, and as many keys, in a body that has none of them to the end.
#[test]
fn many_alternatives_are_no_maze() {
    let alternatives: Vec<String> =
        (0..37).map(|n| format!(r#"{{"a": {{"b": [1], "c{n}": [{{"exists": true}}]}}}}"#)).collect();
    let policy = for_body(&format!(r#"{{"$or": [{}]}}"#, alternatives.join(",")));
    let body = |last: &str| format!(r#"{{"a":[{}{{"b":1,"{last}":2}}]}}"#, full(r#"{"b":1,"d":2},"#));
    assert!(!policy.matches_body(body("c").as_bytes()));
    assert!(policy.matches_body(body("c36").as_bytes()));
    let keys: Vec<String> = (0..255).map(|n| format!(r#""k{n}": [{{"exists": false}}]"#)).collect();
    let policy = for_body(&format!(r#"{{"$or": [{{{}}}, {{"z": [1]}}]}}"#, keys.join(",")));
    let body = |last: &str| format!(r#"{{{}"{last}":2}}"#, full(r#""kk":1,"#));
    assert!(policy.matches_body(body("k").as_bytes()));
    assert!(!policy.matches_body(body("k254").as_bytes()));
}

/// T7: a list as long as a policy may be, and a body as long as a body may be.
#[test]
fn long_lists_are_looked_up() {
    let mut texts = String::new();
    let mut numbers = String::new();
    for n in 0..12_000 {
        write!(texts, r#""x{n}","#).unwrap();
        write!(numbers, "{n},").unwrap();
    }
    let policies = [
        format!(r#"{{"a": [{{"anything-but": [{texts}"x"]}}]}}"#),
        format!(r#"{{"a": [{{"anything-but": {{"prefix": [{texts}"x"]}}}}]}}"#),
        format!(r#"{{"a": [{{"anything-but": [{numbers}0]}}]}}"#),
    ];
    let bodies = [format!(r#"{{"a":[{}"x"]}}"#, full(r#""x77","#)), format!(r#"{{"a":[{}0]}}"#, full("77,"))];
    for (policy, body) in [(0, 0), (1, 0), (2, 1)] {
        let (policy, body) = (&policies[policy], &bodies[body]);
        assert!(!for_body(policy).matches_body(body.as_bytes()));
    }
}
