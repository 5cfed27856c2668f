//! Pools that share what the process can bear.

use broker_worker::pool::{Capacity, Pool, PoolEvent};
use tokio::time::sleep;

use crate::{mapping, queue, scaler, secs, send, taking, told};

#[tokio::test(start_paused = true)]
async fn what_the_capacity_does_not_allow_waits_in_the_queue_and_the_pool_says_so() {
    let queue = queue().await;
    send(&queue, 20).await;
    let capacity = Capacity::new(3);
    let pool = Pool::new(mapping(&queue, taking(secs(30))), scaler(16)).capacity(capacity.clone());
    let pool = pool.start().await.unwrap();
    let mut events = pool.events();
    sleep(secs(6)).await;
    assert_eq!((pool.workers().running, capacity.free()), (3, 0));
    sleep(secs(10)).await;
    let told = told(&mut events);
    assert!(!told.iter().any(|event| matches!(event, PoolEvent::Unlimited)), "{told:?}");
    assert_eq!(queue.counters().await.unwrap().visible, 17);
    sleep(secs(200)).await;
    assert_eq!(pool.counts().acked, 20);
    pool.stop(secs(1)).await;
    assert_eq!(capacity.free(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_pool_says_once_that_it_is_limited_and_once_that_it_is_not() {
    let queue = queue().await;
    let pool = Pool::new(mapping(&queue, taking(secs(30))), scaler(16)).capacity(Capacity::new(3));
    let pool = pool.start().await.unwrap();
    let mut events = pool.events();
    send(&queue, 9).await;
    sleep(secs(300)).await;
    let told = told(&mut events);
    let limits: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            PoolEvent::Limited { granted, waiting, .. } => Some(Some((*granted, *waiting))),
            PoolEvent::Unlimited => Some(None),
            _ => None,
        })
        .collect();
    assert_eq!(limits, [Some((3, Some(9))), None], "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn slots_that_one_pool_gives_back_are_free_for_another_once_its_workers_are_done() {
    let (first_queue, second_queue) = (queue().await, queue().await);
    let capacity = Capacity::new(4);
    let pool = |queue: &_| Pool::new(mapping(queue, taking(secs(40))), scaler(4)).capacity(capacity.clone());
    send(&first_queue, 4).await;
    let first = pool(&first_queue).start().await.unwrap();
    sleep(secs(16)).await;
    assert_eq!(first.workers().busy, 4);
    send(&second_queue, 4).await;
    let second = pool(&second_queue).start().await.unwrap();
    for _ in 0..300 {
        assert!(first.workers().running + second.workers().running <= 4);
        sleep(secs(1)).await;
    }
    assert_eq!((first.counts().acked, second.counts().acked), (4, 4));
}

// Whoever still works on something has its slot until it is done, also when the pool stops meanwhile.
#[tokio::test(start_paused = true)]
async fn a_pool_that_stops_has_its_slots_until_its_workers_are_done() {
    let (queue, capacity) = (queue().await, Capacity::new(4));
    send(&queue, 4).await;
    let pool = Pool::new(mapping(&queue, taking(secs(40))), scaler(4)).workers(4).capacity(capacity.clone());
    let pool = pool.start().await.unwrap();
    sleep(secs(16)).await;
    let stopping = tokio::spawn(pool.stop(secs(60)));
    sleep(secs(20)).await;
    assert_eq!(capacity.free(), 0);
    assert_eq!(stopping.await.unwrap().counts.acked, 4);
    assert_eq!(capacity.free(), 4);
}

#[test]
fn slots_are_counted() {
    let capacity = Capacity::new(0);
    assert_eq!((capacity.all(), capacity.free()), (0, 0));
}
