//! Each law can fail: stores broken on purpose, and the law that catches each.

use std::{
    cmp::Reverse,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use broker_core::storage::{
    Batch, Durability, Op, Page, Profile, Storage, StorageError,
    conformance::{Subject, laws},
};
use broker_mem::MemStorage;
use bytes::Bytes;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    RowsDescend,
    RowsOfTheNextPartitionToo,
    RowsPastTheRange,
    MetaDescends,
    MetaEndIncluded,
    InvertedScanPanics,
    InvertedScanIsTurned,
    InvertedDeleteIsTurned,
    PagesUnbounded,
    PagesForgetBytes,
    PageEmptyIfTheFirstIsTooLarge,
    DeletesApplyFirst,
    FirstPutWins,
    OneCommitPerWrite,
    VisibleOneCommitLater,
    TrimTakesOneMore,
    TrimTakesEveryPartition,
    MissingRowIsAnError,
    MissingKeyDeletesItsNeighbour,
    EmptyValuesVanish,
    LargeValuesAreCut,
    PartitionsOf32Bits,
    MetaRangeDeletesRows,
    ReopeningLosesARow,
    ReopeningLosesTheNewest,
    ReopeningLosesTheOldMeta,
    SomeDeletesAreForgotten,
}

#[test]
fn a_store_without_a_flaw_passes_every_law() {
    for (name, law) in laws::<Flaw>() {
        assert!(holds(law, Flaw::None), "{name}");
    }
}

#[test]
fn each_flaw_is_caught_by_the_law_that_names_it() {
    let caught = [
        ("rows_come_in_sequence_order", Flaw::RowsDescend),
        ("rows_come_in_sequence_order", Flaw::RowsOfTheNextPartitionToo),
        ("rows_come_in_sequence_order", Flaw::RowsPastTheRange),
        ("meta_comes_in_key_order", Flaw::MetaDescends),
        ("meta_comes_in_key_order", Flaw::MetaEndIncluded),
        ("an_inverted_range_is_empty", Flaw::InvertedScanPanics),
        ("an_inverted_range_is_empty", Flaw::InvertedScanIsTurned),
        ("an_inverted_range_is_empty", Flaw::InvertedDeleteIsTurned),
        ("pages_are_bounded_and_never_empty_before_the_end", Flaw::PagesUnbounded),
        ("pages_are_bounded_and_never_empty_before_the_end", Flaw::PagesForgetBytes),
        ("pages_are_bounded_and_never_empty_before_the_end", Flaw::PageEmptyIfTheFirstIsTooLarge),
        ("a_batch_applies_in_order", Flaw::DeletesApplyFirst),
        ("a_batch_applies_in_order", Flaw::FirstPutWins),
        ("a_batch_is_atomic_across_both_spaces", Flaw::OneCommitPerWrite),
        ("a_commit_is_visible_when_it_returns", Flaw::VisibleOneCommitLater),
        ("trim_removes_only_what_is_below", Flaw::TrimTakesOneMore),
        ("trim_removes_only_what_is_below", Flaw::TrimTakesEveryPartition),
        ("deleting_what_is_missing_is_silent", Flaw::MissingRowIsAnError),
        ("deleting_what_is_missing_is_silent", Flaw::MissingKeyDeletesItsNeighbour),
        ("a_value_comes_back_byte_for_byte", Flaw::EmptyValuesVanish),
        ("a_value_comes_back_byte_for_byte", Flaw::LargeValuesAreCut),
        ("partitions_and_spaces_do_not_touch_each_other", Flaw::PartitionsOf32Bits),
        ("partitions_and_spaces_do_not_touch_each_other", Flaw::MetaRangeDeletesRows),
        ("commits_survive_reopening_in_prefix_order", Flaw::ReopeningLosesARow),
        ("commits_survive_reopening_in_prefix_order", Flaw::ReopeningLosesTheNewest),
        ("commits_survive_reopening_in_prefix_order", Flaw::ReopeningLosesTheOldMeta),
        ("random_batches_agree_with_a_naive_model", Flaw::SomeDeletesAreForgotten),
    ];
    let laws = laws::<Flaw>();
    for (name, flaw) in caught {
        let (_, law) = laws.iter().find(|(known, _)| *known == name).expect("a law of that name");
        assert!(!holds(*law, flaw), "{name} lets {flaw:?} pass");
    }
    for (name, _) in &laws {
        assert!(caught.iter().any(|(catcher, _)| catcher == name), "no flaw shows that {name} can fail");
    }
}

fn holds(law: fn(&Flaw), flaw: Flaw) -> bool {
    catch_unwind(AssertUnwindSafe(|| law(&flaw))).is_ok()
}

/// A store with a flaw, around the reference implementation.
struct Flawed {
    inner: MemStorage,
    flaw: Flaw,
    held_back: Arc<Mutex<Batch>>,
}

impl Subject for Flaw {
    type Home = MemStorage;
    type Store = Flawed;

    fn home(&self) -> MemStorage {
        MemStorage::new()
    }

    fn open(&self, home: &MemStorage) -> Flawed {
        let newest = home
            .rows(1, 0..u64::MAX, EVERYTHING)
            .expect("memory does not fail")
            .last()
            .map_or(0, |(seq, _)| *seq);
        let mut lost = Batch::new();
        match self {
            Flaw::ReopeningLosesARow => lost.delete_row(1, newest / 2),
            Flaw::ReopeningLosesTheNewest if newest > 0 => {
                lost.trim_rows(1, u64::MAX);
                lost.delete_meta_range(&[0], &[255]);
            }
            Flaw::ReopeningLosesTheOldMeta => lost.delete_meta(&(newest / 2).to_be_bytes()),
            _ => {}
        }
        home.commit(&lost, Durability::Memory).expect("memory does not fail");
        Flawed { inner: home.clone(), flaw: *self, held_back: Arc::default() }
    }
}

const EVERYTHING: Page = Page { entries: usize::MAX, bytes: usize::MAX };

impl Flawed {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn page(&self, page: Page) -> Page {
        match self.flaw {
            Flaw::PagesUnbounded => EVERYTHING,
            Flaw::PagesForgetBytes => Page { bytes: usize::MAX, ..page },
            _ => page,
        }
    }

    fn value(&self, value: &Bytes) -> Bytes {
        value.slice(..if self.is(Flaw::LargeValuesAreCut) { value.len().min(65_536) } else { value.len() })
    }

    fn partition(&self, partition: u64) -> u64 {
        if self.is(Flaw::PartitionsOf32Bits) { partition & 0xffff_ffff } else { partition }
    }

    fn must_exist(&self, partition: u64, seq: u64) -> Result<(), StorageError> {
        match self.inner.row(partition, seq)? {
            None if self.is(Flaw::MissingRowIsAnError) => Err(StorageError::corrupt("row", "missing")),
            _ => Ok(()),
        }
    }

    /// One write as this store understands it.
    fn flawed_op(&self, op: Op<'_>, out: &mut Batch) -> Result<(), StorageError> {
        match op {
            Op::PutRow { value, .. } if self.is(Flaw::EmptyValuesVanish) && value.is_empty() => {}
            Op::PutRow { partition, seq, value } => {
                out.put_row(self.partition(partition), seq, self.value(value));
            }
            Op::DeleteRow { seq, .. } if self.is(Flaw::SomeDeletesAreForgotten) && seq % 7 == 3 => {}
            Op::DeleteRow { partition, seq } => {
                self.must_exist(partition, seq)?;
                out.delete_row(self.partition(partition), seq);
            }
            Op::TrimRows { below, .. } if self.is(Flaw::TrimTakesEveryPartition) => {
                (0..10).for_each(|partition| out.trim_rows(partition, below));
            }
            Op::TrimRows { partition, below } => {
                let more = u64::from(self.is(Flaw::TrimTakesOneMore));
                out.trim_rows(self.partition(partition), below.saturating_add(more));
            }
            Op::PutMeta { key, .. }
                if self.is(Flaw::FirstPutWins)
                    && out.ops().any(|op| matches!(op, Op::PutMeta { key: k, .. } if k == key)) => {}
            Op::PutMeta { key, value } => out.put_meta(key, value),
            Op::DeleteMeta { key } => {
                out.delete_meta(key);
                if self.is(Flaw::MissingKeyDeletesItsNeighbour) && self.inner.meta(key)?.is_none() {
                    out.delete_meta_range(key, &[255]);
                }
            }
            Op::DeleteMetaRange { from, to } if self.is(Flaw::InvertedDeleteIsTurned) => {
                out.delete_meta_range(from.min(to), from.max(to));
            }
            Op::DeleteMetaRange { from, to } => {
                out.delete_meta_range(from, to);
                if self.is(Flaw::MetaRangeDeletesRows) {
                    out.trim_rows(1, u64::MAX);
                }
            }
        }
        Ok(())
    }
}

impl Storage for Flawed {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        let mut ops: Vec<_> = batch.ops().collect();
        if self.is(Flaw::DeletesApplyFirst) {
            ops.sort_by_key(|op| matches!(op, Op::PutRow { .. } | Op::PutMeta { .. }));
        }
        let mut out = Batch::new();
        for op in ops {
            self.flawed_op(op, &mut out)?;
            if self.is(Flaw::OneCommitPerWrite) {
                self.inner.commit(&std::mem::take(&mut out), durability)?;
                std::thread::yield_now();
            }
        }
        if self.is(Flaw::VisibleOneCommitLater) {
            std::mem::swap(&mut out, &mut self.held_back.lock().expect("no holder panics"));
        }
        self.inner.commit(&out, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.inner.row(self.partition(partition), seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let inverted = range.start > range.end;
        assert!(!(inverted && self.is(Flaw::InvertedScanPanics)), "range start is greater than range end");
        let range = match self.flaw {
            Flaw::InvertedScanIsTurned if inverted => range.end..range.start,
            Flaw::RowsPastTheRange => range.start..range.end.saturating_add(1),
            _ => range,
        };
        let partition = self.partition(partition);
        let mut found = self.inner.rows(partition, range.clone(), self.page(page))?;
        if self.is(Flaw::RowsOfTheNextPartitionToo) {
            found.extend(self.inner.rows(partition.wrapping_add(1), range, page)?);
        }
        if self.is(Flaw::RowsDescend) {
            found.sort_by_key(|(seq, _)| Reverse(*seq));
        }
        if self.is(Flaw::PageEmptyIfTheFirstIsTooLarge) {
            found.retain(|(_, value)| value.len() <= page.bytes);
        }
        Ok(found)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.inner.meta(key)
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let end = [to, &[0]].concat();
        let to = if self.is(Flaw::MetaEndIncluded) { &end } else { to };
        let mut found = self.inner.meta_range(from, to, self.page(page))?;
        if self.is(Flaw::MetaDescends) {
            found.reverse();
        }
        Ok(found)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.inner.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { survives_kill: true, ..self.inner.profile() }
    }
}
