//! How entries of both spaces are spelled as keys of the one tree, in an order that is the order of the contract.
//!
//! | space | key |
//! |---|---|
//! | neither | `0`: the number of the newest commit, see `record.rs` |
//! | rows | `1`, partition (8 bytes, big-endian), sequence (8 bytes, big-endian), chunk |
//! | meta | `2`, the key with each `00` as `00 ff`, `00`, chunk |
//!
//! The chunk number has two bytes, big-endian. Its first byte is never `ff` (see the assertion), so a key that ends
//! sorts before one that goes on with a zero byte.
//!
//! **Why no page goes to `blobs/`**: sled moves a page there when it exceeds a quarter of a segment, 1 MiB here. A leaf
//! has at most 20 entries (it splits above 16 and takes in a neighbour below 4), each of at most one chunk and one key;
//! an inner page has at most 257 keys. The assertions below do the sum. With sled's own segments of 512 KiB, chunks of
//! 32 KiB do get there: a page of five suffices.

use std::ops::Range;

use bytes::Bytes;

/// The most bytes of a stored chunk.
pub(crate) const CHUNK_BYTES: usize = 16 << 10;

/// sled's segment size; see above. Fixed by the format: sled refuses to open a file with another one.
pub(crate) const SEGMENT_BYTES: usize = 4 << 20;

/// The first chunk number that starts with `ff`: it ends an entry, before any key that goes on with a zero byte.
const CHUNKS_MAX: u16 = 0xff00;

const _: () = assert!(crate::VALUE_BYTES_MAX.div_ceil(CHUNK_BYTES - 4) < CHUNKS_MAX as usize);

/// The longest stored key: a tag, 1,024 zero bytes, each spelled in two, the end and the chunk number.
const KEY_BYTES_MAX: usize = 1 + 2 * 1_024 + 1 + CHUNK_NUMBER_BYTES;
/// What sled adds to an entry of a page and to a page, with a margin.
const OVERHEAD_BYTES: usize = 32;
const PAGE_BYTES_MAX: usize = SEGMENT_BYTES / 4 - OVERHEAD_BYTES;

const _: () = assert!(20 * (CHUNK_BYTES + KEY_BYTES_MAX + OVERHEAD_BYTES) < PAGE_BYTES_MAX);
const _: () = assert!(257 * (KEY_BYTES_MAX + OVERHEAD_BYTES) < PAGE_BYTES_MAX);

const ROW: u8 = 1;
const META: u8 = 2;
const CHUNK_NUMBER_BYTES: usize = 2;

/// The key of one chunk of the entry whose first chunk has the key `first`.
pub(crate) fn chunk(first: &[u8], number: u16) -> Vec<u8> {
    let mut key = first.to_vec();
    key.truncate(first.len() - CHUNK_NUMBER_BYTES);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Splits a stored key into its entry's part and the chunk number.
pub(crate) fn split(key: &[u8]) -> Option<(&[u8], u16)> {
    let (entry, number) = key.split_last_chunk::<CHUNK_NUMBER_BYTES>()?;
    Some((entry, u16::from_be_bytes(*number)))
}

/// The keys of one row's chunks.
pub(crate) fn row(partition: u64, seq: u64) -> Range<Vec<u8>> {
    let first = first_of_row(partition, seq);
    let past = chunk(&first, CHUNKS_MAX);
    first..past
}

/// The keys of the rows in a range of sequences.
pub(crate) fn rows(partition: u64, range: Range<u64>) -> Range<Vec<u8>> {
    first_of_row(partition, range.start)..first_of_row(partition, range.end)
}

/// The keys of one meta entry's chunks.
pub(crate) fn meta(key: &[u8]) -> Range<Vec<u8>> {
    let first = first_of_meta(key);
    let past = chunk(&first, CHUNKS_MAX);
    first..past
}

/// The keys of the meta entries in `from..to`.
pub(crate) fn meta_range(from: &[u8], to: &[u8]) -> Range<Vec<u8>> {
    first_of_meta(from)..first_of_meta(to)
}

/// The sequence of a row, from its entry's part of the key.
pub(crate) fn seq(entry: &[u8]) -> Option<u64> {
    let (rest, seq) = entry.split_last_chunk::<8>()?;
    (rest.len() == 9 && rest[0] == ROW).then(|| u64::from_be_bytes(*seq))
}

/// The key of a meta entry, from its entry's part of the stored key.
pub(crate) fn meta_key(entry: &[u8]) -> Option<Bytes> {
    let mut escaped = entry.strip_prefix(&[META])?.strip_suffix(&[0])?.iter();
    let mut key = Vec::with_capacity(escaped.len());
    while let Some(byte) = escaped.next() {
        if *byte == 0 && escaped.next() != Some(&0xff) {
            return None;
        }
        key.push(*byte);
    }
    Some(key.into())
}

/// An entry's part of a key, in words for an error.
pub(crate) fn describe(entry: &[u8]) -> String {
    match (seq(entry), meta_key(entry)) {
        (Some(seq), _) => {
            let partition = entry[1..9].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            format!("the row {seq} of partition {partition}")
        }
        (_, Some(key)) => format!("the meta key \"{}\"", key.escape_ascii()),
        _ => format!("the unknown key \"{}\"", entry.escape_ascii()),
    }
}

fn first_of_row(partition: u64, seq: u64) -> Vec<u8> {
    [&[ROW][..], &partition.to_be_bytes(), &seq.to_be_bytes(), &[0; CHUNK_NUMBER_BYTES]].concat()
}

fn first_of_meta(key: &[u8]) -> Vec<u8> {
    let mut first = Vec::with_capacity(key.len() + 8);
    first.push(META);
    for byte in key {
        first.push(*byte);
        if *byte == 0 {
            first.push(0xff);
        }
    }
    first.extend_from_slice(&[0; 1 + CHUNK_NUMBER_BYTES]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_keys_sort_as_the_contract_says_and_read_back() {
        let keys: [&[u8]; 9] =
            [&[0], &[0, 0], &[0, 0, 1], &[0, 1], &[0, 255], &[1], &[1, 0], &[1, 1], &[255, 255]];
        for pair in keys.windows(2) {
            assert!(meta(pair[0]).end < meta(pair[1]).start, "{pair:?}");
        }
        for key in keys {
            let stored = chunk(&first_of_meta(key), 3);
            let (entry, number) = split(&stored).unwrap();
            assert_eq!((meta_key(entry).unwrap(), number), (Bytes::copy_from_slice(key), 3));
            assert_eq!(seq(entry), None);
        }
        assert!(row(1, u64::MAX).end < row(2, 0).start && row(u64::MAX, u64::MAX).end < meta(&[0]).start);
        assert_eq!(seq(split(&row(7, 9).start).unwrap().0), Some(9));
    }

    #[test]
    fn an_error_names_the_row_or_the_key() {
        let entry = |key: Vec<u8>| split(&key).unwrap().0.to_vec();
        assert_eq!(describe(&entry(row(7, 9).start)), "the row 9 of partition 7");
        assert_eq!(describe(&entry(meta(b"a\0").start)), "the meta key \"a\\x00\"");
        assert_eq!(describe(b"zz"), "the unknown key \"zz\"");
    }
}
