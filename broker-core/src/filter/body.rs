//! Matches groups of keys in a body (rules N61, N67 to N70).
//!
//! A key is a path of names, and a name of the body may hold dots and so be several steps of it. Recursion is as deep as
//! the body, which the parser bounds.

use super::{
    document::{Document, Kind},
    family::Family,
    plan::{Group, Joined, Key},
};

/// The most keys of a joined group: each has a bit at least.
const KEYS_MAX: usize = 8;

/// Whether a body matches a group.
pub(super) fn matches(document: Document<'_>, group: &Group) -> bool {
    match group {
        Group::Single(key) => Single { document, key, seen: false }.matches(),
        Group::Joined(group) => {
            let lookout = Lookout { document, group };
            let all = Paths { keys: u8::MAX >> (KEYS_MAX - group.keys.len()), steps: [0; KEYS_MAX] };
            group.bits.accept(&lookout.object(Document::ROOT, &all))
        }
    }
}

/// How a path begins with a name.
enum Step<'p> {
    /// The name is the whole path.
    Ends,
    /// The rest of the path follows behind a dot.
    GoesOn(&'p str),
    /// Not at all.
    Other,
}

fn step<'p>(path: &'p str, name: &str) -> Step<'p> {
    // Cheaper than a comparison, and mostly enough.
    match path.as_bytes().get(name.len()) {
        None if path == name => Step::Ends,
        Some(b'.') if path.starts_with(name) => Step::GoesOn(&path[name.len() + 1..]),
        _ => Step::Other,
    }
}

/// Looks for values of one key.
struct Single<'m> {
    document: Document<'m>,
    key: &'m Key,
    /// There is a value, matching or not.
    seen: bool,
}

impl Single<'_> {
    fn matches(mut self) -> bool {
        let path = &*self.key.path;
        self.object(Document::ROOT, path) || (self.key.patterns.absent && !self.seen)
    }

    fn object(&mut self, object: usize, path: &str) -> bool {
        let document = self.document;
        document.members(object).any(|(name, value)| match step(path, document.text(name)) {
            Step::GoesOn(rest) => self.parent(value, rest),
            Step::Ends => self.value(value),
            Step::Other => false,
        })
    }

    /// A value that other names follow.
    fn parent(&mut self, value: usize, path: &str) -> bool {
        match self.document.kind(value) {
            Kind::Object => self.object(value, path),
            Kind::Array => self.document.elements(value).any(|element| self.parent(element, path)),
            _ => false,
        }
    }

    fn value(&mut self, value: usize) -> bool {
        match self.document.scalar(value) {
            Some(scalar) => {
                self.seen = true;
                self.key.patterns.matches(scalar)
            }
            None if self.document.kind(value) == Kind::Array => {
                self.document.elements(value).any(|element| self.value(element))
            }
            None => false,
        }
    }
}

/// Looks for values of several keys at once.
struct Lookout<'m> {
    document: Document<'m>,
    group: &'m Joined,
}

/// Keys, and how far down its path each is.
#[derive(Clone, Copy)]
struct Paths {
    keys: u8,
    steps: [u16; KEYS_MAX],
}

impl Paths {
    const NONE: Self = Self { keys: 0, steps: [0; KEYS_MAX] };

    fn keys(&self) -> impl Iterator<Item = usize> {
        let keys = self.keys;
        (0..KEYS_MAX).filter(move |key| keys >> key & 1 != 0)
    }
}

impl Lookout<'_> {
    fn object(&self, object: usize, paths: &Paths) -> Family {
        let bits = &self.group.bits;
        let mut family = bits.nothing();
        for (name, value) in self.document.members(object) {
            let (ending, going_on) = self.steps(self.document.text(name), paths);
            if ending.is_some() || going_on.keys != 0 {
                family = bits.join(&family, &self.value(value, ending, &going_on));
            }
        }
        family
    }

    /// The key that ends with a name, and those that go on behind it.
    fn steps(&self, name: &str, paths: &Paths) -> (Option<usize>, Paths) {
        let (mut ending, mut going_on) = (None, Paths::NONE);
        for key in paths.keys() {
            let path = &*self.group.keys[key].path;
            match step(&path[usize::from(paths.steps[key])..], name) {
                Step::Ends => ending = Some(key),
                Step::GoesOn(rest) => {
                    going_on.keys |= 1 << key;
                    going_on.steps[key] = u16::try_from(path.len() - rest.len()).unwrap_or(u16::MAX);
                }
                Step::Other => {}
            }
        }
        (ending, going_on)
    }

    fn value(&self, value: usize, ending: Option<usize>, going_on: &Paths) -> Family {
        let bits = &self.group.bits;
        match self.document.scalar(value) {
            Some(scalar) => ending
                .map_or(bits.nothing(), |key| bits.value(key, self.group.keys[key].patterns.matches(scalar))),
            None if self.document.kind(value) == Kind::Array => self.array(value, ending, going_on),
            None if going_on.keys != 0 => self.object(value, going_on),
            None => bits.nothing(),
        }
    }

    fn array(&self, array: usize, ending: Option<usize>, going_on: &Paths) -> Family {
        let bits = &self.group.bits;
        // Plain values belong to the array as a whole: they go together with any element.
        let mut plain = bits.nothing();
        let mut elements: Option<Family> = None;
        let mut absent_from_all = u8::MAX;
        for element in self.document.elements(array) {
            let family = self.value(element, ending, going_on);
            if self.document.scalar(element).is_some() {
                plain = bits.join(&plain, &family);
            } else {
                absent_from_all &= bits.absent_from(&family);
                elements.get_or_insert(family).unite(&family);
            }
        }
        match elements {
            Some(elements) => bits.join(&plain, &bits.array(elements, absent_from_all)),
            None => plain,
        }
    }
}
