//! A naive evaluator: clear, slow, and written without a look at the real one. It flattens the message to leaves, expands
//! the policy to all its alternatives, and tries every choice of a leaf for every key.

use std::collections::BTreeMap;

/// JSON as a tree, which may name a member twice.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Scalar(Scalar),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
}

/// A policy as a tree.
#[derive(Debug, Clone)]
pub(crate) struct Policy(pub(crate) Vec<(String, Rule)>);

#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Nested(Policy),
    Or(Vec<Policy>),
    Values(Vec<Pattern>),
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Exact(Scalar),
    Prefix(String),
    Suffix(String),
    AnyCase(String),
    Above(f64),
    Between(f64, f64),
    AnythingBut(Vec<Scalar>),
    NoPrefix(Vec<String>),
    Exists(bool),
}

impl Pattern {
    /// Whether a leaf matches; `exists: false` is about leaves that are not there.
    fn matches(&self, leaf: &Scalar) -> bool {
        match (self, leaf) {
            (Self::Exact(value), leaf) => value == leaf,
            (Self::Prefix(prefix), Scalar::Text(text)) => text.starts_with(prefix.as_str()),
            (Self::Suffix(suffix), Scalar::Text(text)) => text.ends_with(suffix.as_str()),
            (Self::AnyCase(any), Scalar::Text(text)) => any.to_lowercase() == text.to_lowercase(),
            (Self::Above(bottom), Scalar::Number(number)) => number > bottom,
            (Self::Between(bottom, top), Scalar::Number(number)) => number >= bottom && number <= top,
            (Self::AnythingBut(listed), leaf) => !listed.contains(leaf),
            (Self::NoPrefix(prefixes), Scalar::Text(text)) => {
                !prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
            }
            (Self::NoPrefix(_), _) => true,
            (Self::Exists(exists), _) => *exists,
            _ => false,
        }
    }
}

/// A value without others in it: its path, and the element of each array around it that it is in.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) path: String,
    pub(crate) value: Scalar,
    pub(crate) elements: BTreeMap<usize, usize>,
}

/// The leaves of a document.
pub(crate) fn leaves(document: &Json) -> Vec<Leaf> {
    let mut flattened = Flattened { leaves: Vec::new(), arrays: 0 };
    flattened.add(document, None, &BTreeMap::new());
    flattened.leaves
}

struct Flattened {
    leaves: Vec<Leaf>,
    arrays: usize,
}

impl Flattened {
    fn add(&mut self, json: &Json, path: Option<&str>, elements: &BTreeMap<usize, usize>) {
        match json {
            Json::Scalar(value) => {
                let path = path.unwrap_or_default().to_owned();
                self.leaves.push(Leaf { path, value: value.clone(), elements: elements.clone() });
            }
            Json::Object(members) => {
                for (name, value) in members {
                    let path = path.map_or(name.clone(), |path| format!("{path}.{name}"));
                    self.add(value, Some(&path), elements);
                }
            }
            Json::Array(values) => {
                let array = self.arrays;
                self.arrays += 1;
                for (at, value) in values.iter().enumerate() {
                    let mut inside = elements.clone();
                    if !matches!(value, Json::Scalar(_)) {
                        inside.insert(array, at);
                    }
                    self.add(value, path, &inside);
                }
            }
        }
    }
}

/// All alternatives of a policy: what the value of each path may be.
pub(crate) fn alternatives(policy: &Policy) -> Vec<BTreeMap<String, Vec<Pattern>>> {
    let mut all = vec![BTreeMap::new()];
    expand(policy, "", &mut all);
    all
}

fn expand(policy: &Policy, parent: &str, all: &mut Vec<BTreeMap<String, Vec<Pattern>>>) {
    for (name, rule) in &policy.0 {
        match rule {
            Rule::Values(patterns) => {
                for alternative in all.iter_mut() {
                    alternative.insert(format!("{parent}{name}"), patterns.clone());
                }
            }
            Rule::Nested(nested) => expand(nested, &format!("{parent}{name}."), all),
            Rule::Or(branches) => {
                let before = std::mem::take(all);
                for branch in branches {
                    let mut forked = before.clone();
                    expand(branch, parent, &mut forked);
                    all.append(&mut forked);
                }
            }
        }
    }
}

/// Whether leaves match a policy.
pub(crate) fn matches(policy: &Policy, leaves: &[Leaf]) -> bool {
    let all = alternatives(policy);
    all.iter().any(|keys| choose(&keys.iter().collect::<Vec<_>>(), leaves, &BTreeMap::new()))
}

fn choose(keys: &[(&String, &Vec<Pattern>)], leaves: &[Leaf], chosen: &BTreeMap<usize, usize>) -> bool {
    let Some(((path, patterns), rest)) = keys.split_first() else {
        return true;
    };
    let consistent = |leaf: &&Leaf| {
        leaf.path == **path
            && leaf
                .elements
                .iter()
                .all(|(array, element)| chosen.get(array).is_none_or(|other| other == element))
    };
    let mut candidates = leaves.iter().filter(consistent);
    let may_be_absent = patterns.iter().any(|pattern| matches!(pattern, Pattern::Exists(false)));
    if may_be_absent && candidates.clone().next().is_none() && choose(rest, leaves, chosen) {
        return true;
    }
    candidates.any(|leaf| {
        let mut with: BTreeMap<usize, usize> = chosen.clone();
        with.extend(&leaf.elements);
        patterns.iter().any(|pattern| pattern.matches(&leaf.value)) && choose(rest, leaves, &with)
    })
}

/// The combinations of a policy, as SNS counts them, up to a number beyond all limits.
pub(crate) fn combinations(policy: &Policy, depth: u64) -> u64 {
    let of = |(_, rule): &(String, Rule)| match rule {
        Rule::Values(patterns) => patterns.len() as u64 * depth,
        Rule::Nested(nested) => combinations(nested, depth + 1),
        Rule::Or(branches) => branches.iter().map(|branch| combinations(branch, depth)).sum(),
    };
    policy.0.iter().map(of).fold(1, |product, factor| (product * factor).min(1_000_000))
}
