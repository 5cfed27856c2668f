//! Provisioned pollers (rule L60): ten invocations, ten calls and one megabyte a second for each.

use broker_core::{Broker, Limits, LocalQueue};
use broker_mem::MemStorage;
use broker_worker::{
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
};

use crate::ground::{Log, ms, secs, send, sleep};

async fn backlog(messages: usize, bytes: usize) -> LocalQueue {
    let broker = Broker::builder(MemStorage::new()).limits(Limits::aws()).open().await.unwrap();
    let queue = broker.queue("orders").visibility_timeout(secs(900)).await.unwrap();
    let body = "x".repeat(bytes);
    send(&queue, (0..messages).map(|_| body.clone())).await;
    queue
}

// L60: each poller has up to 10 invocations at once; pollers grow by 1,000 invocations a minute up to the maximum.
#[tokio::test(start_paused = true)]
async fn pollers_have_ten_invocations_each_and_grow_by_a_hundred_a_minute() {
    let queue = backlog(3_000, 1).await;
    let handler = batch(|_: Batch, _| sleep(secs(900)));
    let mapping = QueueMapping::new(queue, handler).batch_size(1);
    let running = mapping.pollers(Pollers::Provisioned { min: 2, max: 40 }).start().await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(running.workers().running, 20);
    sleep(secs(120)).await;
    assert_eq!((running.workers().running, running.workers().busy), (400, 400));
}

// L60: not more than ten calls a second for each poller.
#[tokio::test(start_paused = true)]
async fn each_poller_makes_up_to_ten_calls_a_second() {
    let (queue, log) = (backlog(200, 1).await, Log::new());
    let seen = log.clone();
    let handler = batch(move |_: Batch, _| {
        seen.note("batch");
        async {}
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(1);
    let running = mapping.pollers(Pollers::Provisioned { min: 2, max: 2 }).start().await.unwrap();
    sleep(secs(11)).await;
    drop(running);
    // 200 messages, 20 calls a second: one every 50 milliseconds, the last one after almost ten seconds.
    assert_eq!(log.times(), (0..200).map(|n| n * 50).collect::<Vec<u64>>());
}

// L60: not more than a megabyte a second for each poller.
#[tokio::test(start_paused = true)]
async fn each_poller_takes_up_to_a_megabyte_a_second() {
    let (queue, log) = (backlog(40, 500_000).await, Log::new());
    let seen = log.clone();
    let handler = batch(move |_: Batch, _| {
        seen.note("batch");
        async {}
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(1);
    let running = mapping.pollers(Pollers::Provisioned { min: 2, max: 2 }).start().await.unwrap();
    sleep(secs(20)).await;
    drop(running);
    // Two megabytes a second are four of these messages.
    assert_eq!(log.times(), (0..40).map(|n| n * 250).collect::<Vec<u64>>());
}
