//! The broker on broker-log against honker, a queue in SQLite: enqueue, claim and acknowledge 1 KiB, by one task, alone and in
//! tens, with nothing and with 100 thousand waiting. honker's SQLite does not sync each commit, so the broker's are `Buffered`
//! here, which survives as much; the same `Synced` is given beside it.
//!
//! `cargo bench --manifest-path benches/peers/Cargo.toml`

use std::time::{Duration, Instant};

use broker_benches::Contest;
use broker_core::{Broker, Entries, LocalQueue, ReceiveOptions, SendMessage, storage::Durability};
use criterion::Criterion;
use honker::{Database, EnqueueOpts, QueueOpts};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const BODY_BYTES: usize = 1_024;
const WORKER: &str = "worker";

fn body() -> String {
    "x".repeat(BODY_BYTES)
}

/// A broker's queue, and what must outlive it.
struct Ours {
    runtime: Runtime,
    queue: LocalQueue,
    _home: TempDir,
}

impl Ours {
    fn new(durability: Durability, waiting: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let home = tempfile::tempdir().expect("a directory");
        let queue = runtime.block_on(async {
            let store = broker_log::LogStorage::open(home.path().join("store")).expect("a store");
            let broker = Broker::builder(store).open().await.expect("open");
            broker.queue("q").durability(durability).await.expect("a queue")
        });
        let ours = Self { runtime, queue, _home: home };
        for _ in 0..waiting / 10 {
            ours.send(10);
        }
        ours
    }

    fn send(&self, together: usize) {
        let entries: Entries<_> = (0..together).map(|_| SendMessage::from(body())).collect();
        self.runtime
            .block_on(async { self.queue.send_batch(entries).await })
            .expect("send")
            .all()
            .expect("each");
    }

    fn live(&self, rounds: u64, together: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            self.send(together);
            self.runtime.block_on(async {
                let got = self.queue.receive(ReceiveOptions::up_to(together)).await.expect("receive");
                let receipts = got.iter().map(|message| message.receipt).collect();
                self.queue.delete_batch(receipts).await.expect("delete").all().expect("each");
            });
        }
        start.elapsed()
    }
}

/// A queue of honker's, and what must outlive it.
struct Honker {
    queue: honker::Queue,
    _database: Database,
    _home: TempDir,
}

impl Honker {
    fn new(waiting: usize) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let database = Database::open(home.path().join("db")).expect("a database");
        let queue = database.queue("q", QueueOpts::default());
        let honker = Self { queue, _database: database, _home: home };
        (0..waiting).for_each(|_| honker.enqueue());
        honker
    }

    fn enqueue(&self) {
        self.queue.enqueue(&serde_json::Value::String(body()), EnqueueOpts::default()).expect("enqueue");
    }

    fn live(&self, rounds: u64, together: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            (0..together).for_each(|_| self.enqueue());
            let count = i64::try_from(together).expect("few");
            let jobs = self.queue.claim_batch(WORKER, count).expect("claim");
            let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
            self.queue.ack_batch(&ids, WORKER).expect("acknowledge");
        }
        start.elapsed()
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for waiting in [0, 100_000] {
        let (buffered, synced) =
            (Ours::new(Durability::Buffered, waiting), Ours::new(Durability::Synced, waiting));
        let honker = Honker::new(waiting);
        for together in [1, 10] {
            let name = format!("{waiting} waiting, {together} at once");
            let mut contest = Contest::new(name, together as u64).turns_of(Duration::from_millis(300));
            contest.enter("broker, buffered", |rounds| buffered.live(rounds, together));
            contest.enter("honker", |rounds| honker.live(rounds, together));
            contest.enter("broker, synced", |rounds| synced.live(rounds, together));
            contest.run(&mut criterion);
        }
    }
    criterion.final_summary();
}
