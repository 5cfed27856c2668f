//! What the values of one key may be: the array of a policy in its checked form. Any of its members will do.

use super::{
    address::{self, Address},
    document::{Kind, Scalar},
    number::{self, Range},
};

/// The members of one array, sorted by kind.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// Exact strings that are no addresses.
    pub(super) strings: Sorted,
    /// Without regard to case.
    pub(super) any_case: Vec<Box<str>>,
    pub(super) prefixes: Vec<Box<str>>,
    pub(super) suffixes: Vec<Box<str>>,
    /// `cidr`, and exact strings that are addresses.
    pub(super) addresses: Vec<address::Range>,
    /// `numeric`, and exact numbers.
    pub(super) numbers: Vec<Range>,
    /// Those of `true`, `false` and `null` that are members.
    pub(super) words: Vec<Kind>,
    pub(super) excluded: Vec<Excluded>,
    /// The key has a value, whatever it is.
    pub(super) exists: bool,
    /// The key has no value.
    pub(super) absent: bool,
    /// There is a member that a value can match: not only `exists: false`.
    pub(super) present: bool,
}

/// `anything-but`: a value matches unless it is one of these.
#[derive(Debug, Default)]
pub(super) struct Excluded {
    pub(super) strings: Sorted,
    /// In order.
    pub(super) numbers: Vec<f64>,
    pub(super) prefixes: Prefixes,
}

impl Patterns {
    /// Whether a value matches. Of an attribute, the text is the one that rule N71 says.
    pub(super) fn matches(&self, value: Scalar<'_>) -> bool {
        let matches = match value {
            Scalar::Text(text) => self.matches_text(text),
            Scalar::Number(number) => return self.exists || self.matches_number(number),
            Scalar::Word(word) => self.words.contains(&word),
        };
        self.exists || matches || self.excluded.iter().any(|excluded| !excluded.contains(value))
    }

    fn matches_text(&self, text: &str) -> bool {
        self.strings.contains(text)
            || self.prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            || self.suffixes.iter().any(|suffix| text.ends_with(&**suffix))
            || self.any_case.iter().any(|wanted| same_but_for_case(wanted, text))
            || (!self.addresses.is_empty()
                && Address::read(text)
                    .is_some_and(|address| self.addresses.iter().any(|range| range.contains(address))))
    }

    fn matches_number(&self, text: &str) -> bool {
        if self.numbers.is_empty() && self.excluded.is_empty() {
            return false;
        }
        let Some(number) = number::read(text) else {
            // Not a number that can be compared, so none of those that are excluded.
            return !self.excluded.is_empty();
        };
        self.numbers.iter().any(|range| range.contains(number))
            || self.excluded.iter().any(|excluded| !excluded.contains_number(number))
    }
}

impl Excluded {
    fn contains(&self, value: Scalar<'_>) -> bool {
        match value {
            Scalar::Text(text) => self.strings.contains(text) || self.prefixes.begin(text),
            Scalar::Number(text) => number::read(text).is_some_and(|number| self.contains_number(number)),
            Scalar::Word(_) => false,
        }
    }

    fn contains_number(&self, number: f64) -> bool {
        self.numbers.binary_search_by(|excluded| excluded.total_cmp(&number)).is_ok()
    }
}

/// Strings in order.
#[derive(Debug, Default)]
pub(super) struct Sorted(Box<[Box<str>]>);

impl Sorted {
    fn contains(&self, text: &str) -> bool {
        match &*self.0 {
            [] => false,
            [only] => **only == *text,
            several => several.binary_search_by(|each| (**each).cmp(text)).is_ok(),
        }
    }
}

impl FromIterator<Box<str>> for Sorted {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(strings: I) -> Self {
        let mut sorted: Vec<_> = strings.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self(sorted.into())
    }
}

/// Prefixes in order, none of which begins with another: so of all of them, only the last one that is not greater than a
/// text can be its beginning.
#[derive(Debug, Default)]
pub(super) struct Prefixes(Box<[Box<str>]>);

impl Prefixes {
    fn begin(&self, text: &str) -> bool {
        let not_greater = self.0.partition_point(|prefix| **prefix <= *text);
        not_greater > 0 && text.starts_with(&*self.0[not_greater - 1])
    }
}

impl FromIterator<Box<str>> for Prefixes {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(prefixes: I) -> Self {
        let mut sorted: Vec<_> = prefixes.into_iter().collect();
        sorted.sort_unstable();
        // The longer one comes behind its own beginning.
        sorted.dedup_by(|longer, shorter| longer.starts_with(&**shorter));
        Self(sorted.into())
    }
}

/// Letter by letter, each either way.
fn same_but_for_case(wanted: &str, text: &str) -> bool {
    if wanted.is_ascii() && wanted.len() == text.len() && wanted.eq_ignore_ascii_case(text) {
        return true;
    }
    let same = |(a, b): (char, char)| {
        a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
    };
    let (mut wanted, mut text) = (wanted.chars(), text.chars());
    loop {
        match (wanted.next(), text.next()) {
            (Some(a), Some(b)) if same((a, b)) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}
