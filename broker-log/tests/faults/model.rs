//! Any batches and reopenings, in tiny segments, give what the store in memory gives.

use std::sync::Arc;

use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::{LogOptions, LogStorage, faults::Disk};
use broker_mem::MemStorage;
use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

const PARTITIONS: u64 = 3;
const EVERYTHING: Page = Page { entries: usize::MAX, bytes: usize::MAX };

#[derive(Debug, Clone)]
enum Step {
    Put { partition: u64, jump: u64, bytes: usize },
    Delete { partition: u64, back: u64 },
    DeleteOldest { partition: u64, count: usize },
    Trim { partition: u64, back: u64 },
    Meta { key: u8, bytes: usize },
    DeleteMeta { from: u8, to: u8 },
    Commit { synced: bool },
    Reopen,
    Scan { partition: u64, back: u64, entries: usize, bytes: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        8 => (partition.clone(), 0..3_u64, prop_oneof![0..50_usize, 0..1_500_usize])
            .prop_map(|(partition, jump, bytes)| Step::Put { partition, jump, bytes }),
        3 => (partition.clone(), 0..60_u64).prop_map(|(partition, back)| Step::Delete { partition, back }),
        3 => (partition.clone(), 1..8_usize)
            .prop_map(|(partition, count)| Step::DeleteOldest { partition, count }),
        1 => (partition.clone(), 0..40_u64).prop_map(|(partition, back)| Step::Trim { partition, back }),
        2 => (0..5_u8, 0..60_usize).prop_map(|(key, bytes)| Step::Meta { key, bytes }),
        1 => (0..5_u8, 0..5_u8).prop_map(|(from, to)| Step::DeleteMeta { from, to }),
        8 => any::<bool>().prop_map(|synced| Step::Commit { synced }),
        1 => Just(Step::Reopen),
        3 => (partition, 0..80_u64, 0..10_usize, 0..3_000_usize)
            .prop_map(|(partition, back, entries, bytes)| Step::Scan { partition, back, entries, bytes }),
    ]
}

fn open(disk: &Disk, options: &LogOptions) -> LogStorage {
    LogStorage::open_on(Arc::new(disk.clone()), options).expect("an undamaged store")
}

struct Both {
    disk: Disk,
    options: LogOptions,
    log: Option<LogStorage>,
    mem: MemStorage,
    batch: Batch,
    next: [u64; 3],
}

impl Both {
    fn log(&self) -> &LogStorage {
        self.log.as_ref().expect("open")
    }

    fn commit(&mut self, durability: Durability) {
        self.log().commit(&self.batch, durability).expect("a lawful batch");
        self.mem.commit(&self.batch, durability).expect("memory takes all");
        self.batch.clear();
    }

    fn take(&mut self, step: &Step) {
        let next = |next: &[u64; 3], partition: u64| next[usize::try_from(partition).expect("small")];
        match *step {
            Step::Put { partition, jump, bytes } => {
                let seq = next(&self.next, partition) + jump;
                self.batch.put_row(partition, seq, vec![u8::try_from(seq % 251).expect("small"); bytes]);
                self.next[usize::try_from(partition).expect("small")] = seq + 1;
            }
            Step::Delete { partition, back } => {
                self.batch.delete_row(partition, next(&self.next, partition).saturating_sub(back));
            }
            Step::DeleteOldest { partition, count } => {
                let page = Page { entries: count, bytes: usize::MAX };
                for (seq, _) in self.mem.rows(partition, 0..u64::MAX, page).expect("memory") {
                    self.batch.delete_row(partition, seq);
                }
            }
            Step::Trim { partition, back } => {
                self.batch.trim_rows(partition, next(&self.next, partition).saturating_sub(back));
            }
            Step::Meta { key, bytes } => self.batch.put_meta(&[key], &vec![key; bytes]),
            Step::DeleteMeta { from, to } => self.batch.delete_meta_range(&[from], &[to]),
            Step::Commit { synced } => {
                self.commit(if synced { Durability::Synced } else { Durability::Buffered });
            }
            Step::Reopen => {
                self.log = None;
                self.log = Some(open(&self.disk, &self.options));
            }
            Step::Scan { partition, back, entries, bytes } => {
                let from = next(&self.next, partition).saturating_sub(back);
                self.compare(partition, from, Page { entries, bytes });
            }
        }
    }

    fn compare(&self, partition: u64, from: u64, page: Page) {
        let rows =
            |store: &dyn Storage| store.rows(partition, from..u64::MAX, page).expect("an undamaged store");
        let (found, expected) = (rows(self.log()), rows(&self.mem));
        assert!(found == expected, "rows of {partition} from {from}, {page:?}");
        let row = |store: &dyn Storage| store.row(partition, from).expect("an undamaged store");
        assert!(row(self.log()) == row(&self.mem), "row {from} of {partition}");
    }

    fn compare_all(&self) {
        (0..PARTITIONS).for_each(|partition| self.compare(partition, 0, EVERYTHING));
        let meta = |store: &dyn Storage| -> Vec<(Bytes, Bytes)> {
            store.meta_range(&[0], &[255], EVERYTHING).expect("an undamaged store")
        };
        assert!(meta(self.log()) == meta(&self.mem), "meta");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_agrees_with_the_store_in_memory(
        steps in vec(step(), 1..400),
        segment_bytes in prop_oneof![300..3_000_u64, Just(20_000)],
        prewrite_bytes in prop_oneof![Just(0), 1..5_000_u64],
    ) {
        let disk = Disk::default();
        let options = LogOptions { segment_bytes, prewrite_bytes, reserve_bytes: 0, cached_blocks: 2 };
        let log = Some(open(&disk, &options));
        let (mem, batch, next) = (MemStorage::new(), Batch::new(), [0; 3]);
        let mut both = Both { disk, options, log, mem, batch, next };
        for step in &steps {
            both.take(step);
        }
        both.commit(Durability::Buffered);
        both.compare_all();
        both.take(&Step::Reopen);
        both.compare_all();
    }
}
