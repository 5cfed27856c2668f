//! What the traced program does: commits that follow from their number alone, so that every prefix of them is known.

use std::{collections::BTreeMap, io::Write, path::Path};

use broker_core::storage::{Batch, Durability, Op, Page, Storage, StorageError};
use broker_sled::SledStorage;
use bytes::Bytes;

use crate::rng::Rng;

/// A meta entry of every commit: its number.
const NUMBER: &[u8] = b"number";
const LARGE: usize = 1 << 20;

/// What is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// As a queue does: mostly synced, bodies of all sizes.
    Queue,
    /// Rarely synced: several of sled's segments are written in between.
    Bursts,
    /// All synced, each with several large bodies.
    Large,
}

impl Mix {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Bursts => "bursts",
            Self::Large => "large",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = [Self::Queue, Self::Bursts, Self::Large];
        all.into_iter().find(|mix| mix.name() == name).expect("the name of a mix")
    }

    fn body_bytes(self, number: u64) -> usize {
        match (self, number % 16) {
            (_, 5) => LARGE,
            (Self::Bursts, 1 | 2 | 7 | 8 | 14) => LARGE / 2,
            (_, 3 | 11) => 100_000,
            (_, 1 | 9 | 13) => 20_000,
            _ => 200,
        }
    }

    fn durability(self, number: u64) -> Durability {
        match self {
            Self::Queue if matches!(number % 5, 1 | 2) => Durability::Buffered,
            Self::Bursts if number % 7 == 3 => Durability::Memory,
            Self::Bursts if number % 30 != 10 => Durability::Buffered,
            _ => Durability::Synced,
        }
    }
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    rows: BTreeMap<(u64, u64), Bytes>,
    meta: BTreeMap<Bytes, Bytes>,
}

/// The commit with a number, counted from one: a short queue of bodies of all sizes, some kept, and their meta entries.
pub(crate) fn commit(mix: Mix, number: u64) -> (Batch, Durability) {
    let mut batch = Batch::new();
    batch.put_meta(NUMBER, &number.to_be_bytes());
    batch.put_row(1, number, Rng::new(number).bytes(mix.body_bytes(number)));
    batch.put_row(2, number, number.to_be_bytes().to_vec());
    batch.put_meta(format!("due-{}", number % 23).as_bytes(), &number.to_be_bytes().repeat(8));
    if number > 12 && !number.is_multiple_of(9) {
        batch.delete_row(1, number - 12);
    }
    if number % 10 == 9 {
        batch.delete_meta(format!("due-{}", number / 2 % 23).as_bytes());
    }
    if number % 25 == 24 {
        batch.trim_rows(2, number - 10);
    }
    // More than a segment in one batch.
    if (mix == Mix::Queue && number % 40 == 30) || mix == Mix::Large {
        for seq in 0..6 {
            batch.put_row(3, number * 8 + seq, Rng::new(number * 8 + seq).bytes(LARGE));
        }
    }
    if number % 40 == 32 || (mix == Mix::Large && number.is_multiple_of(2)) {
        batch.trim_rows(3, u64::MAX);
    }
    (batch, mix.durability(number))
}

/// The states after no commit, one commit, and so on.
pub(crate) fn states(mix: Mix, commits: u64) -> Vec<State> {
    let mut states = vec![State::default()];
    for number in 1..=commits {
        let mut state = states[states.len() - 1].clone();
        state.apply(&commit(mix, number).0);
        states.push(state);
    }
    states
}

impl State {
    fn apply(&mut self, batch: &Batch) {
        for op in batch.ops() {
            match op {
                Op::PutRow { partition, seq, value } => {
                    self.rows.insert((partition, seq), value.clone());
                }
                Op::DeleteRow { partition, seq } => drop(self.rows.remove(&(partition, seq))),
                Op::TrimRows { partition, below } => {
                    self.rows.retain(|(of, seq), _| *of != partition || *seq >= below);
                }
                Op::PutMeta { key, value } => {
                    self.meta.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                }
                Op::DeleteMeta { key } => drop(self.meta.remove(key)),
                Op::DeleteMetaRange { from, to } => self.meta.retain(|key, _| key < from || key >= to),
            }
        }
    }

    pub(crate) fn of(store: &SledStorage) -> Result<Self, StorageError> {
        let all = Page { entries: usize::MAX, bytes: usize::MAX };
        let mut state = Self::default();
        for partition in 1..4 {
            let rows = store.rows(partition, 0..u64::MAX, all)?;
            state.rows.extend(rows.into_iter().map(|(seq, value)| ((partition, seq), value)));
        }
        state.meta.extend(store.meta_range(&[0], &[255], all)?);
        Ok(state)
    }

    /// The number of the last commit.
    pub(crate) fn number(&self) -> u64 {
        let stored = self.meta.get(NUMBER).map(|value| value.as_ref().try_into().expect("eight bytes"));
        stored.map_or(0, u64::from_be_bytes)
    }
}

/// The traced program: goes on where the store ends, up to the commit `last`, and is then killed by nobody but itself.
pub(crate) fn run(mix: Mix, home: &Path, last: u64) {
    let store = SledStorage::open(home).expect("the store opens");
    let first = State::of(&store).expect("the store reads").number();
    // What an opened store shows must last.
    say(first);
    for number in first + 1..=last {
        let (batch, durability) = commit(mix, number);
        store.commit(&batch, durability).expect("a lawful batch");
        if durability == Durability::Synced {
            say(number);
        }
    }
    // As a killed process would: nothing is closed.
    std::process::exit(0);
}

/// In one write, so that it is one line of the trace.
fn say(number: u64) {
    std::io::stderr().write_all(format!("synced {number}\n").as_bytes()).expect("stderr takes it");
}
