//! Values in chunks: small enough for sled's pages, and whole again when read.
//!
//! The first chunk starts with the value's length in four bytes, so a missing chunk is noticed. Chunks past the length
//! are what a larger value left under the same meta key; they go when the entry is deleted, and until then are skipped.

use std::{ops::Range, path::Path};

use broker_core::storage::{Page, StorageError};
use bytes::Bytes;

use crate::{
    engine_error,
    keys::{self, CHUNK_BYTES},
};

const LENGTH_BYTES: usize = 4;

/// Cuts a value into chunks, under the keys of its entry.
pub(crate) fn cut(first: &[u8], value: &[u8], mut put: impl FnMut(Vec<u8>, Vec<u8>)) {
    let length = u32::try_from(value.len()).expect("values are at most 64 MiB").to_be_bytes();
    let (head, tail) = value.split_at(value.len().min(CHUNK_BYTES - LENGTH_BYTES));
    put(first.to_vec(), [&length[..], head].concat());
    for (number, part) in (1..).zip(tail.chunks(CHUNK_BYTES)) {
        put(keys::chunk(first, number), part.to_vec());
    }
}

/// The entries under `range`, at most a page; `decode` turns an entry's part of the key into what the caller wants.
pub(crate) fn read<K>(
    tree: &sled::Tree,
    range: &Range<Vec<u8>>,
    page: Page,
    decode: impl Fn(&[u8]) -> Option<K>,
    file: &Path,
) -> Result<Vec<(K, Bytes)>, StorageError> {
    let (mut found, mut bytes, mut last) = (Vec::new(), 0_usize, Vec::new());
    // sled panics on an inverted range.
    if range.start >= range.end {
        return Ok(found);
    }
    let damaged = |entry: &[u8], detail: &str| {
        StorageError::corrupt(format!("{} in {}", keys::describe(entry), file.display()), detail)
    };
    let mut partial: Option<Partial> = None;
    for item in tree.range(range.start.as_slice()..range.end.as_slice()) {
        let (key, chunk) = item.map_err(|error| engine_error("reading", error, file))?;
        let (entry, number) = keys::split(&key).ok_or_else(|| damaged(&key, "the key is too short"))?;
        if entry == last {
            continue;
        }
        let grown = match partial.take() {
            Some(partial) => partial.grown(entry, number, &chunk),
            None => Partial::begin(entry, number, &chunk),
        };
        let whole = grown.map_err(|detail| damaged(entry, detail))?;
        if whole.value.len() < whole.length {
            partial = Some(whole);
            continue;
        }
        let decoded = decode(entry).ok_or_else(|| damaged(entry, "the key is of no known form"))?;
        bytes = bytes.saturating_add(whole.length);
        found.push((decoded, Bytes::from(whole.value)));
        if found.len() >= page.entries || bytes >= page.bytes {
            return Ok(found);
        }
        last = whole.entry;
    }
    match partial {
        Some(partial) => Err(damaged(&partial.entry, "its last chunks are missing")),
        None => Ok(found),
    }
}

/// A value of which some chunks have been read. It grows with what is there: a length that lies allocates nothing.
struct Partial {
    entry: Vec<u8>,
    length: usize,
    next: u16,
    value: Vec<u8>,
}

impl Partial {
    fn begin(entry: &[u8], number: u16, chunk: &[u8]) -> Result<Self, &'static str> {
        let (length, head) =
            chunk.split_first_chunk::<LENGTH_BYTES>().ok_or("its first chunk is too short")?;
        let length = u32::from_be_bytes(*length) as usize;
        match number {
            0 if head.len() <= length => {
                Ok(Self { entry: entry.to_vec(), length, next: 1, value: head.to_vec() })
            }
            0 => Err("its first chunk is longer than the value"),
            _ => Err("its first chunk is missing"),
        }
    }

    fn grown(mut self, entry: &[u8], number: u16, chunk: &[u8]) -> Result<Self, &'static str> {
        if self.entry != entry {
            return Err("the last chunks of the entry before it are missing");
        }
        if self.next != number {
            return Err("a chunk is missing");
        }
        if self.value.len() + chunk.len() > self.length {
            return Err("its chunks are longer than the value");
        }
        self.value.extend_from_slice(chunk);
        self.next += 1;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page { entries: 9, bytes: usize::MAX };

    fn tree_with(values: &[(u64, usize)]) -> (sled::Db, tempfile::TempDir) {
        let home = tempfile::TempDir::new().unwrap();
        let tree = sled::Config::new().path(home.path()).flush_every_ms(None).open().unwrap();
        for (seq, size) in values {
            cut(&keys::row(1, *seq).start, &vec![7; *size], |key, chunk| {
                tree.insert(key, chunk).unwrap();
            });
        }
        (tree, home)
    }

    fn rows(tree: &sled::Tree) -> Result<Vec<(u64, Bytes)>, StorageError> {
        read(tree, &keys::rows(1, 0..u64::MAX), PAGE, keys::seq, Path::new("db"))
    }

    #[test]
    fn a_missing_chunk_is_reported_with_its_row_wherever_it_was() {
        let size = 3 * CHUNK_BYTES;
        for missing in 0..4 {
            let (tree, _home) = tree_with(&[(4, size)]);
            assert_eq!(rows(&tree).unwrap()[0].1.len(), size);
            tree.remove(keys::chunk(&keys::row(1, 4).start, missing)).unwrap().unwrap();
            let error = rows(&tree).unwrap_err().to_string();
            assert!(error.contains("the row 4 of partition 1 in db"), "chunk {missing}: {error}");
        }
    }

    #[test]
    fn a_lying_length_is_an_error_and_allocates_nothing() {
        for length in [0, 9, u32::MAX] {
            let (tree, _home) = tree_with(&[]);
            let chunk = [&length.to_be_bytes()[..], &[7; 10]].concat();
            tree.insert(keys::row(1, 4).start, chunk).unwrap();
            assert!(matches!(rows(&tree), Err(StorageError::Corrupt { .. })), "length {length}");
        }
    }

    #[test]
    fn chunks_that_a_larger_value_left_behind_are_skipped() {
        let (tree, _home) = tree_with(&[(4, 5 * CHUNK_BYTES), (5, 3), (4, 10)]);
        let found: Vec<_> = rows(&tree).unwrap().into_iter().map(|(seq, value)| (seq, value.len())).collect();
        assert_eq!(found, [(4, 10), (5, 3)]);
    }
}
