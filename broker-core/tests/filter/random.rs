//! Generated policies and messages: the naive evaluator agrees with the real one (invariant T2), and what is beyond the
//! limits is refused (invariant T7). From few names and few values, so that much matches.

use std::collections::BTreeMap;

use broker_core::{
    AttributeValue, MessageAttributes,
    filter::{FilterPolicy, FilterScope},
};
use proptest::{collection::vec, prelude::*, sample::select, strategy::ValueTree};

use crate::naive::{Json, Leaf, Pattern, Policy, Rule, Scalar, alternatives, combinations, leaves, matches};

const NAMES: [&str; 7] = ["a", "b", "c", "a.b", "a.c", "b.c", ""];
const TEXTS: [&str; 8] = ["", "x", "xy", "yx", "X", "\"", "x\\", "Ä"];

fn name() -> impl Strategy<Value = String> {
    // Mostly the same, so that paths meet.
    prop_oneof![4 => select(&NAMES[..2]), 1 => select(&NAMES[2..])].prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    select(&TEXTS[..]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = f64> {
    select(&[0.0, 1.0, 2.5, -1.0][..])
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        3 => text().prop_map(Scalar::Text),
        2 => number().prop_map(Scalar::Number),
        1 => any::<bool>().prop_map(Scalar::Bool),
        1 => Just(Scalar::Null),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let listed =
        prop_oneof![vec(text().prop_map(Scalar::Text), 1..3), vec(number().prop_map(Scalar::Number), 1..3),];
    let some_text = || select(&TEXTS[1..]).prop_map(str::to_owned);
    prop_oneof![
        4 => scalar().prop_map(Pattern::Exact),
        1 => text().prop_map(Pattern::Prefix),
        1 => text().prop_map(Pattern::Suffix),
        1 => text().prop_map(Pattern::AnyCase),
        1 => number().prop_map(Pattern::Above),
        1 => number().prop_map(|bottom| Pattern::Between(bottom, bottom + 1.5)),
        1 => listed.prop_map(Pattern::AnythingBut),
        1 => vec(some_text(), 1..3).prop_map(Pattern::NoPrefix),
        4 => any::<bool>().prop_map(Pattern::Exists),
    ]
}

/// A policy of up to so many keys; nested ones are made of `within`.
fn keys(rule: impl Strategy<Value = Rule>, max: usize) -> impl Strategy<Value = Policy> {
    let named = (name(), rule).prop_map(|(name, rule)| match rule {
        Rule::Or(_) => ("$or".to_owned(), rule),
        rule => (name, rule),
    });
    vec(named, 1..=max).prop_map(Policy)
}

fn values() -> impl Strategy<Value = Rule> {
    prop_oneof![4 => vec(pattern(), 1..3), 1 => vec(pattern(), 3..8)].prop_map(Rule::Values)
}

/// Policies, nested where the scope allows it.
fn policy(nested: bool) -> impl Strategy<Value = Policy> {
    let rule = values().prop_recursive(3, 12, 3, move |rule| {
        let within = keys(rule, 3).boxed();
        let or = vec(within.clone(), 2..4).prop_map(Rule::Or);
        if nested { prop_oneof![3 => within.prop_map(Rule::Nested), 1 => or].boxed() } else { or.boxed() }
    });
    keys(rule, 4)
}

/// A document; members of an object may have the same name.
fn document() -> impl Strategy<Value = Json> {
    let value = scalar().prop_map(Json::Scalar).prop_recursive(4, 24, 4, |value| {
        prop_oneof![
            2 => vec((name(), value.clone()), 0..4).prop_map(Json::Object),
            2 => vec(value, 0..4).prop_map(Json::Array),
        ]
    });
    vec((name(), value), 0..5).prop_map(Json::Object)
}

/// A policy of some of eight keys below "a", which has an alternative so that they may be more than five.
fn siblings() -> impl Strategy<Value = Policy> {
    let one = Pattern::Exact(Scalar::Number(1.0));
    let is = |patterns: Vec<Pattern>| Just(Rule::Values(patterns));
    let rule = prop_oneof![4 => is(vec![one.clone()]), 1 => is(vec![Pattern::Exists(false)]), 1 => is(vec![Pattern::Exists(false), one])];
    proptest::collection::btree_map(0..8_u8, rule, 2..=8).prop_map(|keys| {
        let below = keys.into_iter().map(|(key, rule)| (format!("a.{key}"), rule)).collect();
        let never = ("b".to_owned(), Rule::Values(vec![Pattern::Exact(Scalar::Null)]));
        Policy(vec![("$or".to_owned(), Rule::Or(vec![Policy(below), Policy(vec![never])]))])
    })
}

/// A document with many of these eight keys, in arrays of objects, mostly with the value that is asked for.
fn family() -> impl Strategy<Value = Json> {
    let number = prop_oneof![3 => Just(1.0), 1 => Just(0.0)];
    let value = number.prop_map(|number| Json::Scalar(Scalar::Number(number)));
    let object = vec((0..8_u8, value), 2..10).prop_map(|members| {
        Json::Object(members.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
    });
    let arrays = object.prop_recursive(2, 8, 3, |inside| vec(inside, 1..4).prop_map(Json::Array));
    vec(arrays, 1..3)
        .prop_map(|values| Json::Object(values.into_iter().map(|value| ("a".to_owned(), value)).collect()))
}

/// Attributes by name.
fn attributes() -> impl Strategy<Value = BTreeMap<String, Json>> {
    let value = prop_oneof![
        3 => text().prop_map(|text| Json::Scalar(Scalar::Text(text))),
        2 => number().prop_map(|number| Json::Scalar(Scalar::Number(number))),
        2 => vec(scalar().prop_map(Json::Scalar), 0..4).prop_map(Json::Array),
    ];
    proptest::collection::btree_map(name(), value, 0..6)
}

/// The attributes as a topic has them.
fn sent(attributes: &BTreeMap<String, Json>) -> MessageAttributes {
    let value = |json: &Json| match json {
        Json::Scalar(Scalar::Text(text)) => AttributeValue::string(text.as_str()),
        Json::Scalar(number) => AttributeValue::number(number),
        array => AttributeValue::from_text("String.Array".into(), array.to_string()),
    };
    attributes.iter().map(|(name, json)| (name.as_str(), value(json))).collect()
}

/// The leaves of attributes: text is compared in its escaped form (rule N71).
fn attribute_leaves(attributes: &BTreeMap<String, Json>) -> Vec<Leaf> {
    let members = attributes.iter().map(|(name, json)| (name.clone(), json.clone())).collect();
    let mut leaves = leaves(&Json::Object(members));
    for leaf in &mut leaves {
        if let Scalar::Text(text) = &mut leaf.value {
            let quoted = serde_json::to_string(text).unwrap();
            quoted[1..quoted.len() - 1].clone_into(text);
        }
    }
    leaves
}

/// Whether some keys that may lie in one array are more than the engine takes.
fn too_intricate(policy: &Policy) -> bool {
    let bits = |patterns: &[Pattern]| {
        let absent = patterns.iter().any(|pattern| matches!(pattern, Pattern::Exists(false)));
        let present = patterns.iter().any(|pattern| !matches!(pattern, Pattern::Exists(false)));
        u32::from(absent) + u32::from(present)
    };
    let mut states = 0;
    for keys in alternatives(policy) {
        let mut groups: BTreeMap<String, u32> = BTreeMap::new();
        for (path, patterns) in &keys {
            *groups.entry(path.split('.').next().unwrap().to_owned()).or_default() += bits(patterns);
        }
        if groups.values().any(|bits| *bits > 8) {
            return true;
        }
        states += groups.values().map(|bits| 1 << bits).sum::<u32>();
    }
    states > 512
}

/// Parses a policy if it is within the limits, and checks that it is refused if it is not.
fn parsed(policy: &Policy, scope: FilterScope) -> Option<FilterPolicy> {
    let within = policy.0.len() <= 5 && combinations(policy, 1) <= 150;
    match FilterPolicy::parse(&policy.to_string(), scope) {
        Ok(parsed) => {
            assert!(within, "{policy} is beyond the limits");
            Some(parsed)
        }
        Err(error) => {
            let intricate = || scope == FilterScope::MessageBody && too_intricate(policy);
            assert!(!within || intricate(), "{policy} is refused: {error}");
            let expected = ["Filter policy is too complex", "Filter policy can not have more than 5 keys"];
            assert!(expected.contains(&error.message.as_str()), "{policy}: {error}");
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// T2, N60 to N70.
    #[test]
    fn the_naive_evaluator_agrees_on_bodies(policy in policy(true), documents in vec(document(), 1..6)) {
        if let Some(parsed) = parsed(&policy, FilterScope::MessageBody) {
            for document in documents {
                let expected = matches(&policy, &leaves(&document));
                let found = parsed.matches_body(document.to_string().as_bytes());
                prop_assert_eq!(found, expected, "{} on {}", policy, document);
            }
        }
    }

    /// T2, N60, N61, N71.
    #[test]
    fn the_naive_evaluator_agrees_on_attributes(policy in policy(false), messages in vec(attributes(), 1..6)) {
        if let Some(parsed) = parsed(&policy, FilterScope::MessageAttributes) {
            for message in messages {
                let expected = matches(&policy, &attribute_leaves(&message));
                let found = parsed.matches_attributes(&sent(&message));
                prop_assert_eq!(found, expected, "{} on {:?}", policy, message);
            }
        }
    }

    /// T2, N67, N69: up to eight keys that may lie in the same arrays.
    #[test]
    fn the_naive_evaluator_agrees_on_keys_of_one_parent(policy in siblings(), documents in vec(family(), 1..6)) {
        if let Some(parsed) = parsed(&policy, FilterScope::MessageBody) {
            for document in documents {
                let expected = matches(&policy, &leaves(&document));
                let found = parsed.matches_body(document.to_string().as_bytes());
                prop_assert_eq!(found, expected, "{} on {}", policy, document);
            }
        }
    }

    /// N62, N63, T7.
    #[test]
    fn policies_beyond_the_limits_are_refused(policy in keys(prop_oneof![
        values(),
        vec(keys(values(), 4), 2..6).prop_map(Rule::Or),
        keys(values(), 3).prop_map(Rule::Nested),
    ], 7)) {
        parsed(&policy, FilterScope::MessageBody);
    }
}

/// The generators make what matches and what does not, or their agreement would say little.
#[test]
fn generated_cases_match_often_enough() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut matched = 0;
    for _ in 0..1_000 {
        let case = (policy(true), document()).new_tree(&mut runner).unwrap();
        let (policy, document) = case.current();
        matched += usize::from(matches(&policy, &leaves(&document)));
    }
    assert!((50..=950).contains(&matched), "{matched} of 1000 match");
}
