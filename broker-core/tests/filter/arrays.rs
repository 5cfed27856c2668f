//! Arrays, dots and what is absent: rules N67 to N69.

use crate::support::bodies;

/// N67.
#[test]
fn any_element_of_an_array_may_match() {
    let policy = r#"{"a": ["x"]}"#;
    bodies(
        policy,
        &[r#"{"a": ["y", "x"]}"#, r#"{"a": [["y"], [[], ["x"]]]}"#],
        &[r#"{"a": ["y"]}"#, r#"{"a": []}"#, r#"{"a": [{"a": "x"}]}"#],
    );
    let nested = r#"{"a": {"b": ["x"]}}"#;
    bodies(
        nested,
        &[r#"{"a": [{"b": "y"}, {"b": "x"}]}"#, r#"{"a": [1, [[{"b": ["x"]}]]]}"#],
        &[r#"{"a": ["b", "x"]}"#, r#"{"b": "x"}"#],
    );
}

/// N67.
#[test]
fn two_keys_are_matched_by_the_same_element() {
    let policy = r#"{"a": {"b": [1], "c": [2]}}"#;
    let matching = [
        r#"{"a": {"b": 1, "c": 2}}"#,
        r#"{"a": [{"b": 0, "c": 2}, {"b": 1, "c": 2}]}"#,
        r#"{"a": [[{"b": 1, "c": 2}], {"b": 0}]}"#,
        r#"{"a": {"b": [0, 1], "c": [2, 3]}}"#,
        // Not the same array: what an array of numbers holds goes together with all around it.
        r#"{"a": [{"b": [3, 1], "c": [[2]]}]}"#,
    ];
    let others = [
        r#"{"a": [{"b": 1}, {"c": 2}]}"#,
        r#"{"a": [{"b": 1, "c": 0}, {"b": 0, "c": 2}]}"#,
        r#"{"a": [[{"b": 1}], [{"c": 2}]]}"#,
        r#"{"a": [[{"b": 1}, {"c": 2}]]}"#,
    ];
    bodies(policy, &matching, &others);
}

/// N67: each array on the way has one element chosen, and arrays that are apart are chosen from apart.
#[test]
fn elements_are_chosen_in_each_array_for_itself() {
    let policy = r#"{"a": {"b": {"x": [1], "y": [2]}, "c": [3]}}"#;
    let matching = [
        r#"{"a": [{"b": [{"x": 1}, {"x": 1, "y": 2}], "c": 3}]}"#,
        r#"{"a": {"b": {"x": 1, "y": 2}, "c": 3}}"#,
    ];
    let others = [
        r#"{"a": [{"b": [{"x": 1, "y": 2}]}, {"c": 3}]}"#,
        r#"{"a": [{"b": [{"x": 1}, {"y": 2}], "c": 3}]}"#,
    ];
    bodies(policy, &matching, &others);
    // Two arrays of one name, in a body that names it twice.
    let twice = r#"{"a": {"x": [1], "y": [2]}}"#;
    bodies(
        twice,
        &[r#"{"a": [{"x": 1}, {"x": 0}], "a": [{"y": 2}]}"#, r#"{"a": [{"x": 1}], "a": {"y": 2}}"#],
        &[r#"{"a": [{"x": 1}], "a": [{"y": 0}]}"#],
    );
}

/// N68.
#[test]
fn dots_are_nesting_in_any_split() {
    let bodies_of = [
        r#"{"a": {"b": {"c": 1}}}"#,
        r#"{"a.b": {"c": 1}}"#,
        r#"{"a": {"b.c": 1}}"#,
        r#"{"a.b.c": 1}"#,
        r#"{"a": {"b": 0}, "a.b": [{"c": [2, 1]}]}"#,
    ];
    for policy in [
        r#"{"a": {"b": {"c": [1]}}}"#,
        r#"{"a.b": {"c": [1]}}"#,
        r#"{"a": {"b.c": [1]}}"#,
        r#"{"a.b.c": [1]}"#,
    ] {
        bodies(
            policy,
            &bodies_of,
            &[
                r#"{"a.b": 1}"#,
                r#"{"a": {"b": 1}}"#,
                r#"{"a.b.c.d": 1}"#,
                r#"{"a.bc": 1}"#,
                r#"{"a": {"b": {"c": {"": 1}}}}"#,
            ],
        );
    }
    bodies(r#"{"a.": [1]}"#, &[r#"{"a": {"": 1}}"#, r#"{"a.": 1}"#], &[r#"{"a": 1}"#]);
    bodies(r#"{"": [1]}"#, &[r#"{"": 1}"#], &[r#"{"a": 1}"#, r#"{"": {"": 1}}"#]);
    let two = r#"{"a.b": [1], "a": {"c": [2]}}"#;
    bodies(
        two,
        &[r#"{"a.b": 1, "a.c": 2}"#, r#"{"a": [{"b": 1, "c": 2}]}"#],
        &[r#"{"a": [{"b": 1}, {"c": 2}]}"#],
    );
}

/// N60, N69.
#[test]
fn exists_is_about_leaves() {
    bodies(
        r#"{"a": [{"exists": true}]}"#,
        &[r#"{"a": null}"#, r#"{"a": ""}"#, r#"{"a": [0]}"#, r#"{"a": [[], [false]]}"#],
        &[
            "{}",
            r#"{"a": []}"#,
            r#"{"a": {}}"#,
            r#"{"a": {"b": 1}}"#,
            r#"{"a": [{"b": 1}]}"#,
            r#"{"b": {"a": 1}}"#,
        ],
    );
    bodies(
        r#"{"a": [{"exists": false}]}"#,
        &["{}", r#"{"a": []}"#, r#"{"a": {"b": 1}}"#, r#"{"a": [{"b": 1}]}"#],
        &[r#"{"a": null}"#, r#"{"a": [1]}"#, r#"{"a": {"b": 1}, "a": 2}"#],
    );
    bodies(r#"{"a": [{"exists": false}, 1]}"#, &["{}", r#"{"a": 1}"#, r#"{"a": [2, 1]}"#], &[r#"{"a": 2}"#]);
}

/// N67, N69: what is absent is absent from the element that the keys in front of it chose.
#[test]
fn absence_goes_by_the_chosen_element() {
    let policy = r#"{"a": {"b": [1], "c": [{"exists": false}]}}"#;
    let matching =
        [r#"{"a": [{"b": 1}, {"c": 2}]}"#, r#"{"a": {"b": 1}}"#, r#"{"a": [{"b": 1, "c": 2}, {"b": 1}]}"#];
    bodies(
        policy,
        &matching,
        &[r#"{"a": [{"b": 1, "c": 2}]}"#, r#"{"a": {"b": 1, "c": 2}}"#, r#"{"a": [{"b": 0}, {"c": 2}]}"#],
    );
    // Names go in their order: nothing is chosen when "b" is looked for, so all elements count.
    let policy = r#"{"a": {"c": [1], "b": [{"exists": false}]}}"#;
    bodies(
        policy,
        &[r#"{"a": [{"c": 1}, {"d": 2}]}"#],
        &[r#"{"a": [{"c": 1}, {"b": 2}]}"#, r#"{"a": {"b": 2, "c": 1}}"#],
    );
}

/// N67, N69: a key chooses from one array only; of the others all elements count.
#[test]
fn absence_goes_by_one_choice_of_each_key() {
    let policy = r#"{"a": {"b": [1], "c": [{"exists": false}]}}"#;
    let twice = |second: &str| format!(r#"{{"a": [{{"c": 1}}, {{"b": 1}}], "a": {second}}}"#);
    bodies(policy, &[&twice(r#"[{"b": 1}]"#)], &[&twice(r#"[{"c": 1}, {"b": 1}]"#)]);
}
