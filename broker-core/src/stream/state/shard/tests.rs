//! What of a shard is in memory, which no reader can tell, and what is not committed, which none may see.

use super::*;
use crate::stream::hash::HashKeyRange;

fn shard() -> Shard {
    let definition = ShardDefinition {
        number: 0,
        id: 2,
        partition: 3,
        range: HashKeyRange::ALL,
        parents: [None, None],
        epoch: 0,
        created_at: 0,
        closed_at: None,
    };
    Shard::new(
        definition,
        &Record { partition: 3, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: 5 },
    )
}

/// A shard with rows of 10, 20 and 30 bytes.
fn with_three_rows() -> Shard {
    let mut shard = shard();
    for bytes in [10, 20, 30] {
        append(&mut shard, bytes, 5);
    }
    shard
}

fn append(shard: &mut Shard, bytes: usize, now: u64) {
    shard.append(bytes, now, |_| Bytes::from(vec![0; bytes]), &mut Batch::new());
}

/// The rows in memory, and their bytes.
fn at_hand(shard: &Shard) -> (usize, usize) {
    (shard.recent.len(), shard.recent_bytes)
}

#[test]
fn the_newest_rows_are_at_hand_and_the_last_one_always() {
    let mut shard = with_three_rows();
    for (bytes_max, kept) in [(60, (3, 60)), (59, (2, 50)), (30, (1, 30)), (0, (1, 30))] {
        shard.keep_at_hand(bytes_max);
        assert_eq!(at_hand(&shard), kept, "at most {bytes_max} bytes");
    }
}

#[test]
fn what_is_trimmed_leaves_memory() {
    let mut shard = with_three_rows();
    for (below, kept) in [(0, (3, 60)), (1, (2, 50)), (3, (0, 0)), (3, (0, 0))] {
        shard.trim(below, &mut Batch::new());
        assert_eq!((at_hand(&shard), shard.head), (kept, below));
    }
}

/// A record is read when it is committed, though it is in memory before.
#[test]
fn a_reader_finds_what_is_committed_of_what_is_at_hand() {
    let mut shard = with_three_rows();
    shard.submitted(1);
    shard.committed(1);
    append(&mut shard, 40, 5);
    shard.submitted(2);
    let found = |shard: &Shard, position, max| match shard.look(position, max) {
        Look::Recent(first, rows) => Some((first, rows.len())),
        Look::Stored(..) | Look::Nothing | Look::End => None,
    };
    assert_eq!(
        (found(&shard, 1, 10), found(&shard, 0, 2), found(&shard, 3, 10)),
        (Some((1, 2)), Some((0, 2)), None)
    );
    shard.committed(2);
    assert_eq!(found(&shard, 3, 10), Some((3, 1)));
}

#[test]
fn the_newest_time_never_goes_back() {
    let mut shard = shard();
    assert_eq!(shard.newest_at(), 5);
    append(&mut shard, 1, 7);
    append(&mut shard, 1, 6);
    assert_eq!(shard.newest_at(), 7);
}
