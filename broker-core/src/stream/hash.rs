//! Hash keys: where in the space of 2^128 a partition key lies, and how the space is divided (rules K20, K22).

use md5::{Digest, Md5};

/// A part of the space of hash keys, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HashKeyRange {
    /// The first hash key.
    #[serde(with = "decimal")]
    pub start: u128,
    /// The last hash key.
    #[serde(with = "decimal")]
    pub end: u128,
}

impl HashKeyRange {
    /// All of it.
    pub(crate) const ALL: Self = Self { start: 0, end: u128::MAX };

    /// Whether a hash key lies in it.
    pub fn contains(self, hash: u128) -> bool {
        (self.start..=self.end).contains(&hash)
    }

    /// The space in so many parts of the same size; the last one takes the rest (rule K20).
    pub(crate) fn divided(count: u32) -> Vec<Self> {
        let count = u128::from(count.max(1));
        // floor(2^128 / count), without having 2^128.
        let exact = u128::MAX % count == count - 1;
        let size = u128::MAX / count + u128::from(exact && count > 1);
        let part = |at: u128| Self {
            start: at * size,
            end: if at + 1 == count { u128::MAX } else { (at + 1) * size - 1 },
        };
        if count == 1 { vec![Self::ALL] } else { (0..count).map(part).collect() }
    }
}

/// The hash key of a partition key: its MD5 as a big-endian number (rule K22).
pub(crate) fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

/// JSON numbers do not go so far.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k20_the_space_is_divided_as_kinesis_does() {
        let three = HashKeyRange::divided(3);
        assert_eq!(three[1].start, 113_427_455_640_312_821_154_458_202_477_256_070_485);
        assert_eq!(three[2].start, 226_854_911_280_625_642_308_916_404_954_512_140_970);
        for count in [1, 2, 3, 4, 7, 1_000] {
            let parts = HashKeyRange::divided(count);
            assert_eq!((parts.len(), parts[0].start), (count as usize, 0));
            assert_eq!(parts.last().map(|part| part.end), Some(u128::MAX));
            assert!(parts.windows(2).all(|pair| pair[0].end + 1 == pair[1].start), "{count}");
        }
        assert_eq!(HashKeyRange::divided(2)[1].start, 1 << 127);
    }

    #[test]
    fn k22_the_hash_of_a_partition_key_is_its_md5() {
        // MD5("a") = 0cc175b9c0f1b6a831c399e269772661
        assert_eq!(hash_key("a"), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
    }
}
