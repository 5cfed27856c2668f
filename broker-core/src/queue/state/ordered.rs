//! A small ordered set.

use std::collections::VecDeque;

/// A few sequences in order, which come at the end and go at the front most of the time. Most sets never have more than
/// one, and that one costs no allocation.
#[derive(Debug, Default)]
pub(super) enum Ordered {
    #[default]
    Empty,
    One(u64),
    More(VecDeque<u64>),
}

impl Ordered {
    pub(super) fn first(&self) -> Option<u64> {
        match self {
            Self::Empty => None,
            Self::One(only) => Some(*only),
            Self::More(many) => many.front().copied(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::More(many) => many.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are below `end`.
    pub(super) fn count_below(&self, end: u64) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(only) => usize::from(*only < end),
            Self::More(many) => many.partition_point(|seq| *seq < end),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One(only) => (Some(*only), None),
            Self::More(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten().copied())
    }

    /// The first ones, in order.
    pub(super) fn extend_first(&self, count: usize, into: &mut Vec<u64>) {
        match self {
            Self::Empty => {}
            Self::One(only) => into.extend(Some(*only).filter(|_| count > 0)),
            Self::More(many) => into.extend(many.iter().take(count)),
        }
    }

    pub(super) fn insert(&mut self, seq: u64) {
        match self {
            Self::Empty => *self = Self::One(seq),
            Self::One(only) => *self = Self::More(VecDeque::from([seq.min(*only), seq.max(*only)])),
            Self::More(many) => {
                if many.back().is_none_or(|last| *last < seq) {
                    many.push_back(seq);
                } else if let Err(place) = many.binary_search(&seq) {
                    many.insert(place, seq);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, seq: u64) {
        match self {
            Self::One(only) if *only == seq => *self = Self::Empty,
            Self::Empty | Self::One(_) => {}
            Self::More(many) => {
                if many.front() == Some(&seq) {
                    many.pop_front();
                } else if let Ok(place) = many.binary_search(&seq) {
                    many.remove(place);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_ordered_set_is_a_set(steps in prop::collection::vec((any::<bool>(), 0..40_u64), 0..200)) {
            let (mut set, mut model) = (Ordered::default(), BTreeSet::new());
            for (add, seq) in steps {
                // Two of the same would be a mistake of the caller.
                if add && model.insert(seq) {
                    set.insert(seq);
                } else if !add {
                    set.remove(seq);
                    model.remove(&seq);
                }
                prop_assert_eq!((set.first(), set.len()), (model.first().copied(), model.len()));
                prop_assert_eq!(set.count_below(seq), model.range(..seq).count());
                let mut first = Vec::new();
                let count = usize::try_from(seq).unwrap_or(0) % 4;
                set.extend_first(count, &mut first);
                prop_assert!(first.iter().eq(model.iter().take(count)));
                prop_assert!(set.iter().eq(model.iter().copied()));
            }
        }
    }
}
