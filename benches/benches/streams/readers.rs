//! Writers with readers beside them.

use std::{
    cell::RefCell,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker_benches::Contest;
use broker_core::{LocalStream, ShardId, StartingPosition};
use bytes::Bytes;
use criterion::Criterion;
use tokio::{runtime::Runtime, task::JoinHandle};

use crate::world::{self, BODY_BYTES, SHARDS};

const WRITERS: u64 = 16;
/// Puts in a round.
const PUTS: u64 = 64;
/// Records that are there before, for the reader of the past.
const PAST: usize = 20_000;
/// A store in memory is left behind after so many records.
const RECORDS_OF_A_STORE: u64 = 50_000;
/// Records that the reader of the past asks for at once.
const PAGE: usize = 1_000;

/// Who is there besides the writers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    TailReaders,
    AllReaders,
    Computing,
}

/// What the readers read.
#[derive(Default)]
struct Read {
    tail: AtomicU64,
    past: AtomicU64,
}

impl Beside {
    fn start(self, runtime: &Runtime, stream: &LocalStream, read: &Arc<Read>) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        if matches!(self, Self::TailReaders | Self::AllReaders) {
            for shard in 0..SHARDS {
                let reader = runtime.block_on(stream.reader(ShardId(shard), StartingPosition::Latest));
                let (mut reader, read) = (reader.expect("a reader"), read.clone());
                tasks.push(runtime.spawn(async move {
                    while let Some(record) = reader.next().await.expect("a record") {
                        black_box(record);
                        read.tail.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
        }
        match self {
            Self::AllReaders => tasks.push(runtime.spawn(read_the_past(stream.clone(), read.clone()))),
            Self::Computing => tasks.push(runtime.spawn(compute())),
            Self::Nobody | Self::TailReaders => {}
        }
        tasks
    }
}

/// Reads a shard from its beginning to where it began to be written to, again and again.
async fn read_the_past(stream: LocalStream, read: Arc<Read>) {
    loop {
        let from = stream.iterator(ShardId(0), StartingPosition::TrimHorizon).await;
        let (mut iterator, mut left) = (from.expect("an iterator"), PAST / SHARDS as usize);
        while left > 0 {
            let found = stream.read(&iterator, PAGE).await.expect("a page");
            left = left.saturating_sub(found.records.len());
            read.past.fetch_add(found.records.len() as u64, Ordering::Relaxed);
            iterator = black_box(found).next.expect("the shard is open");
            tokio::task::yield_now().await;
        }
    }
}

/// Keeps a processor busy, with a pause for others about as often as a page takes.
async fn compute() {
    let mut number = 0_u64;
    loop {
        for _ in 0..100_000 {
            number = black_box(number.wrapping_mul(31).wrapping_add(7));
        }
        tokio::task::yield_now().await;
    }
}

fn past() -> Bytes {
    Bytes::from(vec![b'x'; BODY_BYTES])
}

/// Puts so many records while others are there.
fn turn(runtime: &Runtime, stream: &LocalStream, beside: Beside, puts: u64, read: &Arc<Read>) -> Duration {
    let others = beside.start(runtime, stream, read);
    let took = world::put(runtime, stream, WRITERS, puts);
    runtime.block_on(async {
        for other in others {
            other.abort();
            let _ = other.await;
        }
    });
    took
}

fn compare(
    criterion: &mut Criterion,
    name: &str,
    (beside, others): (Beside, &[(&str, Beside)]),
    mut put: impl FnMut(Beside, u64, &Arc<Read>) -> Duration,
) {
    let what = if beside == Beside::AllReaders { "5 readers" } else { "4 tail readers" };
    let (read, nothing) = (Arc::new(Read::default()), Arc::new(Read::default()));
    let (mut written, put) = (0, RefCell::new(&mut put));
    let mut contest = Contest::new(format!("writers on {name}, {what}"), PUTS);
    contest = contest.turns_of(Duration::from_millis(300));
    contest.enter("with readers", |rounds| {
        written += rounds * PUTS;
        put.borrow_mut()(beside, rounds * PUTS, &read)
    });
    for (other, beside) in others {
        let (put, nothing) = (&put, &nothing);
        contest.enter(*other, move |rounds| put.borrow_mut()(*beside, rounds * PUTS, nothing));
    }
    contest.run(criterion);
    drop(contest);
    let (tail, past) = (read.tail.load(Ordering::Relaxed), read.past.load(Ordering::Relaxed));
    println!("read   writers on {name}, {what}: {written} put, {tail} read at the tail, {past} of the past");
}

const ALONE: (&str, Beside) = ("alone", Beside::Nobody);
const COMPUTING: (&str, Beside) = ("beside a task that computes", Beside::Computing);

pub(crate) fn in_memory(criterion: &mut Criterion, runtime: &Runtime) {
    let put = |beside, mut puts: u64, read: &Arc<Read>| {
        let mut took = Duration::ZERO;
        while puts > 0 {
            let some = puts.min(RECORDS_OF_A_STORE);
            let (broker, stream) = runtime.block_on(world::open(world::in_memory().0, SHARDS));
            runtime.block_on(world::fill(&stream, PAST, past()));
            took += turn(runtime, &stream, beside, some, read);
            runtime.block_on(broker.close()).expect("close");
            puts -= some;
        }
        took
    };
    compare(criterion, "memory", (Beside::TailReaders, &[ALONE, COMPUTING]), put);
    compare(criterion, "memory", (Beside::AllReaders, &[ALONE, COMPUTING]), put);
}

pub(crate) fn on_sled(criterion: &mut Criterion, runtime: &Runtime) {
    for beside in [Beside::TailReaders, Beside::AllReaders] {
        let (store, _directory) = world::on_sled();
        let (_broker, stream) = runtime.block_on(world::open(store, SHARDS));
        runtime.block_on(world::fill(&stream, PAST, past()));
        let put = |beside, puts, read: &Arc<Read>| turn(runtime, &stream, beside, puts, read);
        compare(criterion, "sled", (beside, &[ALONE, COMPUTING]), put);
    }
}
