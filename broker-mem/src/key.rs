//! Meta keys: inline when they are short, and compared a word at a time.
//!
//! Most are short. An entry then costs one allocation less, and a search of the map, which is what most of a commit is,
//! compares numbers instead of calling into the C library.

use std::cmp::Ordering;

const WORDS: usize = 4;
/// The last byte of the last word is the length.
const SHORT_MAX: usize = WORDS * 8 - 1;

/// A meta key. Compares as its bytes do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// Big-endian words: the bytes, padded with zeros, and the length. Where the padded bytes of two keys are the same,
    /// one is the other with zeros behind it, and the shorter one comes first.
    Short([u64; WORDS]),
    Long(Box<[u8]>),
}

impl Key {
    pub(crate) fn new(key: &[u8]) -> Self {
        match u8::try_from(key.len()) {
            Ok(len) if key.len() <= SHORT_MAX => {
                let mut bytes = [0; SHORT_MAX + 1];
                bytes[..key.len()].copy_from_slice(key);
                bytes[SHORT_MAX] = len;
                let (words, _) = bytes.as_chunks();
                Key::Short(std::array::from_fn(|at| u64::from_be_bytes(words[at])))
            }
            _ => Key::Long(key.into()),
        }
    }

    /// Calls `with` with the key's bytes.
    pub(crate) fn with_bytes<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Key::Short(words) => {
                let bytes = words.map(u64::to_be_bytes);
                let bytes = bytes.as_flattened();
                with(&bytes[..usize::from(bytes[SHORT_MAX])])
            }
            Key::Long(bytes) => with(bytes),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Short(ours), Key::Short(theirs)) => ours.cmp(theirs),
            _ => self.with_bytes(|ours| other.with_bytes(|theirs| ours.cmp(theirs))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_their_bytes_do_and_give_them_back() {
        let stems: [&[u8]; 6] = [b"", &[0], &[0, 1], b"a", &[b'a'; 30], &[255; 31]];
        let tails: [&[u8]; 5] = [b"", &[0], &[0, 0], &[1], &[255, 0]];
        let keys: Vec<_> = stems.iter().flat_map(|s| tails.iter().map(|t| [*s, *t].concat())).collect();
        for left in &keys {
            Key::new(left).with_bytes(|bytes| assert_eq!(bytes, left));
            for right in &keys {
                assert_eq!(Key::new(left).cmp(&Key::new(right)), left.cmp(right), "{left:?} {right:?}");
            }
        }
    }
}
