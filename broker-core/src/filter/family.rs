//! Which keys of a group can be matched at once: a set of states, of which each says what a choice of values achieves.
//!
//! A state has a bit for each key, set if a value was chosen that matches it; and a bit for each key that may be absent,
//! set while no value of it was seen that goes together with the choice. All the states that some part of a body allows
//! are a [`Family`], a set of small numbers as a bitmap. Families of the members of an object are joined: any choice in
//! one goes with any in the other. Families of the elements of an array are united: a choice keeps to one element.
//! So the work for a body is bounded by its length, where trying choice after choice would not be.

use super::patterns::Patterns;

/// The most bits of the states of a group.
const BITS_MAX: usize = 8;
/// The most states of a group.
pub(super) const STATES: usize = 1 << BITS_MAX;
const WORDS: usize = STATES / 64;

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family([u64; WORDS]);

/// What the bits of the states of a group stand for.
#[derive(Debug)]
pub(super) struct Bits {
    /// Of each key, the bit that says that a matching value was chosen, if values can match it.
    chosen: Vec<Option<u8>>,
    /// Of each key, the bit that says that it is absent, if it may be.
    absent: Vec<Option<u8>>,
    /// How many there are.
    count: u8,
    /// All bits that say that a key is absent.
    all_absent: u8,
    /// The states in which each key is matched or absent.
    accepted: Family,
    /// Of each bit that says that a key is absent: the states in which none of the keys in front of it was chosen.
    unanchored: Vec<(u8, Family)>,
}

impl Family {
    const EMPTY: Self = Self([0; WORDS]);

    fn insert(&mut self, state: u8) {
        self.0[usize::from(state / 64)] |= 1 << (state % 64);
    }

    fn states(self) -> impl Iterator<Item = u8> {
        let in_word = |(word, mut bits): (u8, u64)| {
            std::iter::from_fn(move || {
                let lowest = u8::try_from(bits.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                bits &= bits - 1;
                Some(word * 64 + lowest)
            })
        };
        (0..).zip(self.0).flat_map(in_word)
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Adds the states of another family.
    pub(super) fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    fn intersect(&self, other: &Self) -> Self {
        let mut both = *self;
        both.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        both
    }

    fn without(&self, other: &Self) -> Self {
        let mut rest = *self;
        rest.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        rest
    }

    /// The states in which a bit is set.
    const fn having(bit: u8) -> Self {
        const WITHIN_WORDS: [u64; 6] = [
            0xAAAA_AAAA_AAAA_AAAA,
            0xCCCC_CCCC_CCCC_CCCC,
            0xF0F0_F0F0_F0F0_F0F0,
            0xFF00_FF00_FF00_FF00,
            0xFFFF_0000_FFFF_0000,
            0xFFFF_FFFF_0000_0000,
        ];
        match bit {
            6 => Self([0, u64::MAX, 0, u64::MAX]),
            7 => Self([0, 0, u64::MAX, u64::MAX]),
            bit => Self([WITHIN_WORDS[bit as usize]; WORDS]),
        }
    }

    /// The states in which a bit is not set, with that bit set.
    fn with_bit_added(&self, bit: u8) -> Self {
        self.without(&Self::having(bit)).moved_up(bit)
    }

    /// All states with a bit cleared.
    fn without_bit(&self, bit: u8) -> Self {
        let having = Self::having(bit);
        let (set, mut unset) = (self.intersect(&having), self.without(&having));
        unset.unite(&set.moved_down(bit));
        unset
    }

    fn moved_up(&self, bit: u8) -> Self {
        let [a, b, c, _] = self.0;
        match bit {
            6 => Self([0, a, b, c]),
            7 => Self([0, 0, a, b]),
            bit => Self(self.0.map(|word| word << (1 << bit))),
        }
    }

    fn moved_down(&self, bit: u8) -> Self {
        let [_, b, c, d] = self.0;
        match bit {
            6 => Self([b, c, d, 0]),
            7 => Self([c, d, 0, 0]),
            bit => Self(self.0.map(|word| word >> (1 << bit))),
        }
    }
}

impl Bits {
    /// Gives bits to the keys of a group, which are in the order of their names. `None` if there are not enough.
    pub(super) fn of<'p>(keys: impl Iterator<Item = &'p Patterns>) -> Option<Self> {
        let mut bits = Self {
            chosen: Vec::new(),
            absent: Vec::new(),
            count: 0,
            all_absent: 0,
            accepted: Family::EMPTY,
            unanchored: Vec::new(),
        };
        let mut in_front = 0_u8;
        for patterns in keys {
            let absent = if patterns.absent { Some(bits.next()?) } else { None };
            let chosen = if patterns.present { Some(bits.next()?) } else { None };
            if let Some(absent) = absent {
                bits.all_absent |= 1 << absent;
                let mut unanchored = Family::EMPTY;
                (0..=u8::MAX)
                    .filter(|state| state & in_front == 0)
                    .for_each(|state| unanchored.insert(state));
                bits.unanchored.push((absent, unanchored));
            }
            in_front |= chosen.map_or(0, |bit| 1 << bit);
            bits.absent.push(absent);
            bits.chosen.push(chosen);
        }
        let set = |state: u8, bit: &Option<u8>| bit.is_some_and(|bit| state >> bit & 1 != 0);
        let accepted = |state: &u8| {
            let mut keys = bits.chosen.iter().zip(&bits.absent);
            keys.all(|(chosen, absent)| set(*state, chosen) || set(*state, absent))
        };
        let mut family = Family::EMPTY;
        (0..=u8::MAX).filter(accepted).for_each(|state| family.insert(state));
        bits.accepted = family;
        Some(bits)
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.count;
        self.count += 1;
        (usize::from(next) < BITS_MAX).then_some(next)
    }

    /// How many states there are.
    pub(super) fn states(&self) -> usize {
        1 << self.count
    }

    /// The family where there are no values: nothing chosen, all that may be absent is.
    pub(super) fn nothing(&self) -> Family {
        let mut family = Family::EMPTY;
        family.insert(self.all_absent);
        family
    }

    /// The family of one value of a key, which matches it or not.
    pub(super) fn value(&self, key: usize, matches: bool) -> Family {
        let mut family = Family::EMPTY;
        let unchosen = self.all_absent & !self.absent[key].map_or(0, |bit| 1 << bit);
        family.insert(unchosen);
        if let (true, Some(bit)) = (matches, self.chosen[key]) {
            family.insert(unchosen | 1 << bit);
        }
        family
    }

    /// The family of two parts in which choices are independent, but for this: a key has one value chosen at most. A
    /// second one would say more of what is absent.
    pub(super) fn join(&self, one: &Family, other: &Family) -> Family {
        let (few, many) = if one.count() < other.count() { (one, other) } else { (other, one) };
        if *few == self.nothing() {
            return *many;
        }
        let mut joined = Family::EMPTY;
        for state in few.states() {
            // All states of the other part, each together with this one.
            let mut with = *many;
            for bit in 0..self.count {
                let (set, absent) = (state >> bit & 1 != 0, self.all_absent >> bit & 1 != 0);
                if set && !absent {
                    with = with.with_bit_added(bit);
                } else if absent && !set {
                    with = with.without_bit(bit);
                }
            }
            joined.unite(&with);
        }
        joined
    }

    /// The family of an array, of whose elements one at most is chosen. `elements` has their families united.
    ///
    /// A value that lies in an element that was not chosen does not count as one that is there. But whether a key is
    /// absent is decided where its name comes in the order of the keys: if nothing in front of it was chosen from the
    /// array, all elements count. This is how the engine of SNS goes about it.
    pub(super) fn array(&self, mut elements: Family, absent_from_all: u8) -> Family {
        for (bit, unanchored) in &self.unanchored {
            if absent_from_all >> bit & 1 == 0 {
                let mut counted = elements.intersect(unanchored).without_bit(*bit);
                counted.unite(&elements.without(unanchored));
                elements = counted;
            }
        }
        elements
    }

    /// The keys that are absent from a part, if nothing is chosen there.
    pub(super) fn absent_from(&self, part: &Family) -> u8 {
        if self.all_absent == 0 {
            return 0;
        }
        // There is one state without a choice in each family.
        let unchosen = part.states().find(|state| state & !self.all_absent == 0);
        unchosen.unwrap_or(self.all_absent)
    }

    /// Whether a family has a state in which all keys are matched.
    pub(super) fn accept(&self, family: &Family) -> bool {
        family.intersect(&self.accepted) != Family::EMPTY
    }
}
