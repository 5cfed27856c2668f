//! Giving up what has expired, while writers go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_core::{
    Broker, LocalStream, ManualClock, PutRecord,
    storage::{Batch, Durability},
};
use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::world::{self, BODY_BYTES, MakeStore, SHARDS};

const RECORDS: usize = 1_000_000;
const WRITERS: u64 = 16;
/// What tells the records that expire from those of the writers.
const OLD: &[u8] = b"old";
/// Rows that the broker gives up in a commit.
const STEP: u64 = 1_024;
/// How long the writers are alone, before.
const ALONE: Duration = Duration::from_secs(1);

#[allow(clippy::cast_precision_loss, reason = "ratios need no more than a few digits")]
#[allow(clippy::disallowed_methods, reason = "whoever watches writers lets them have the processors")]
pub(crate) fn trim(runtime: &Runtime, name: &str, make: MakeStore) {
    let (store, _directory) = make();
    let clock = ManualClock::new(1_000_000);
    let stream = runtime.block_on(async {
        let broker = Broker::builder_on(store.clone()).clock(clock.clone()).open().await.expect("open");
        let stream = broker.stream("bench").shards(SHARDS).await.expect("stream");
        let data = [[b'x'; 97].as_slice(), OLD].concat();
        world::fill(&stream, RECORDS, Bytes::from(data)).await;
        stream
    });
    let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> =
        (0..WRITERS).map(|_| runtime.spawn(write(stream.clone(), written.clone(), stop.clone()))).collect();
    let rate = |until: &dyn Fn(Duration) -> bool| {
        let (before, start) = (written.load(Ordering::Relaxed), Instant::now());
        while !until(start.elapsed()) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let (records, took) = (written.load(Ordering::Relaxed) - before, start.elapsed());
        (records as f64 / took.as_secs_f64(), took)
    };
    let (alone, _) = rate(&|passed| passed >= ALONE);
    // Past the retention: the next put has all of it given up.
    clock.advance(Duration::from_secs(25 * 3_600));
    let is_old = |(_, row): &(u64, Bytes)| row.ends_with(OLD);
    let (meanwhile, took) = rate(&|_| !world::first_rows(&*store).iter().any(is_old));
    let (again, _) = rate(&|passed| passed >= ALONE);
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        for writer in writers {
            writer.await.expect("a writer");
        }
    });
    let bare = bare(make);
    println!("trim   a million records in {name}: {took:.2?}, the bare engine without writers {bare:.2?}");
    println!(
        "ratio  writers in {name} during a trim: {:.2} of their speed alone before and after ({meanwhile:.0} of {alone:.0} and {again:.0} messages/s)",
        meanwhile * 2.0 / (alone + again)
    );
}

async fn write(stream: LocalStream, written: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let data = Bytes::from(vec![b'x'; BODY_BYTES]);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        stream.put(PutRecord::new(format!("key-{number}"), data.clone())).await.expect("put");
        written.fetch_add(1, Ordering::Relaxed);
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// How long the engine itself takes for the same steps.
fn bare(make: MakeStore) -> Duration {
    let (store, _directory) = make();
    let mut batch = Batch::new();
    let rows: Vec<u64> = (0..RECORDS as u64).collect();
    for some in rows.chunks(500) {
        for seq in some {
            batch.put_row(1, *seq, vec![b'x'; 140]);
        }
        store.commit(&batch, Durability::Buffered).expect("commit");
        batch.clear();
    }
    let start = Instant::now();
    for below in (0..=RECORDS as u64 + STEP).step_by(1_024) {
        batch.trim_rows(1, below);
        batch.put_meta(b"record", &[0; 56]);
        store.commit(&batch, Durability::Buffered).expect("commit");
        batch.clear();
    }
    start.elapsed()
}
