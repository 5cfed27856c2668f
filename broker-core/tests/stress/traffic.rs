//! Producers and consumers that get into each other's way: IQ1, IQ2, IQ4, IQ7, IQ8, IQ18.

use std::{sync::atomic::Ordering, time::Duration};

use broker_core::LocalQueue;
use futures_util::future::join_all;

use crate::{
    consumers::Run,
    ground::{EMPTY, Ground},
    on_every_ground,
};

const TASKS: usize = 4;

/// Lets time pass, a little at a time, until the queue is empty.
async fn until_empty(ground: &Ground, queue: &LocalQueue) {
    while queue.counters().await.unwrap() != EMPTY {
        ground.clock.advance(Duration::from_millis(1));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

async fn run(ground: Ground, delays: bool) {
    let (broker, queue) = ground.open().await;
    let run = Run::new(&queue, delays);
    let count = ground.scaled(250);
    let producers: Vec<_> = (0..TASKS).map(|seed| tokio::spawn(run.clone().produce(seed, count))).collect();
    let consumers: Vec<_> = (0..TASKS).map(|seed| tokio::spawn(run.clone().consume(1_000 + seed))).collect();
    for producer in join_all(producers).await {
        producer.unwrap().unwrap();
    }
    // A dropped send may be in a group that is still to be committed; it is in the counters all the same.
    until_empty(&ground, &queue).await;
    run.stop.store(true, Ordering::SeqCst);
    for consumer in join_all(consumers).await {
        consumer.unwrap().unwrap();
    }
    assert_eq!(queue.counters().await.unwrap(), EMPTY);
    run.ledger.nothing_is_left();
    broker.close().await.unwrap();
    drop((run, queue, broker));
    let (_broker, queue) = ground.open().await;
    assert_eq!(queue.counters().await.unwrap(), EMPTY, "and after reopening");
}

async fn nothing_is_lost_or_held_twice(ground: Ground) {
    run(ground, false).await;
}

async fn nothing_is_lost_among_delayed_messages(ground: Ground) {
    run(ground, true).await;
}

on_every_ground! {
    nothing_is_lost_or_held_twice,
    nothing_is_lost_among_delayed_messages,
}
