//! Law 12: what reopening may lose, and in which order.

use super::{Subject, meta, row, seqs};
use crate::storage::{Batch, Durability, Storage};

const COMMITS_PER_ROUND: u64 = 20;
const ROUNDS: u64 = 4;

/// Law 12: if a commit survives, all commits before it do; and a clean end loses no `Buffered` one if the profile says
/// that a killed process loses none.
///
/// Reopening is all that a library can do to a store. Killed processes and cut power are for tests of the backend.
pub fn commits_survive_reopening_in_prefix_order<S: Subject>(subject: &S) {
    let home = subject.home();
    let mut first = 0;
    for round in 0..ROUNDS {
        let store = subject.open(&home);
        let mut owed = first;
        for number in first..first + COMMITS_PER_ROUND {
            // Rounds end with commits of each kind in turn.
            let durability = match (number + round) % 3 {
                0 => Durability::Memory,
                1 => Durability::Buffered,
                _ => Durability::Synced,
            };
            let mut batch = Batch::new();
            batch.put_row(1, number, format!("row {number}"));
            batch.put_meta(&number.to_be_bytes(), b"a part of the batch");
            batch.put_meta(b"commits", &(number + 1).to_be_bytes());
            store.commit(&batch, durability).expect("a lawful batch commits");
            if durability >= Durability::Buffered && store.profile().survives_kill {
                owed = number + 1;
            }
        }
        drop(store);
        first = survivors(&subject.open(&home));
        assert!(first >= owed, "only {first} commits survived reopening; {owed} were owed");
    }
}

/// How many commits are there, after checking that they are all that is there and that each is whole.
fn survivors(store: &impl Storage) -> u64 {
    let count = meta(store, b"commits").map_or(0, |value| {
        u64::from_be_bytes(value[..].try_into().expect("the counter comes back as it was written"))
    });
    assert!(seqs(store, 1).into_iter().eq(0..count), "rows of other commits than the first {count}");
    for number in 0..count {
        assert_eq!(row(store, 1, number), Some(format!("row {number}").into()), "row {number} of {count}");
        assert!(meta(store, &number.to_be_bytes()).is_some(), "meta of commit {number} of {count}");
    }
    assert!(meta(store, &count.to_be_bytes()).is_none(), "a part of commit {count}, which did not survive");
    count
}
