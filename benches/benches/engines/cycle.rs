//! The life of rows in an engine.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::storage::{Batch, Durability, Page, Storage};
use broker_log::LogStorage;
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::Criterion;
use tempfile::TempDir;

use crate::redb_store::RedbStore;

const BODY_BYTES: usize = 1_024;
/// Rows appended, read and deleted at once.
const TOGETHER: u64 = 10;
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
/// Rows of a commit that fills a store.
const FILL: u64 = 1_000;

/// A store with rows, of which the first is `head` and the next one `tail`.
struct Queue {
    store: Arc<dyn Storage>,
    head: u64,
    tail: u64,
    body: Bytes,
    _home: TempDir,
}

impl Queue {
    fn new(engine: &str, waiting: u64) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("store");
        let store: Arc<dyn Storage> = match engine {
            "broker-log" => Arc::new(LogStorage::open(path).expect("a store")),
            "sled" => Arc::new(SledStorage::open(path).expect("a store")),
            _ => Arc::new(RedbStore::open(&path)),
        };
        let mut queue =
            Self { store, head: 0, tail: 0, body: Bytes::from(vec![b'x'; BODY_BYTES]), _home: home };
        while queue.tail < waiting {
            queue.append(FILL.min(waiting - queue.tail));
        }
        queue
    }

    fn append(&mut self, rows: u64) {
        let mut batch = Batch::new();
        for _ in 0..rows {
            batch.put_row(1, self.tail, self.body.clone());
            self.tail += 1;
        }
        batch.put_meta(b"queue", &[0; 56]);
        self.store.commit(&batch, Durability::Buffered).expect("a commit");
    }

    fn turn(&mut self, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            self.append(TOGETHER);
            let page = Page { entries: usize::try_from(TOGETHER).expect("few"), bytes: usize::MAX };
            let rows = self.store.rows(1, self.head..self.tail, page).expect("a page");
            let mut leased = Batch::new();
            leased.put_meta(b"lease", &rows[0].0.to_be_bytes());
            self.store.commit(&leased, Durability::Buffered).expect("a commit");
            let mut deleted = Batch::new();
            for (seq, _) in &rows {
                deleted.delete_row(1, *seq);
            }
            deleted.put_meta(b"queue", &[1; 56]);
            self.store.commit(&deleted, Durability::Buffered).expect("a commit");
            self.head += TOGETHER;
        }
        start.elapsed()
    }
}

pub(crate) fn against_other_engines(criterion: &mut Criterion) {
    let told = std::env::var("BROKER_BENCH_WAITING").ok();
    let told: Option<u64> = told.map(|waiting| waiting.parse().expect("BROKER_BENCH_WAITING is a number"));
    let few = RefCell::new(Queue::new("broker-log", FEW));
    for waiting in told.map_or(vec![FEW, MANY], |waiting| vec![waiting]) {
        let engines = if told.is_some() { vec!["broker-log"] } else { vec!["broker-log", "sled", "redb"] };
        let mut contest = Contest::new(format!("life of rows, {waiting} waiting"), TOGETHER);
        contest = contest.turns_of(Duration::from_millis(300));
        for engine in engines {
            let mut queue = Queue::new(engine, waiting);
            contest.enter(engine, move |rounds| queue.turn(rounds));
        }
        contest.enter("broker-log with a thousand waiting", |rounds| few.borrow_mut().turn(rounds));
        contest.run(criterion);
    }
}
