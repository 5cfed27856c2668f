//! A pool follows its scaler.

use broker_worker::{
    pool::{Pool, PoolEvent},
    scaling::{Bounds, Metric, Policy, Scaler, TargetTracking},
};
use tokio::time::sleep;

use crate::{broker, mapping, queue, queue_of, scaler, secs, send, taking, told};

// S51, S52
#[tokio::test(start_paused = true)]
async fn from_nothing_up_and_back_to_nothing() {
    let queue = queue().await;
    let pool = Pool::new(mapping(&queue, taking(secs(20))), scaler(8)).start().await.unwrap();
    let mut events = pool.events();
    sleep(secs(61)).await;
    assert_eq!((pool.workers().running, told(&mut events)), (0, Vec::new()));
    send(&queue, 16).await;
    // Polls are at 60 and 90 s.
    sleep(secs(28)).await;
    assert_eq!(pool.workers().running, 0);
    sleep(secs(2)).await;
    assert_eq!(pool.workers().running, 5);
    sleep(secs(15)).await;
    assert_eq!(pool.workers().running, 8);
    let counts: Vec<(u32, u32)> = told(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            PoolEvent::Scaled { decision } => Some((decision.was, decision.desired)),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [(0, 5), (5, 8)]);
    sleep(secs(90)).await;
    assert_eq!((pool.counts().acked, pool.workers().running), (16, 1));
    sleep(secs(330)).await;
    assert_eq!(pool.workers().running, 0);
    let report = pool.stop(secs(1)).await;
    assert!(report.drained);
}

// S10, S11
#[tokio::test(start_paused = true)]
async fn target_tracking_goes_by_the_backlog_and_by_how_many_are_busy() {
    let queue = queue().await;
    let policies = [
        Policy::target("backlog", TargetTracking::new(Metric::BacklogPerWorker, 10.0)),
        Policy::target("busy", TargetTracking::new(Metric::busy(), 80.0)),
    ];
    let scaler = Scaler::new(Bounds::new(1, 16).unwrap(), policies).unwrap();
    let pool = Pool::new(mapping(&queue, taking(secs(60))), scaler).workers(4).start().await.unwrap();
    // 4 at work, 36 wait: 9 for each is below the target, but 4 of 4 are busy.
    send(&queue, 40).await;
    let mut counts = Vec::new();
    for _ in 0..9 {
        sleep(secs(60)).await;
        counts.push(pool.workers().running);
    }
    // 5 at 180 s. They are busy, too, which asks for 2 more, of which one was added; no more until 540 s.
    assert_eq!(counts, [4, 4, 4, 5, 6, 6, 6, 6, 6]);
    pool.stop(secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_goes_away_ends_the_pool() {
    let broker = broker().await;
    let queue = queue_of(&broker).await;
    let mut pool = Pool::new(mapping(&queue, taking(secs(1))), scaler(4)).workers(1).start().await.unwrap();
    let mut events = pool.events();
    broker.delete_queue("orders").await.unwrap();
    pool.broken().await;
    // And again to whoever asks again.
    pool.broken().await;
    let told = told(&mut events);
    assert!(matches!(told.last(), Some(PoolEvent::Broken { .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_nothing_is_refused() {
    let queue = queue().await;
    let pool = Pool::new(mapping(&queue, taking(secs(1))), scaler(4)).every(secs(0));
    assert!(pool.start().await.is_err());
}
