//! Whoever holds a lease is spared (S42 to S44).

use broker_core::QueueExt as _;
use broker_worker::{
    pool::{Pool, PoolEvent},
    scaling::{Pause, QueueScaler, QueueTarget},
};
use tokio::time::sleep;

use crate::{mapping, queue, scaler, secs, send, taking, told};

/// A scaler that is blind for messages in flight, so it takes workers away that have some.
fn blind() -> QueueScaler {
    let target = QueueTarget { queue_length: 1.0, scale_on_in_flight: false, ..QueueTarget::default() };
    scaler(8).target(target).unwrap()
}

// S42, S43
#[tokio::test(start_paused = true)]
async fn too_many_workers_that_hold_leases_finish_first_and_then_go() {
    let queue = queue().await;
    send(&queue, 8).await;
    let pool = Pool::new(mapping(&queue, taking(secs(100))), blind()).workers(8).start().await.unwrap();
    let mut events = pool.events();
    sleep(secs(16)).await;
    // One is desired, eight are at work.
    let workers = pool.workers();
    assert_eq!((workers.running, workers.busy), (8, 8));
    let told = told(&mut events);
    assert!(told.contains(&PoolEvent::Held { workers: 7 }), "{told:?}");
    sleep(secs(90)).await;
    assert_eq!((pool.counts().acked, pool.workers().running), (8, 1));
    assert_eq!((pool.counts().leases_lost, pool.counts().released, pool.counts().stale), (0, 0, 0));
}

// S44
#[tokio::test(start_paused = true)]
async fn what_was_not_finished_comes_again_when_its_visibility_timeout_ends() {
    let queue = queue().await;
    send(&queue, 1).await;
    let pool = Pool::new(mapping(&queue, taking(secs(100))), scaler(1)).start().await.unwrap();
    sleep(secs(10)).await;
    assert_eq!(pool.workers().busy, 1);
    // The worker is killed.
    drop(pool);
    let began = tokio::time::Instant::now();
    let message = queue.recv().await.unwrap();
    assert_eq!((message.receive_count, began.elapsed().as_secs()), (2, 110));
}

// S43
#[tokio::test(start_paused = true)]
async fn workers_that_wait_go_at_once_and_keep_nothing() {
    let queue = queue().await;
    let pause = Pause { replicas: Some(0), ..Pause::default() };
    let none = scaler(8).target(QueueTarget { pause, ..QueueTarget::default() }).unwrap();
    let pool =
        Pool::new(mapping(&queue, taking(secs(1))), none).workers(8).every(secs(1)).start().await.unwrap();
    sleep(secs(1)).await;
    assert_eq!(pool.workers().running, 0);
    send(&queue, 3).await;
    sleep(secs(60)).await;
    assert_eq!(queue.counters().await.unwrap().visible, 3);
}
