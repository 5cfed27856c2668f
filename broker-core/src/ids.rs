//! Message ids and receipt handles: computed from what a message is, never looked up in a table.
//!
//! Both are reversible disguises of small numbers, keyed by the store's seed. They look random and do not collide, and
//! they are no secret: whoever can link the broker can also read its store.

use std::{fmt, str::FromStr};

/// The store's own random number, made when the store is created and kept in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// A seed from the operating system.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(u64::from_le_bytes(bytes)))
    }

    /// A check of three numbers that only this store computes. Handles depend on it: never change it.
    pub(crate) fn check(self, first: u64, second: u64, third: u64) -> u32 {
        let mixed = mix(mix(mix(self.0 ^ first) ^ second) ^ third);
        u32::try_from(mixed >> 32).expect("a u64 shifted by 32 fits")
    }
}

/// The finaliser of `SplitMix64`: every input bit moves every output bit. Stored values depend on it: never change it.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Half of the 122 free bits of a UUID: what a queue id or a sequence may use.
const HALF_BITS: u32 = 61;
const HALF: u64 = (1 << HALF_BITS) - 1;
/// The largest id of a queue and the largest sequence: far more than can ever be given out.
pub(crate) const NUMBER_MAX: u64 = HALF;
const ROUNDS: u64 = 4;

/// The id of a message: a UUID, the same for every delivery of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u128);

impl MessageId {
    /// A Feistel network over (queue, sequence): no two messages of a store share an id.
    pub(crate) fn new(seed: Seed, queue: u64, seq: u64) -> Self {
        let (mut left, mut right) = (queue & HALF, seq & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mix(right ^ seed.0.wrapping_add(round)) & HALF));
        }
        Self::from_halves(left, right)
    }

    /// The queue and the sequence that `new` was given.
    pub(crate) fn origin(self, seed: Seed) -> (u64, u64) {
        let (mut left, mut right) = self.halves();
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ (mix(left ^ seed.0.wrapping_add(round)) & HALF), left);
        }
        (left, right)
    }

    /// Spreads 122 bits around the version (4) and the variant (10) of a UUID.
    fn from_halves(left: u64, right: u64) -> Self {
        let bits = u128::from(left) << HALF_BITS | u128::from(right);
        let high = bits >> 74; // 48 bits
        let middle = bits >> 62 & 0xfff; // 12 bits
        let low = bits & ((1 << 62) - 1);
        Self(high << 80 | 4 << 76 | middle << 64 | 0b10 << 62 | low)
    }

    fn halves(self) -> (u64, u64) {
        let bits = (self.0 >> 80) << 74 | (self.0 >> 64 & 0xfff) << 62 | self.0 & ((1 << 62) - 1);
        let half = |part: u128| u64::try_from(part & u128::from(HALF)).expect("masked to 61 bits");
        (half(bits >> HALF_BITS), half(bits))
    }

    /// The 128 bits of the UUID.
    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// The id with these bits, as they were stored.
    pub(crate) fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the id of a message: not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message id: expected a UUID in lower case")]
pub struct ParseMessageIdError;

impl FromStr for MessageId {
    type Err = ParseMessageIdError;

    fn from_str(text: &str) -> Result<Self, ParseMessageIdError> {
        let digits: String = text.chars().filter(|c| *c != '-').take(33).collect();
        let id = u128::from_str_radix(&digits, 16).map(Self).map_err(|_| ParseMessageIdError)?;
        // Hyphens elsewhere, capitals and signs come out differently.
        if id.to_string() == text { Ok(id) } else { Err(ParseMessageIdError) }
    }
}

/// The place of a message in the order of its FIFO queue: as text, a decimal number of 20 digits. Larger for each later
/// message of a queue, with gaps; never given out twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

/// The smallest sequence number: like those of SQS in length. 10^17 of them fit before a 21st digit is needed.
const FIRST_SEQUENCE_NUMBER: u128 = 18_849_496_460_467_696_128;
/// Numbers of neighbours differ by this much, so that nobody counts on them being consecutive.
const SEQUENCE_NUMBER_STEP: u128 = 256;

impl SequenceNumber {
    pub(crate) fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The sequence that `new` was given.
    pub(crate) fn seq(self) -> u64 {
        self.0
    }

    /// The number.
    pub fn as_u128(self) -> u128 {
        FIRST_SEQUENCE_NUMBER + u128::from(self.0) * SEQUENCE_NUMBER_STEP
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_u128(), f)
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Proof of one delivery of one message: what delete and change visibility ask for.
///
/// Opaque, and as text 48 hexadecimal digits. It stays valid across restarts, and for no other queue.
///
/// ```
/// use broker_core::ReceiptHandle;
///
/// assert!("not a receipt".parse::<ReceiptHandle>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceiptHandle {
    queue: u64,
    seq: u64,
    delivery: u32,
    check: u32,
}

/// The text is not one of this broker's receipt handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt handle: expected {TEXT_LENGTH} hexadecimal digits")]
pub struct ParseReceiptError;

const TEXT_LENGTH: usize = 48;

impl ReceiptHandle {
    pub(crate) fn new(seed: Seed, queue: u64, seq: u64, delivery: u32) -> Self {
        Self { queue, seq, delivery, check: seed.check(queue, seq, u64::from(delivery)) }
    }

    /// Sequence and delivery number, if the handle was made by this queue.
    pub(crate) fn open(self, seed: Seed, queue: u64) -> Option<(u64, u32)> {
        let check = seed.check(queue, self.seq, u64::from(self.delivery));
        (self.queue == queue && self.check == check).then_some((self.seq, self.delivery))
    }

    fn bits(self) -> (u128, u64) {
        let wide = u128::from(self.queue) << 64 | u128::from(self.seq);
        (wide, u64::from(self.delivery) << 32 | u64::from(self.check))
    }
}

impl fmt::Display for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wide, narrow) = self.bits();
        write!(f, "{wide:032x}{narrow:016x}")
    }
}

impl fmt::Debug for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReceiptHandle {
    type Err = ParseReceiptError;

    fn from_str(text: &str) -> Result<Self, ParseReceiptError> {
        // from_str_radix takes a sign, which a receipt never has.
        if text.len() != TEXT_LENGTH || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseReceiptError);
        }
        let field = |range: std::ops::Range<usize>| {
            u64::from_str_radix(&text[range], 16).map_err(|_| ParseReceiptError)
        };
        let narrow = |range| u32::try_from(field(range)?).map_err(|_| ParseReceiptError);
        Ok(Self {
            queue: field(0..16)?,
            seq: field(16..32)?,
            delivery: narrow(32..40)?,
            check: narrow(40..48)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_id_leads_back_to_its_message(seed: u64, queue in 0..=HALF, seq in 0..=HALF) {
            let id = MessageId::new(Seed(seed), queue, seq);
            prop_assert_eq!(id.origin(Seed(seed)), (queue, seq));
            let text = id.to_string();
            prop_assert_eq!(text.len(), 36);
            prop_assert_eq!(text.parse(), Ok(id));
            prop_assert!(text[1..].parse::<MessageId>().is_err());
            prop_assert_eq!(text.as_bytes()[14], b'4', "the version of a random UUID");
            prop_assert!(b"89ab".contains(&text.as_bytes()[19]), "its variant");
        }

        #[test]
        fn a_receipt_survives_text_and_opens_for_its_queue_only(
            seed: u64, queue: u64, other: u64, seq: u64, delivery: u32,
        ) {
            let receipt = ReceiptHandle::new(Seed(seed), queue, seq, delivery);
            let parsed: ReceiptHandle = receipt.to_string().parse().expect("its own text");
            prop_assert_eq!(parsed, receipt);
            prop_assert_eq!(parsed.open(Seed(seed), queue), Some((seq, delivery)));
            prop_assume!(other != queue);
            prop_assert_eq!(parsed.open(Seed(seed), other), None);
        }

        #[test]
        fn no_text_makes_the_receipt_parser_panic(text in ".{0,60}") {
            let _ = text.parse::<ReceiptHandle>();
        }
    }

    #[test]
    fn a_receipt_with_one_digit_changed_does_not_open() {
        let seed = Seed(42);
        let text = ReceiptHandle::new(seed, 1, 2, 3).to_string();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("ascii");
            let opened = changed.parse::<ReceiptHandle>().expect("well formed").open(seed, 1);
            assert_eq!(opened, None, "digit {at}");
        }
    }
}
