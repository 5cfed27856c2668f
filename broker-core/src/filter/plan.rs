//! A policy in the form in which it is matched: any way, of which each is some groups of keys that must all be matched.
//!
//! Two keys depend on each other only if they lie in the same array of a body: then the same element of it has to match
//! both (rule N67). Arrays have names, so such keys begin with the same name, and keys that do not are groups of their
//! own: most groups are a single key, which is simply looked for.

use std::{collections::HashMap, sync::Arc};

use super::{
    FilterScope,
    family::{Bits, STATES},
    patterns::Patterns,
    rules::{Rules, Way},
};

/// The most groups of a policy: single keys are no more than arrays, and groups of several keys have four states or more.
const GROUPS_MAX: usize = 384;
/// The most states that the groups of several keys have together: it bounds the time of a match. A limit of ours.
const STATES_MAX: usize = 512;

/// What to match.
#[derive(Debug)]
pub(super) struct Plan {
    groups: Vec<Group>,
    /// Each way, as positions of groups.
    ways: Vec<Box<[u16]>>,
}

/// Keys that are matched together.
#[derive(Debug)]
pub(super) enum Group {
    /// One key alone.
    Single(Key),
    /// Several keys below the same name.
    Joined(Joined),
}

/// A key with its parents, and what its values may be.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: Arc<str>,
    pub(super) patterns: Arc<Patterns>,
}

/// Several keys in the order of their names, each with its bits in the states.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) keys: Vec<Key>,
    pub(super) bits: Bits,
}

impl Plan {
    /// Puts the keys of each way into groups. `None` if there are too many that depend on each other.
    pub(super) fn new(rules: Rules, scope: FilterScope) -> Option<Self> {
        let paths: Vec<Arc<str>> = rules.paths.into_iter().map(Into::into).collect();
        let arrays: Vec<_> = rules.arrays.into_iter().map(Arc::new).collect();
        let key = |(path, array): &(usize, usize)| Key {
            path: Arc::clone(&paths[*path]),
            patterns: Arc::clone(&arrays[*array]),
        };
        let mut plan = Self { groups: Vec::new(), ways: Vec::new() };
        let mut positions: HashMap<Vec<(usize, usize)>, u16> = HashMap::new();
        let mut states = 0;
        for way in rules.ways {
            let mut groups = Vec::new();
            for members in grouped(way, &paths, scope) {
                let position = if let Some(position) = positions.get(&members) {
                    *position
                } else {
                    let group = Group::of(members.iter().map(key).collect())?;
                    states += group.states();
                    let position = u16::try_from(plan.groups.len()).ok()?;
                    plan.groups.push(group);
                    positions.insert(members, position);
                    position
                };
                groups.push(position);
            }
            plan.ways.push(groups.into());
        }
        (plan.groups.len() <= GROUPS_MAX && states <= STATES_MAX).then_some(plan)
    }

    /// Whether any way matches. Asks about each group once at most.
    pub(super) fn matches(&self, mut group: impl FnMut(&Group) -> bool) -> bool {
        if let [way] = &*self.ways {
            return way.iter().all(|position| group(&self.groups[usize::from(*position)]));
        }
        let (mut asked, mut matched) = ([0_u64; GROUPS_MAX / 64], [0_u64; GROUPS_MAX / 64]);
        let mut test = |position: &u16| {
            let position = usize::from(*position);
            let (word, bit) = (position / 64, 1 << (position % 64));
            if asked[word] & bit == 0 {
                asked[word] |= bit;
                matched[word] |= if group(&self.groups[position]) { bit } else { 0 };
            }
            matched[word] & bit != 0
        };
        self.ways.iter().any(|way| way.iter().all(&mut test))
    }
}

/// The keys of a way that are matched together, each group in the order of the paths.
fn grouped(way: Way, paths: &[Arc<str>], scope: FilterScope) -> Vec<Vec<(usize, usize)>> {
    let mut keys: Vec<(usize, usize)> = way.into_iter().collect();
    keys.sort_unstable_by_key(|(path, _)| &*paths[*path]);
    if scope == FilterScope::MessageAttributes {
        return keys.into_iter().map(|key| vec![key]).collect();
    }
    let first = |(path, _): &(usize, usize)| paths[*path].split('.').next();
    // Not by neighbours: "a", "a!b" and "a.c" are in this order, and the first and the last have the same first name.
    let mut groups: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut positions: HashMap<_, usize> = HashMap::new();
    for key in keys {
        let position = *positions.entry(first(&key)).or_insert(groups.len());
        match groups.get_mut(position) {
            Some(group) => group.push(key),
            None => groups.push(vec![key]),
        }
    }
    groups
}

impl Group {
    fn of(mut keys: Vec<Key>) -> Option<Self> {
        if keys.len() == 1 {
            return keys.pop().map(Self::Single);
        }
        let bits = Bits::of(keys.iter().map(|key| &*key.patterns))?;
        Some(Self::Joined(Joined { keys, bits }))
    }

    /// How many states a match keeps track of.
    fn states(&self) -> usize {
        match self {
            Self::Single(_) => 0,
            Self::Joined(joined) => joined.bits.states(),
        }
    }
}

const _: () = assert!(STATES <= STATES_MAX && GROUPS_MAX >= 256 + STATES_MAX / 4);
