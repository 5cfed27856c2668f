//! The law behind the laws: any batches, compared with a model that is too simple to be wrong.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Numbers, Subject};
use crate::storage::{Batch, Durability, Op, Page, Storage};

const SEEDS: u64 = 6;
const BATCHES_PER_SEED: usize = 60;
const PARTITIONS: [u64; 4] = [0, 1, 256, u64::MAX];

/// Any sequence of batches, scans and reopenings gives what two ordered maps give.
pub fn random_batches_agree_with_a_naive_model<S: Subject>(subject: &S) {
    for seed in 1..=SEEDS {
        let home = subject.home();
        let mut store = subject.open(&home);
        let mut numbers = Numbers::new(seed);
        let mut model = Model::default();
        for step in 0..BATCHES_PER_SEED {
            let batch = model.batch(&mut numbers);
            batch.ops().for_each(|op| model.apply(op));
            let durability = if numbers.below(8) == 0 { Durability::Synced } else { Durability::Buffered };
            store.commit(&batch, durability).expect("a lawful batch commits");
            if store.profile().survives_kill && numbers.below(16) == 0 {
                drop(store);
                store = subject.open(&home);
            }
            for _ in 0..8 {
                model.compare(&store, &mut numbers, &format!("seed {seed}, step {step}"));
            }
        }
    }
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<(u64, u64), Vec<u8>>,
    meta: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The next sequence of each partition: what the broker owes is that it never goes back.
    next: [u64; PARTITIONS.len()],
}

impl Model {
    fn batch(&mut self, numbers: &mut Numbers) -> Batch {
        let mut batch = Batch::new();
        for _ in 0..=numbers.below(12) {
            let place = numbers.index(PARTITIONS.len());
            let (partition, next) = (PARTITIONS[place], self.next[place]);
            match numbers.below(12) {
                0..=3 if next < u64::MAX / 2 => {
                    let jump = if numbers.below(30) == 0 { 1 << numbers.below(48) } else { numbers.below(3) };
                    let len = if numbers.below(10) == 0 { numbers.index(100_000) } else { numbers.index(60) };
                    batch.put_row(partition, next + jump, numbers.bytes(len));
                    self.next[place] = next + jump + 1;
                }
                4..=5 => batch.delete_row(partition, next.saturating_sub(numbers.below(12))),
                6 if numbers.below(4) == 0 => {
                    batch.trim_rows(partition, next.saturating_sub(numbers.below(20)));
                }
                7 => batch.delete_meta(&key(numbers)),
                8 if numbers.below(3) == 0 => batch.delete_meta_range(&key(numbers), &key(numbers)),
                _ => {
                    let len = if numbers.below(20) == 0 { numbers.index(65_537) } else { numbers.index(60) };
                    batch.put_meta(&key(numbers), &numbers.bytes(len));
                }
            }
        }
        batch
    }

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

    fn compare(&self, store: &impl Storage, numbers: &mut Numbers, place: &str) {
        let at = numbers.index(PARTITIONS.len());
        let (partition, next) = (PARTITIONS[at], self.next[at]);
        let near = |numbers: &mut Numbers| match numbers.below(4) {
            0 => 0,
            1 => u64::MAX,
            _ => next.saturating_sub(numbers.below(30)),
        };
        let range = near(numbers)..near(numbers);
        let small = Page { entries: numbers.index(8), bytes: numbers.index(400) };
        let page = if numbers.below(2) == 0 { super::EVERYTHING } else { small };
        let inside = self.rows.iter().filter(|((owner, seq), _)| *owner == partition && range.contains(seq));
        let expected = cut(inside.map(|((_, seq), value)| (*seq, Bytes::copy_from_slice(value))), page);
        let found = store.rows(partition, range.clone(), page).expect("rows can be read");
        assert!(found == expected, "{place}: rows {range:?} of {partition}, {page:?}: not what was written");
        let (seq, single) = (range.start, self.rows.get(&(partition, range.start)));
        let found = store.row(partition, seq).expect("a row can be read");
        assert!(found.as_deref() == single.map(Vec::as_slice), "{place}: row {seq} of {partition}");

        let (from, to) = (key(numbers), key(numbers));
        let inside = self.meta.iter().filter(|(key, _)| **key >= from && **key < to);
        let copied = inside.map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        let found = store.meta_range(&from, &to, page).expect("meta can be read");
        assert!(found == cut(copied, page), "{place}: meta {from:?}..{to:?}, {page:?}: not what was written");
        let found = store.meta(&from).expect("a meta entry can be read");
        assert!(found.as_deref() == self.meta.get(&from).map(Vec::as_slice), "{place}: meta {from:?}");
    }
}

/// A key out of a few: writes must meet earlier ones.
fn key(numbers: &mut Numbers) -> Vec<u8> {
    let len = [1, 2, 2, 2, 3, 40][numbers.index(6)];
    (0..len).map(|_| [0, b'a', 255][numbers.index(3)]).collect()
}

fn cut<K>(entries: impl Iterator<Item = (K, Bytes)>, page: Page) -> Vec<(K, Bytes)> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    for entry in entries {
        if !kept.is_empty() && (kept.len() >= page.entries || bytes >= page.bytes) {
            break;
        }
        bytes += entry.1.len();
        kept.push(entry);
    }
    kept
}
