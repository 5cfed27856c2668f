//! Versions of a handler in a pool.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use broker_core::LocalQueue;
use broker_worker::{
    Error, Failure, Handler,
    deploy::{Deploy, Health, Stage},
    handler::each,
    pool::{Pool, PoolEvent, RunningPool},
    queue::{Batch, Received},
    scaling::{Pause, QueueScaler, QueueTarget},
};
use tokio::time::sleep;

use crate::{mapping, queue, scaler, secs, send, taking, told};

/// Exactly so many workers.
fn fixed(workers: u32) -> QueueScaler {
    let pause = Pause { replicas: Some(workers), ..Pause::default() };
    scaler(workers).target(QueueTarget { pause, ..QueueTarget::default() }).unwrap()
}

/// A handler that counts what it has begun and finished.
fn counting(seconds: u64, fails: bool, counts: &Arc<[AtomicU32; 2]>) -> impl Handler<Batch> {
    let counts = counts.clone();
    each(move |_: String, _: Received| {
        let counts = counts.clone();
        async move {
            counts[0].fetch_add(1, Ordering::SeqCst);
            sleep(secs(seconds)).await;
            counts[1].fetch_add(1, Ordering::SeqCst);
            if fails { Err(Failure::new("broken")) } else { Ok(()) }
        }
    })
}

fn of(counts: &Arc<[AtomicU32; 2]>) -> (u32, u32) {
    (counts[0].load(Ordering::SeqCst), counts[1].load(Ordering::SeqCst))
}

async fn pool(queue: &LocalQueue, workers: u32) -> RunningPool {
    let pool = Pool::new(mapping(queue, taking(secs(20))), fixed(workers)).every(secs(1)).version("one");
    pool.workers(workers).start().await.unwrap()
}

/// A message every second, and the workers after each.
async fn trickle(queue: &LocalQueue, pool: &RunningPool, seconds: usize) -> Vec<usize> {
    let mut workers = Vec::new();
    for _ in 0..seconds {
        queue.send("socks").await.unwrap();
        sleep(secs(1)).await;
        workers.push(pool.workers().running);
    }
    workers
}

#[tokio::test(start_paused = true)]
async fn rolling_replaces_workers_between_both_limits_and_what_had_begun_is_finished() {
    let queue = queue().await;
    let pool = pool(&queue, 4).await;
    let mut events = pool.events();
    send(&queue, 4).await;
    sleep(secs(1)).await;
    assert_eq!(pool.workers().busy, 4);
    let counts = Arc::default();
    let plan = Deploy::rolling(50, 150).watch(secs(30));
    let mut deployment = pool.deploy("two", counting(1, false, &counts), plan).await.unwrap();
    let refused = pool.deploy("three", taking(secs(1)), Deploy::all_at_once()).await.unwrap_err();
    assert!(matches!(&refused, Error::Deploying { version } if version == "two"), "{refused}");
    // All four old ones are busy up to second 20: two new ones may come, and no more.
    let workers = trickle(&queue, &pool, 60).await;
    assert!(workers.iter().all(|running| (2..=6).contains(running)), "{workers:?}");
    assert_eq!(workers[5], 6);
    assert_eq!(deployment.finished().await, Stage::Done);
    assert_eq!((pool.version().as_str(), pool.workers().running), ("two", 4));
    sleep(secs(30)).await;
    assert_eq!((pool.counts().acked, pool.counts().leases_lost), (64, 0));
    let (begun, finished) = of(&counts);
    assert_eq!(begun, finished);
    let told = told(&mut events);
    let stages = told.iter().filter_map(|event| match event {
        PoolEvent::Deploying { version, progress } if version == "two" => Some(progress.stage),
        _ => None,
    });
    let mut stages: Vec<Stage> = stages.collect();
    stages.dedup();
    assert_eq!(stages, [Stage::Shifting, Stage::Watching, Stage::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_that_fails_goes_back() {
    let queue = queue().await;
    let pool = pool(&queue, 4).await;
    let counts = Arc::default();
    let health = Health::new().error_rate_max(0.2).invocations_min(3);
    let plan = Deploy::rolling(50, 100).health(health).watch(secs(300));
    let mut deployment = pool.deploy("two", counting(1, true, &counts), plan).await.unwrap();
    trickle(&queue, &pool, 30).await;
    assert!(matches!(deployment.finished().await, Stage::RolledBack(_)));
    sleep(secs(10)).await;
    assert_eq!((pool.version().as_str(), pool.workers().running), ("one", 4));
    // Everything is done in the end, by the old version.
    let begun = of(&counts).0;
    sleep(secs(600)).await;
    assert_eq!((of(&counts).0, pool.counts().acked), (begun, 30));
    let report = pool.stop(secs(60)).await;
    assert_eq!(report.counts.failed, u64::from(begun));
}

#[tokio::test(start_paused = true)]
async fn a_canary_in_a_pool_that_fails_goes_back_and_tells() {
    let queue = queue().await;
    let pool = pool(&queue, 30).await;
    let mut events = pool.events();
    let counts = Arc::default();
    let health = Health::new().error_rate_max(0.5).invocations_min(2);
    let plan = Deploy::canary(20, secs(600)).health(health);
    let mut deployment = pool.deploy("two", counting(1, true, &counts), plan).await.unwrap();
    trickle(&queue, &pool, 20).await;
    let stage = deployment.finished().await;
    assert!(matches!(stage, Stage::RolledBack(_)), "{stage:?}");
    sleep(secs(1)).await;
    let last = told(&mut events).into_iter().rev().find_map(|event| match event {
        PoolEvent::Deploying { progress, .. } => Some((progress.stage, progress.percent)),
        _ => None,
    });
    assert_eq!((last, pool.version().as_str()), (Some((stage, 0)), "one"));
}

#[tokio::test(start_paused = true)]
async fn after_a_replacement_there_may_be_another() {
    let queue = queue().await;
    let pool = pool(&queue, 2).await;
    for (version, plan) in [
        ("two", Deploy::rolling(100, 200)),
        ("three", Deploy::all_at_once()),
        ("four", Deploy::rolling(0, 100)),
    ] {
        let mut deployment = pool.deploy(version, taking(secs(1)), plan).await.unwrap();
        assert_eq!(deployment.finished().await, Stage::Done);
        sleep(secs(2)).await;
        assert_eq!((pool.version().as_str(), pool.workers().running), (version, 2));
    }
    send(&queue, 5).await;
    sleep(secs(10)).await;
    let report = pool.stop(secs(1)).await;
    assert_eq!(report.counts.acked, 5);
}
