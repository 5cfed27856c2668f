//! Reading from storage.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::{LocalStream, ShardId, StartingPosition, storage::Page};
use bytes::Bytes;
use criterion::Criterion;
use tokio::runtime::Runtime;

use crate::world::{self, BODY_BYTES, MakeStore};

const RECORDS: usize = 20_000;
const PAGE: usize = 1_000;

pub(crate) fn scan(criterion: &mut Criterion, runtime: &Runtime, name: &str, store: MakeStore) {
    let (store, _directory) = store();
    let (_broker, stream) = runtime.block_on(world::open(store.clone(), 1));
    runtime.block_on(world::fill(&stream, RECORDS, Bytes::from(vec![b'x'; BODY_BYTES])));
    let partition = world::first_rows(&*store).first().expect("there are rows").0;
    let mut contest = Contest::new(format!("read from {name}"), RECORDS as u64);
    contest = contest.turns_of(Duration::from_millis(300));
    contest.enter("stream", |rounds| {
        let start = Instant::now();
        (0..rounds).for_each(|_| runtime.block_on(read(&stream)));
        start.elapsed()
    });
    contest.enter("the bare engine's scan", |rounds| {
        let start = Instant::now();
        for _ in 0..rounds {
            let mut next = 0;
            while next < RECORDS as u64 {
                let page = Page { entries: PAGE, bytes: 10 << 20 };
                let rows = black_box(store.rows(partition, next..u64::MAX, page).expect("a page"));
                next = rows.last().expect("a row").0 + 1;
            }
        }
        start.elapsed()
    });
    contest.run(criterion);
}

async fn read(stream: &LocalStream) {
    let from = stream.iterator(ShardId(0), StartingPosition::TrimHorizon).await;
    let (mut iterator, mut left) = (from.expect("an iterator"), RECORDS);
    while left > 0 {
        let found = black_box(stream.read(&iterator, PAGE).await.expect("a page"));
        left -= found.records.len();
        iterator = found.next.expect("the shard is open");
    }
}
