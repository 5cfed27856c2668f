//! Functions that fill a transaction: what they write and the checkpoint are one commit, whatever is in the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use broker_core::{
    Broker, Error, LocalStream, PutRecord, Record, Space, Transaction,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use broker_mem::MemStorage;
use broker_worker::{
    Context, Failure, Handler,
    stream::{RecordBatch, StreamCounts, StreamMapping, StreamResponse, transact_batch, transact_each},
};

use crate::support::{ms, secs};

/// Clicks are counted.
#[derive(Clone)]
struct World {
    broker: Broker,
    clicks: LocalStream,
    counts: Space,
    /// How often a record was counted, in vain or not.
    tried: Arc<AtomicUsize>,
}

impl World {
    async fn new() -> Self {
        Self::on(Arc::new(CrashStorage::new(Arc::new(MemStorage::new())))).await.unwrap()
    }

    async fn on(store: Arc<CrashStorage>) -> Result<Self, Error> {
        let broker = Broker::builder_on(store).open().await?;
        let (clicks, counts) = (broker.stream("clicks").shards(1).await?, broker.space("counts").await?);
        Ok(Self { broker, clicks, counts, tried: Arc::default() })
    }

    async fn put(&self, letters: &str) -> Result<(), Error> {
        let records = letters.chars().map(|letter| PutRecord::new("k", letter.to_string())).collect();
        self.clicks.put_batch(records).await.map(drop)
    }

    async fn count(&self, tx: &mut Transaction, record: &Record) -> Result<(), Error> {
        self.tried.fetch_add(1, Ordering::SeqCst);
        let before = tx.get(&self.counts, &record.data).await?.map_or(0, |value| value[0]);
        tx.put(&self.counts, &record.data, vec![before + 1]).map(drop)
    }

    /// Counts whole batches.
    fn batches(&self) -> impl Handler<RecordBatch> + use<> {
        let ours = self.clone();
        transact_batch(&self.broker, move |batch: RecordBatch, _: Context, mut tx: Transaction| {
            let world = ours.clone();
            async move {
                for record in batch.records() {
                    world.count(&mut tx, record).await?;
                }
                Ok::<_, Error>(tx)
            }
        })
    }

    fn mapping(&self, handler: impl Handler<RecordBatch>) -> StreamMapping {
        StreamMapping::new("count", self.clicks.clone(), handler)
    }

    async fn run(&self, mapping: StreamMapping, time: std::time::Duration) -> StreamCounts {
        let running = mapping.start().await.unwrap();
        tokio::time::sleep(time).await;
        let counts = running.counts();
        running.stop(ms(0)).await;
        counts
    }

    fn tried(&self) -> usize {
        self.tried.load(Ordering::SeqCst)
    }

    /// What was counted, and how many records are not consumed.
    async fn state(&self) -> (String, u64) {
        let page = self.counts.scan("", None, 100).await.unwrap();
        let counted =
            page.entries.iter().map(|(key, value)| format!("{}{}", String::from_utf8_lossy(key), value[0]));
        let groups = self.clicks.consumer_groups().await.unwrap();
        let behind = groups.first().map_or(0, |group| group.leases[0].behind);
        (counted.collect::<Vec<_>>().join(" "), behind)
    }
}

// T19
#[tokio::test(start_paused = true)]
async fn the_work_of_a_batch_is_committed_with_the_checkpoint() {
    let world = World::new().await;
    world.put("abc").await.unwrap();
    let counts = world.run(world.mapping(world.batches()), secs(1)).await;
    assert_eq!(world.state().await, ("a1 b1 c1".to_owned(), 0));
    assert_eq!((counts.done, counts.invocations, counts.failed_invocations), (3, 1, 0));
    // Another one goes on behind it.
    world.put("a").await.unwrap();
    world.run(world.mapping(world.batches()), secs(1)).await;
    assert_eq!(world.state().await, ("a2 b1 c1".to_owned(), 0));
}

/// The store dies at each commit: each record is counted and consumed, or neither, and in the end once.
// T19
#[test]
fn never_a_part_of_it_whatever_the_crash() {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(future)
    }
    let run = |store: Arc<CrashStorage>| {
        block_on(async {
            let Ok(world) = World::on(store).await else { return };
            if world.put("abcd").await.is_ok()
                && let Ok(running) = world.mapping(world.batches()).batch_size(2).start().await
            {
                tokio::time::sleep(secs(1)).await;
                running.stop(ms(0)).await;
            }
        });
    };
    let store = |can_block, point| {
        Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point))
    };
    let mut seen = std::collections::BTreeSet::new();
    for can_block in [false, true] {
        let whole = store(can_block, CrashPoint::Never);
        run(whole.clone());
        for number in 0..whole.commits() {
            for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
                let crashed = store(can_block, point);
                run(crashed.clone());
                for survive in [Survive::Kill, Survive::PowerCut { unsynced: 0 }] {
                    let left = Arc::new(crashed.restart(survive, Arc::new(MemStorage::new())).unwrap());
                    let (counted, behind) = block_on(async { World::on(left).await.unwrap().state().await });
                    let consumed = match (counted.as_str(), behind) {
                        // Nothing was put yet, or nobody has joined.
                        ("", 0 | 4) => 0,
                        ("a1 b1", 2) => 2,
                        ("a1 b1 c1 d1", 0) => 4,
                        other => panic!("{point:?}, {survive:?}: {other:?}"),
                    };
                    seen.insert(consumed);
                }
            }
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 2, 4]);
}

/// A handler whose first invocation ends and never answers: the runtime drops it at its timeout.
struct HangsOnce<H>(H);

#[async_trait]
impl<H: Handler<RecordBatch>> Handler<RecordBatch> for HangsOnce<H> {
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        let first = context.attempt() == 1;
        let answer = self.0.handle(batch, context).await;
        if first {
            std::future::pending::<()>().await;
        }
        answer
    }
}

/// What was committed by an invocation that nobody heard of is not done again.
// T19
#[tokio::test(start_paused = true)]
async fn an_invocation_that_timed_out_after_its_commit_is_not_repeated() {
    let world = World::new().await;
    world.put("ab").await.unwrap();
    let mapping = world.mapping(HangsOnce(world.batches())).timeout(secs(5));
    let counts = world.run(mapping, secs(10)).await;
    assert_eq!((world.state().await, world.tried()), (("a1 b1".to_owned(), 0), 2));
    assert_eq!((counts.invocations, counts.failed_invocations, counts.done), (2, 1, 2));
}

/// The lease is lost while the function works: nothing of it happens.
// T19
#[tokio::test(start_paused = true)]
async fn a_lost_lease_rejects_the_work() {
    let world = World::new().await;
    world.put("a").await.unwrap();
    let ours = world.clone();
    let late = transact_batch(&world.broker, move |batch: RecordBatch, _: Context, mut tx: Transaction| {
        let world = ours.clone();
        async move {
            world.count(&mut tx, &batch.records()[0]).await?;
            world.clicks.delete_consumer_group("count").await?;
            Ok::<_, Error>(tx)
        }
    });
    world.run(world.mapping(late), ms(400)).await;
    assert_eq!((world.state().await.0, world.tried()), (String::new(), 1));
}

/// A conflict runs the function again, at once.
// T19
#[tokio::test(start_paused = true)]
async fn after_a_conflict_the_function_runs_again() {
    let world = World::new().await;
    world.put("a").await.unwrap();
    let ours = world.clone();
    let disturbed =
        transact_batch(&world.broker, move |batch: RecordBatch, _: Context, mut tx: Transaction| {
            let world = ours.clone();
            async move {
                world.count(&mut tx, &batch.records()[0]).await?;
                if world.tried() < 3 {
                    world.counts.put("a", vec![7]).await?;
                }
                Ok::<_, Error>(tx)
            }
        });
    let counts = world.run(world.mapping(disturbed), ms(1)).await;
    assert_eq!((world.state().await, world.tried()), (("a8".to_owned(), 0), 3));
    assert_eq!((counts.invocations, counts.failed_invocations), (1, 0));
}

/// One transaction for each record: those before the one that fails stay done.
// T19
#[tokio::test(start_paused = true)]
async fn each_record_in_a_transaction_of_its_own() {
    let world = World::new().await;
    world.put("abc").await.unwrap();
    let ours = world.clone();
    let each = transact_each(&world.broker, move |record: Record, context: Context, mut tx: Transaction| {
        let world = ours.clone();
        async move {
            world.count(&mut tx, &record).await?;
            if &record.data[..] == b"b" && world.tried() == 2 {
                return Err(Failure::new("not yet").into());
            }
            let _ = context;
            Ok::<_, broker_worker::BoxError>(tx)
        }
    });
    let running = world.mapping(each).start().await.unwrap();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(world.state().await, ("a1".to_owned(), 2));
    tokio::time::sleep(secs(1)).await;
    running.stop(ms(0)).await;
    assert_eq!((world.state().await, world.tried()), (("a1 b1 c1".to_owned(), 0), 4));
}

/// Where the checkpoint does not move with each batch, nothing is committed.
// T19
#[tokio::test(start_paused = true)]
async fn it_is_refused_where_the_checkpoint_does_not_move_with_each_batch() {
    for several in [true, false] {
        let world = World::new().await;
        world.put("a").await.unwrap();
        let mapping = world.mapping(world.batches());
        let mapping =
            if several { mapping.parallelization_factor(2) } else { mapping.tumbling_window(secs(10)) };
        let counts = world.run(mapping, secs(1)).await;
        assert_eq!((world.state().await, world.tried()), ((String::new(), 1), 0));
        assert!(counts.failed_invocations > 0 && counts.done == 0);
    }
}
