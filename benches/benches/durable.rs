//! Durable sends: so many concurrent senders of 1 KiB, each waiting for its own acknowledgement, on sled. Against sled
//! itself with the same grouping, and against a raw file with one `fdatasync` a group.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    cell::Cell,
    fs::File,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::{
    Broker, LocalQueue, SendMessage,
    storage::{Batch, Durability, Storage, faults::SlowStorage},
};
use broker_sled::SledStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const BODY_BYTES: usize = 1024;

/// Sends a sender makes in a round, one after the other.
const SENDS: u64 = 4;

/// `rounds` rounds, by so many senders at once.
fn send(runtime: &Runtime, queue: &LocalQueue, senders: u64, rounds: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(rounds * senders * SENDS));
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let start = Instant::now();
    let tasks: Vec<_> = (0..senders)
        .map(|_| {
            let (queue, left, body) = (queue.clone(), left.clone(), body.clone());
            runtime.spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    queue.send(SendMessage::from(body.clone())).await.expect("send");
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("a sender");
        }
    });
    start.elapsed()
}

/// sled by hand, with the recipe that makes it safe: one thread, no background flush, a real sync of its file.
struct BareSled {
    db: sled::Db,
    file: File,
    next: u64,
}

impl BareSled {
    fn open(path: &std::path::Path) -> Self {
        let config = sled::Config::new().path(path).flush_every_ms(None).segment_size(4 * 1024 * 1024);
        let db = config.open().expect("open sled");
        let file = File::open(path.join("db")).expect("sled's file");
        Self { db, file, next: 0 }
    }

    fn commit(&mut self, group: u64) {
        let mut batch = sled::Batch::default();
        for _ in 0..group {
            self.next += 1;
            let key = [b"r".as_slice(), &1_u64.to_be_bytes(), &self.next.to_be_bytes()].concat();
            batch.insert(key, vec![b'x'; BODY_BYTES + 18]);
        }
        batch.insert(b"record", vec![0; 56]);
        self.db.apply_batch(batch).expect("apply");
        self.db.flush().expect("flush");
        self.file.sync_data().expect("sync");
    }
}

/// Commits so many messages, in groups of that size.
fn in_groups(messages: u64, group: u64, mut commit: impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    let mut left = messages;
    while left > 0 {
        let size = group.min(left);
        commit(size);
        left -= size;
    }
    start.elapsed()
}

fn durable(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for senders in [1_u64, 16, 64, 256] {
        let directory = tempfile::tempdir().expect("a directory");
        let inner = SledStorage::open(directory.path().join("broker")).expect("open");
        // Counts commits, so that the others can group as the broker did. It is not slow unless told to be.
        let counting = Arc::new(SlowStorage::new(Arc::new(inner)));
        let broker = runtime.block_on(Broker::builder_on(counting.clone()).open()).expect("open");
        let queue = runtime.block_on(broker.queue("bench").into_future()).expect("queue");
        let store = SledStorage::open(directory.path().join("direct")).expect("open");
        let mut bare = BareSled::open(&directory.path().join("bare"));
        let mut file = File::create(directory.path().join("raw")).expect("a file");
        let sent = Cell::new(0);
        let group = || (sent.get() / (counting.commits() as u64).max(1)).max(1);
        let messages = senders * SENDS;
        let contest = Contest::new(format!("durable, {senders} senders"), messages);
        let mut contest = contest.turns_of(Duration::from_millis(400));
        contest.enter("broker", |rounds| {
            sent.set(sent.get() + rounds * messages);
            send(&runtime, &queue, senders, rounds)
        });
        contest.enter("bare sled", |rounds| in_groups(rounds * messages, group(), |size| bare.commit(size)));
        let mut direct = 0;
        contest.enter("the store without the broker", |rounds| {
            in_groups(rounds * messages, group(), |size| {
                let mut batch = Batch::new();
                for _ in 0..size {
                    direct += 1;
                    batch.put_row(1, direct, vec![b'x'; BODY_BYTES + 18]);
                }
                batch.put_meta(b"record", &[0; 56]);
                store.commit(&batch, Durability::Synced).expect("commit");
            })
        });
        contest.enter("a raw file", |rounds| {
            in_groups(rounds * messages, group(), |size| {
                let bytes = usize::try_from(size).expect("a small group") * BODY_BYTES;
                file.write_all(&vec![b'x'; bytes]).expect("write");
                file.sync_data().expect("sync");
            })
        });
        contest.run(criterion);
        drop(contest);
        println!("group  {senders} senders: {} messages a commit on average", group());
    }
}

criterion_group!(benches, durable);
criterion_main!(benches);
