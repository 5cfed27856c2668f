//! Checks the structure of a policy and takes it apart: each way in which a message can match, as the values that keys
//! must have at once (rules N17, N60, N62, N63, N68).

use std::collections::{BTreeMap, HashMap};

use super::{
    FilterLimits, FilterScope,
    document::{Document, Kind},
    error::Flaw,
    expression,
    patterns::Patterns,
};

/// Names that make `$or` a key like any other, where one of its objects has them (rule N63).
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The longest key with its parents. A limit of ours, or each array of a hostile policy could repeat most of its text.
const PATH_BYTES_MAX: usize = 4096;

/// A policy taken apart.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The keys with their parents, joined by dots.
    pub(super) paths: Vec<String>,
    /// The arrays of values.
    pub(super) arrays: Vec<Patterns>,
    /// The ways to match: of each, for some paths the array that a value must be in.
    pub(super) ways: Vec<Way>,
}

/// For some paths, by their positions, the array that a value must be in, by its position. A path that comes again
/// replaces what was said of it before.
pub(super) type Way = BTreeMap<usize, usize>;

/// Checks a policy and takes it apart.
pub(super) fn rules(policy: Document<'_>, scope: FilterScope, limits: &FilterLimits) -> Result<Rules, Flaw> {
    let top = Document::ROOT;
    if policy.kind(top) != Kind::Object {
        return Err(Flaw::at(top, "Filter is not an object"));
    }
    if let Some((name, _)) = policy.members(top).nth(limits.keys_max) {
        let max = limits.keys_max;
        return Err(Flaw::at(name, format!("Filter policy can not have more than {max} keys")));
    }
    let mut rules = Rules { ways: vec![Way::new()], ..Rules::default() };
    if policy.members(top).next().is_none() {
        return Ok(rules);
    }
    let mut checker = Checker { policy, scope, limits, arrays: 0 };
    if checker.combinations(top, Place { depth: 1, nested: 1, in_or: false })? > limits.combinations_max {
        return Err(Flaw::too_complex(top));
    }
    let mut taker = Taker { policy, path: String::new(), positions: HashMap::new(), rules: &mut rules };
    let ways = taker.object(top, vec![Way::new()])?;
    rules.ways = ways;
    Ok(rules)
}

/// The objects of `$or`: an array of two or more, none of which has a reserved name.
fn alternatives(policy: Document<'_>, name: usize, array: usize) -> bool {
    let free = |name: &str| !RESERVED.contains(&name);
    let alternative = |object: usize| {
        policy.kind(object) == Kind::Object && policy.members(object).all(|(name, _)| free(policy.text(name)))
    };
    policy.text(name) == "$or"
        && policy.elements(array).nth(1).is_some()
        && policy.elements(array).all(alternative)
}

/// Where an object is.
#[derive(Clone, Copy)]
struct Place {
    /// Keys down to the arrays in it, as the combinations are counted.
    depth: u64,
    /// Objects around its members, those of `$or` too.
    nested: usize,
    /// Somewhere inside `$or`.
    in_or: bool,
}

/// Goes through the structure and counts, before anything is kept.
struct Checker<'p> {
    policy: Document<'p>,
    scope: FilterScope,
    limits: &'p FilterLimits,
    arrays: usize,
}

impl Checker<'_> {
    /// The combinations of the values in an object: the product of all arrays in it, each by its depth; of `$or`, the sum.
    fn combinations(&mut self, object: usize, place: Place) -> Result<u64, Flaw> {
        if place.nested > self.limits.depth_max {
            return Err(Flaw::too_complex(object));
        }
        if self.policy.members(object).next().is_none() {
            return Err(Flaw::at(object, "Empty objects are not allowed"));
        }
        let mut product = 1_u64;
        for (name, value) in self.policy.members(object) {
            product = product.saturating_mul(self.member(name, value, place)?);
        }
        Ok(product)
    }

    fn member(&mut self, name: usize, value: usize, place: Place) -> Result<u64, Flaw> {
        let policy = self.policy;
        match policy.kind(value) {
            Kind::Object if self.scope == FilterScope::MessageAttributes => Err(Flaw::at(
                name,
                "Filter policy scope MessageAttributes does not support nested filter policy",
            )),
            Kind::Object => {
                let inside = Place { depth: place.depth + 1, nested: place.nested + 1, ..place };
                if place.in_or {
                    self.no_reserved_name(value)?;
                }
                self.combinations(value, inside)
            }
            Kind::Array if alternatives(policy, name, value) => {
                let inside = Place { nested: place.nested + 1, in_or: true, ..place };
                policy.elements(value).try_fold(0_u64, |sum, alternative| {
                    Ok(sum.saturating_add(self.combinations(alternative, inside)?))
                })
            }
            Kind::Array => {
                let values = policy.elements(value).count() as u64;
                if values == 0 {
                    return Err(Flaw::at(value, "Empty arrays are not allowed"));
                }
                self.arrays += 1;
                if self.arrays > self.limits.arrays_max {
                    return Err(Flaw::too_complex(name));
                }
                Ok(values.saturating_mul(place.depth))
            }
            _ => {
                let key = policy.text(name);
                Err(Flaw::at(value, format!("\"{key}\" must be an object or an array")))
            }
        }
    }

    fn no_reserved_name(&self, object: usize) -> Result<(), Flaw> {
        let mut names = self.policy.members(object).map(|(name, _)| name);
        match names.find(|name| RESERVED.contains(&self.policy.text(*name))) {
            None => Ok(()),
            Some(name) => {
                let reserved = self.policy.text(name);
                let message =
                    format!("{reserved} is Ruler reserved fieldName which cannot be used inside $or.");
                Err(Flaw::at(name, message))
            }
        }
    }
}

/// Takes a checked structure apart. It has no more ways than combinations.
struct Taker<'p> {
    policy: Document<'p>,
    path: String,
    positions: HashMap<String, usize>,
    rules: &'p mut Rules,
}

impl Taker<'_> {
    /// Adds what an object asks for to each of the ways so far, member by member.
    fn object(&mut self, object: usize, mut ways: Vec<Way>) -> Result<Vec<Way>, Flaw> {
        let policy = self.policy;
        for (name, value) in policy.members(object) {
            if policy.kind(value) == Kind::Array && alternatives(policy, name, value) {
                let mut forked = Vec::new();
                for alternative in policy.elements(value) {
                    forked.append(&mut self.object(alternative, ways.clone())?);
                }
                ways = forked;
                continue;
            }
            let parent = self.path.len();
            self.path.push_str(policy.text(name));
            if self.path.len() > PATH_BYTES_MAX {
                return Err(Flaw::too_complex(name));
            }
            if policy.kind(value) == Kind::Array {
                let path = self.position();
                let array = self.rules.arrays.len();
                self.rules.arrays.push(expression::patterns(policy, value)?);
                for way in &mut ways {
                    way.insert(path, array);
                }
            } else {
                self.path.push('.');
                ways = self.object(value, ways)?;
            }
            self.path.truncate(parent);
        }
        Ok(ways)
    }

    fn position(&mut self) -> usize {
        let next = self.rules.paths.len();
        let position = *self.positions.entry(self.path.clone()).or_insert(next);
        if position == next {
            self.rules.paths.push(self.path.clone());
        }
        position
    }
}
