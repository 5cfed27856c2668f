//! Sequence numbers of records, and the iterators that hold them (rules K44, K52).

use std::{fmt, str::FromStr};

use super::shard::ShardId;
use crate::{clock::Timestamp, ids::Seed};

/// The place of a record in its stream: greater for each later record of a shard, and greater in a shard than anywhere in
/// those that it came from. As text a decimal number of 56 digits.
///
/// Opaque: compare, and hand back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber {
    /// How many times shards had been made when the record's own was.
    pub(crate) epoch: u32,
    pub(crate) shard: u32,
    pub(crate) seq: u64,
}

/// How the numbers of Kinesis begin, and how long they are.
const PREFIX: &str = "49";
const DIGITS: usize = 56;

impl RecordNumber {
    /// The shard that the record is in.
    pub fn shard(self) -> ShardId {
        ShardId(self.shard)
    }

    fn bits(self) -> u128 {
        u128::from(self.epoch) << 96 | u128::from(self.shard) << 64 | u128::from(self.seq)
    }
}

impl fmt::Display for RecordNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:0width$}", self.bits(), width = DIGITS - PREFIX.len())
    }
}

impl fmt::Debug for RecordNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a sequence number of this broker, or not an iterator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct ParsePositionError(&'static str);

impl FromStr for RecordNumber {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let refused = ParsePositionError("sequence number");
        let digits = text.strip_prefix(PREFIX).filter(|_| text.len() == DIGITS).ok_or(refused)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused);
        }
        let bits: u128 = digits.parse().map_err(|_| refused)?;
        let part =
            |shift: u32| u32::try_from(bits >> shift & u128::from(u32::MAX)).expect("masked to 32 bits");
        let seq = u64::try_from(bits & u128::from(u64::MAX)).expect("masked to 64 bits");
        Ok(Self { epoch: part(96), shard: part(64), seq })
    }
}

/// Where a reader of a shard is. It can be used again and again until it expires, five minutes after it was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardIterator {
    pub(crate) stream: u64,
    pub(crate) shard: u32,
    /// The next sequence to be read.
    pub(crate) position: u64,
    pub(crate) issued_at: u64,
    check: u32,
}

const ITERATOR_DIGITS: usize = 64;

impl ShardIterator {
    pub(crate) fn new(seed: Seed, stream: u64, shard: u32, position: u64, issued_at: u64) -> Self {
        let check = check(seed, stream, shard, position, issued_at);
        Self { stream, shard, position, issued_at, check }
    }

    /// Whether this broker made it.
    pub(crate) fn is_genuine(&self, seed: Seed) -> bool {
        self.check == check(seed, self.stream, self.shard, self.position, self.issued_at)
    }

    /// The shard that it reads.
    pub fn shard(&self) -> ShardId {
        ShardId(self.shard)
    }

    /// When it was given out.
    pub fn issued_at(&self) -> Timestamp {
        Timestamp::from_millis(self.issued_at)
    }
}

fn check(seed: Seed, stream: u64, shard: u32, position: u64, issued_at: u64) -> u32 {
    seed.check(stream, u64::from(seed.check(u64::from(shard), position, issued_at)), position)
}

impl fmt::Display for ShardIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, shard, position, issued_at, check } = self;
        write!(f, "{stream:016x}{shard:08x}{position:016x}{issued_at:016x}{check:08x}")
    }
}

impl FromStr for ShardIterator {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let refused = ParsePositionError("shard iterator");
        if text.len() != ITERATOR_DIGITS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refused);
        }
        let wide = |from: usize| u64::from_str_radix(&text[from..from + 16], 16).map_err(|_| refused);
        let narrow = |from: usize| u32::from_str_radix(&text[from..from + 8], 16).map_err(|_| refused);
        let (stream, shard, position) = (wide(0)?, narrow(16)?, wide(24)?);
        Ok(Self { stream, shard, position, issued_at: wide(40)?, check: narrow(56)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn k44_numbers_keep_their_order_as_text(a: (u32, u32, u64), b: (u32, u32, u64)) {
            let number = |(epoch, shard, seq)| RecordNumber { epoch, shard, seq };
            let (a, b) = (number(a), number(b));
            prop_assert_eq!(a.to_string().len(), DIGITS);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
        }

        #[test]
        fn k52_an_iterator_survives_text_and_a_changed_one_is_found_out(
            seed: u64, stream: u64, shard: u32, position: u64, at: u64, digit in 0..ITERATOR_DIGITS,
        ) {
            let iterator = ShardIterator::new(Seed(seed), stream, shard, position, at);
            let text = iterator.to_string();
            prop_assert_eq!(text.parse(), Ok(iterator));
            prop_assert!(iterator.is_genuine(Seed(seed)));
            let mut changed = text.into_bytes();
            changed[digit] = if changed[digit] == b'0' { b'1' } else { b'0' };
            let changed: ShardIterator = String::from_utf8(changed).expect("ascii").parse().expect("well formed");
            prop_assert!(!changed.is_genuine(Seed(seed)));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,70}") {
            let _ = text.parse::<RecordNumber>();
            let _ = text.parse::<ShardIterator>();
        }
    }
}
