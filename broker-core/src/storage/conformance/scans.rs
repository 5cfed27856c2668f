//! Laws 1 to 4, 10 and 11: what reads return, in which order, and how much.

use bytes::Bytes;

use super::{EVERYTHING, Numbers, Subject, commit, keys, meta, row, seqs};
use crate::storage::{Page, Storage};

/// The largest value that the suite writes, whatever the engine takes: enough for every size class of a file format.
const VALUE_TRIED_MAX: usize = 8 << 20;

/// Law 1: ascending sequences of that partition alone, within the range.
pub fn rows_come_in_sequence_order<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    // The jumps cross the bytes of a stored number, where an order of text or of little-endian bytes shows.
    let sequences = [0, 1, 9, 10, 255, 256, 65_535, 65_536, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1];
    for (index, seq) in sequences.into_iter().enumerate() {
        commit(&store, |batch| {
            batch.put_row(5, seq, format!("five-{seq}"));
            if index % 2 == 0 {
                batch.put_row(4, seq, "four");
                batch.put_row(6, seq, "six");
            }
        });
    }
    assert_eq!(seqs(&store, 5), sequences, "a scan of a whole partition");
    for (first, from) in sequences.into_iter().enumerate() {
        for (last, to) in sequences.into_iter().enumerate().skip(first) {
            let found = store.rows(5, from..to, EVERYTHING).expect("rows can be read");
            let expected: Vec<_> =
                sequences[first..last].iter().map(|seq| (*seq, Bytes::from(format!("five-{seq}")))).collect();
            assert_eq!(found, expected, "rows {from}..{to}");
        }
    }
    let between = store.rows(5, 2..9, EVERYTHING).expect("rows can be read");
    assert!(between.is_empty(), "rows between two sequences: {between:?}");
}

/// Law 2: ascending byte order, `from` included, `to` not.
pub fn meta_comes_in_key_order<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let long = [&[0x62; 1_023][..], &[0]].concat();
    let ordered: [&[u8]; 12] =
        [&[0], &[0, 0], &[0, 255], b"a", b"a\0", b"aa", b"ab", b"b", &long, &[0x7f], &[0x80], &[255, 255]];
    for index in [7, 2, 11, 0, 5, 9, 4, 1, 10, 3, 8, 6] {
        commit(&store, |batch| batch.put_meta(ordered[index], &[u8::try_from(index).expect("small")]));
    }
    for first in 0..ordered.len() {
        for last in first..ordered.len() {
            let found =
                store.meta_range(ordered[first], ordered[last], EVERYTHING).expect("meta can be read");
            let expected: Vec<_> = (first..last)
                .map(|at| {
                    (Bytes::copy_from_slice(ordered[at]), Bytes::from(vec![u8::try_from(at).expect("small")]))
                })
                .collect();
            assert_eq!(found, expected, "meta {:?}..{:?}", ordered[first], ordered[last]);
        }
    }
    assert_eq!(keys(&store, b"aaa", b"abc"), [&b"ab"[..]], "bounds that are not stored themselves");
}

/// Law 3: in scans and in deletes, and it is never an error or a panic.
pub fn an_inverted_range_is_empty<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    commit(&store, |batch| {
        for (seq, key) in (1..).zip([b"a", b"b", b"c", b"d", b"e"]) {
            batch.put_row(1, seq, "row");
            batch.put_meta(key, b"meta");
        }
    });
    for (from, to) in [(5, 1), (3, 3), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
        let found = store.rows(1, from..to, EVERYTHING).expect("an inverted range is no error");
        assert!(found.is_empty(), "rows {from}..{to}: {found:?}");
    }
    let inverted: [(&[u8], &[u8]); 3] = [(b"c", b"a"), (b"b", b"b"), (&[255; 1_024], &[0])];
    for (from, to) in inverted {
        let found = store.meta_range(from, to, EVERYTHING).expect("an inverted range is no error");
        assert!(found.is_empty(), "meta {from:?}..{to:?}: {found:?}");
        commit(&store, |batch| batch.delete_meta_range(from, to));
    }
    assert_eq!(keys(&store, b"a", b"z").len(), 5, "an inverted delete removes nothing");
}

/// Law 4: a page stops after the entry that reaches either bound, and has at least one entry before the end.
pub fn pages_are_bounded_and_never_empty_before_the_end<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    commit(&store, |batch| {
        for number in 0..10_u8 {
            batch.put_row(1, u64::from(number), vec![number; 100]);
            batch.put_meta(&[b'k', number], &[number; 100]);
        }
    });
    let cases = [
        (0, usize::MAX, 1),
        (1, usize::MAX, 1),
        (3, usize::MAX, 3),
        (10, usize::MAX, 10),
        (11, usize::MAX, 10),
        (usize::MAX, 0, 1),
        (usize::MAX, 1, 1),
        (usize::MAX, 100, 1),
        (usize::MAX, 101, 2),
        (usize::MAX, 950, 10),
        (4, 250, 3),
        (2, 250, 2),
    ];
    for (entries, bytes, expected) in cases {
        let page = Page { entries, bytes };
        let rows = store.rows(1, 0..u64::MAX, page).expect("rows can be read");
        assert!(rows.iter().map(|(seq, _)| *seq).eq(0..expected), "rows of {page:?}: {}", rows.len());
        let meta = store.meta_range(b"k", b"l", page).expect("meta can be read");
        assert!(
            meta.iter().map(|(key, _)| u64::from(key[1])).eq(0..expected),
            "meta of {page:?}: {}",
            meta.len()
        );
    }
    let mut next = 0;
    while let Some((last, _)) =
        store.rows(1, next..u64::MAX, Page { entries: 3, bytes: 1 << 10 }).expect("rows can be read").last()
    {
        next = last + 1;
    }
    assert_eq!(next, 10, "page after page reaches the end");
}

/// Law 10: from the empty value up to the largest, as far as the suite dares; meta keys and values up to their limits.
pub fn a_value_comes_back_byte_for_byte<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let max = store.profile().value_bytes_max.min(VALUE_TRIED_MAX);
    let powers = (4..=20).map(|power| 1_usize << power).flat_map(|size| [size - 1, size, size + 1]);
    let sizes: Vec<usize> = [0, 1, max].into_iter().chain(powers.filter(|size| *size < max)).collect();
    let value = |size: usize| Bytes::from(Numbers::new(size as u64).bytes(size));
    for (seq, size) in (0_u64..).zip(&sizes) {
        commit(&store, |batch| batch.put_row(1, seq, value(*size)));
    }
    for (seq, size) in (0_u64..).zip(&sizes) {
        // Not assert_eq: nobody reads megabytes of a message.
        assert!(row(&store, 1, seq) == Some(value(*size)), "a row of {size} bytes, read alone");
        let scanned = store.rows(1, seq..seq + 1, EVERYTHING).expect("rows can be read");
        assert!(scanned == [(seq, value(*size))], "a row of {size} bytes, read by a scan");
    }
    for (key_len, size) in [(1, 0), (1, 1), (22, 40), (30, 255), (31, 4_096), (1_024, 65_536), (255, 65_535)]
    {
        let key = Numbers::new(7).bytes(key_len);
        commit(&store, |batch| batch.put_meta(&key, &value(size)));
        assert!(meta(&store, &key) == Some(value(size)), "a meta value of {size} bytes");
        let scanned = store.meta_range(&key, &[255; 1_024], EVERYTHING).expect("meta can be read");
        assert!(
            scanned.first() == Some(&(Bytes::from(key), value(size))),
            "a key of {key_len} bytes with a value of {size}, read by a scan"
        );
    }
    let key = Numbers::new(7).bytes(1_024);
    commit(&store, |batch| batch.put_meta(&key, b"short now"));
    assert_eq!(meta(&store, &key).as_deref(), Some(&b"short now"[..]), "a large meta value made small");
}

/// Law 11: whatever the numbers and the key bytes.
pub fn partitions_and_spaces_do_not_touch_each_other<S: Subject>(subject: &S) {
    let home = subject.home();
    let store = subject.open(&home);
    let partitions = [0, 1, 2, 255, 256, 257, 1 << 16, 1 << 32, (1 << 32) + 1, 1 << 63, u64::MAX];
    commit(&store, |batch| {
        for partition in partitions {
            batch.put_row(partition, 1, format!("row of {partition}"));
        }
        // Keys that could be an engine's own spelling of a row, with every tag it might use.
        for tag in 0..=255_u8 {
            batch.put_meta(&[tag], &[tag]);
            batch.put_meta(&[&[tag][..], &1_u64.to_be_bytes(), &1_u64.to_be_bytes()].concat(), b"m");
        }
    });
    let intact = |left: &[u64]| {
        for partition in left {
            let text = format!("row of {partition}");
            assert_eq!(row(&store, *partition, 1), Some(text.into()), "the row of partition {partition}");
            assert_eq!(seqs(&store, *partition), [1], "the scan of partition {partition}");
        }
    };
    intact(&partitions);
    assert_eq!(keys(&store, &[0], &[255; 1_024]).len(), 512, "no row shows up among the meta entries");
    for (done, partition) in partitions.into_iter().enumerate() {
        commit(&store, |batch| batch.trim_rows(partition, u64::MAX));
        assert_eq!(seqs(&store, partition), [0; 0], "partition {partition} was trimmed");
        intact(&partitions[done + 1..]);
    }
    assert_eq!(keys(&store, &[0], &[255; 1_024]).len(), 512, "no trim removes a meta entry");

    commit(&store, |batch| {
        batch.put_row(1, 2, "row");
        batch.delete_meta_range(&[0], &[255; 1_024]);
    });
    assert_eq!(keys(&store, &[0], &[255; 1_024]).len(), 0, "every meta entry went");
    assert_eq!(seqs(&store, 1), [2], "no delete of meta removes a row");
}
