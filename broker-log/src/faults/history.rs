//! Histories of batches, and what a store must hold after each of them.

use std::collections::BTreeMap;

use broker_core::storage::{Batch, Durability, Op, Page, Storage, StorageError};

use crate::{LogOptions, LogStorage};

/// Segments so small that all that can happen to them happens soon.
pub fn options(seed: u64) -> LogOptions {
    let at = usize::try_from(seed % 9).expect("small");
    LogOptions {
        segment_bytes: [700, 1_500, 4_000][at % 3],
        prewrite_bytes: [0, 300, 4_000][at / 3 % 3],
        reserve_bytes: [0, 600][at % 2],
        cached_blocks: 2,
    }
}

const PARTITIONS: usize = 3;
const COUNT: &[u8] = b"commits";

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// The rows, by partition and sequence.
    pub rows: BTreeMap<(u64, u64), Vec<u8>>,
    /// The meta entries.
    pub meta: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A history as it grows: the content after each commit, the first without any.
pub struct History {
    numbers: Numbers,
    /// The content after each commit so far, the empty one first.
    pub after: Vec<Content>,
    next: [u64; PARTITIONS],
}

impl History {
    /// The history of that seed.
    pub fn new(seed: u64) -> Self {
        Self { numbers: Numbers::new(seed + 1), after: vec![Content::default()], next: [0; PARTITIONS] }
    }

    /// The history that goes on after the first `commits` of this one.
    pub fn forked(&self, commits: usize, seed: u64) -> Self {
        Self { numbers: Numbers::new(seed), after: self.after[..=commits].to_vec(), next: self.next }
    }

    /// The content after the newest commit.
    pub fn last(&self) -> &Content {
        self.after.last().expect("it begins with one")
    }

    /// The next batch. It counts itself in a meta entry.
    pub fn batch(&mut self) -> Batch {
        let (mut batch, mut content) = (Batch::new(), self.last().clone());
        let numbers = &mut self.numbers;
        for _ in 0..=numbers.below(5) {
            let place = numbers.index(PARTITIONS);
            let (partition, next) = (place as u64, &mut self.next[place]);
            match numbers.below(10) {
                0..=4 => {
                    let bytes = [numbers.index(40), numbers.index(200), numbers.index(900)][numbers.index(3)];
                    batch.put_row(partition, *next, numbers.bytes(bytes));
                    *next += 1 + numbers.below(2);
                }
                5..=7 => {
                    // The oldest row, mostly: but some stay, so that there are survivors to move.
                    let oldest =
                        content.rows.keys().filter(|(owner, seq)| *owner == partition && seq % 7 != 0);
                    let seq = oldest.map(|(_, seq)| *seq).next().unwrap_or(*next);
                    let seq = if numbers.below(4) == 0 { numbers.below(*next + 1) } else { seq };
                    batch.delete_row(partition, seq);
                }
                8 if numbers.below(8) == 0 => {
                    batch.trim_rows(partition, next.saturating_sub(numbers.below(8)));
                }
                8 => batch.delete_meta_range(
                    &[[0, 1, 2, 3][numbers.index(4)]],
                    &[[0, 1, 2, 3][numbers.index(4)], 1],
                ),
                _ => {
                    let bytes = numbers.index(30);
                    batch.put_meta(&[[0, 1, 2, 3][numbers.index(4)]], &numbers.bytes(bytes));
                }
            }
            // Applied as it grows, so that the next write of this batch may meet it.
            content = self.after[self.after.len() - 1].clone();
            batch.ops().for_each(|op| content.apply(op));
        }
        batch.put_meta(COUNT, &(self.after.len() as u64).to_be_bytes());
        batch.ops().for_each(|op| content.apply(op));
        self.after.push(content);
        batch
    }

    /// One in four commits is synced, more or less.
    pub fn durability(&mut self) -> Durability {
        [Durability::Synced, Durability::Buffered, Durability::Memory, Durability::Buffered]
            [self.numbers.index(4)]
    }
}

impl Content {
    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::PutRow { partition, seq, value } => drop(self.rows.insert((partition, seq), value.to_vec())),
            Op::DeleteRow { partition, seq } => drop(self.rows.remove(&(partition, seq))),
            Op::TrimRows { partition, below } => {
                self.rows.retain(|(owner, seq), _| *owner != partition || *seq >= below);
            }
            Op::PutMeta { key, value } => drop(self.meta.insert(key.to_vec(), value.to_vec())),
            Op::DeleteMeta { key } => drop(self.meta.remove(key)),
            Op::DeleteMetaRange { from, to } => {
                self.meta.retain(|key, _| key.as_slice() < from || key.as_slice() >= to);
            }
        }
    }

    /// Everything that a store holds.
    pub fn of(store: &LogStorage) -> Result<Self, StorageError> {
        let all = Page { entries: usize::MAX, bytes: usize::MAX };
        let mut content = Self::default();
        for partition in 0..PARTITIONS as u64 {
            for (seq, value) in store.rows(partition, 0..u64::MAX, all)? {
                content.rows.insert((partition, seq), value.to_vec());
            }
        }
        for (key, value) in store.meta_range(&[0], &[255], all)? {
            content.meta.insert(key.to_vec(), value.to_vec());
        }
        Ok(content)
    }

    /// How many commits it is the content after.
    pub fn commits(&self) -> usize {
        self.meta.get(COUNT).map_or(0, |count| {
            let count = count[..].try_into().expect("it comes back as it was written");
            usize::try_from(u64::from_be_bytes(count)).expect("few commits")
        })
    }
}

/// Numbers that look random and are the same at each run (xorshift64*).
#[derive(Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// An index below the limit.
    pub fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).expect("an index below a usize")
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[7]).collect()
    }
}
