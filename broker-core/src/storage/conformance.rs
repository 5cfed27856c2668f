//! The laws of [`Storage`] as tests, for anyone who writes a backend.
//!
//! A backend says in a [`Subject`] how a store is made and reopened, and one line makes a named test of every law:
//!
//! ```ignore
//! struct MyBackend;
//!
//! impl Subject for MyBackend {
//!     type Home = tempfile::TempDir;
//!     type Store = MyStorage;
//!
//!     fn home(&self) -> TempDir {
//!         TempDir::new().expect("a temporary directory")
//!     }
//!
//!     fn open(&self, home: &TempDir) -> MyStorage {
//!         MyStorage::open(home.path()).expect("an undamaged store")
//!     }
//! }
//!
//! broker_core::storage_conformance!(MyBackend);
//! ```
//!
//! The laws are plain functions as well, and [`laws`] lists them: they panic when a store breaks them.

mod batches;
mod model;
mod scans;
mod survival;

pub use batches::{
    a_batch_applies_in_order, a_batch_is_atomic_across_both_spaces, a_commit_is_visible_when_it_returns,
    deleting_what_is_missing_is_silent, trim_removes_only_what_is_below,
};
use bytes::Bytes;
pub use model::random_batches_agree_with_a_naive_model;
pub use scans::{
    a_value_comes_back_byte_for_byte, an_inverted_range_is_empty, meta_comes_in_key_order,
    pages_are_bounded_and_never_empty_before_the_end, partitions_and_spaces_do_not_touch_each_other,
    rows_come_in_sequence_order,
};
pub use survival::commits_survive_reopening_in_prefix_order;

use super::{Batch, Durability, Page, Storage};

/// How a backend takes part in the suite.
pub trait Subject {
    /// What outlives a store that is closed: a directory, or for a store in memory its data. Dropped after each law.
    type Home;

    /// The store under test.
    type Store: Storage;

    /// A place for one store, with nothing in it.
    fn home(&self) -> Self::Home;

    /// Opens the store at `home`: an empty one at first, later the one that was closed there.
    fn open(&self, home: &Self::Home) -> Self::Store;
}

/// A law: panics if the subject's stores break it.
pub type Law<S> = fn(&S);

/// Every law under its name.
pub fn laws<S: Subject>() -> Vec<(&'static str, Law<S>)> {
    crate::storage_conformance!(@every list)
}

/// Makes one `#[test]` per law, in a module `conformance`. Takes an expression of a type that implements
/// [`Subject`](crate::storage::conformance::Subject).
#[macro_export]
macro_rules! storage_conformance {
    (@every $then:ident $($subject:expr)?) => {
        $crate::storage_conformance! { @$then [$($subject)?]
            rows_come_in_sequence_order
            meta_comes_in_key_order
            an_inverted_range_is_empty
            pages_are_bounded_and_never_empty_before_the_end
            a_batch_applies_in_order
            a_batch_is_atomic_across_both_spaces
            a_commit_is_visible_when_it_returns
            trim_removes_only_what_is_below
            deleting_what_is_missing_is_silent
            a_value_comes_back_byte_for_byte
            partitions_and_spaces_do_not_touch_each_other
            commits_survive_reopening_in_prefix_order
            random_batches_agree_with_a_naive_model
        }
    };
    (@list [] $($law:ident)*) => {
        vec![$((stringify!($law), $law as Law<S>)),*]
    };
    (@tests [$subject:expr] $($law:ident)*) => {
        $(#[test]
        fn $law() {
            $crate::storage::conformance::$law(&$subject);
        })*
    };
    ($subject:expr) => {
        mod conformance {
            #[allow(unused_imports)]
            use super::*;

            $crate::storage_conformance! { @every tests $subject }
        }
    };
}

/// A page that ends only with the range.
const EVERYTHING: Page = Page { entries: usize::MAX, bytes: usize::MAX };

/// Commits one batch, weakly: most laws are not about surviving.
fn commit(store: &impl Storage, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(&batch, Durability::Memory).expect("a lawful batch commits");
}

fn row(store: &impl Storage, partition: u64, seq: u64) -> Option<Bytes> {
    store.row(partition, seq).expect("a row can be read")
}

fn meta(store: &impl Storage, key: &[u8]) -> Option<Bytes> {
    store.meta(key).expect("a meta entry can be read")
}

/// The sequences of every row of a partition.
fn seqs(store: &impl Storage, partition: u64) -> Vec<u64> {
    let rows = store.rows(partition, 0..u64::MAX, EVERYTHING).expect("rows can be read");
    rows.into_iter().map(|(seq, _)| seq).collect()
}

/// The keys of the meta entries in `from..to`.
fn keys(store: &impl Storage, from: &[u8], to: &[u8]) -> Vec<Bytes> {
    let entries = store.meta_range(from, to, EVERYTHING).expect("meta can be read");
    entries.into_iter().map(|(key, _)| key).collect()
}

/// Numbers that look random and are the same at each run (xorshift64*): a failing seed can be tried again.
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).expect("an index below a usize")
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}
