//! Batching windows: when a batch is handed over that is not full.

use broker_worker::{
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
};

use crate::ground::{Log, ms, queue, run_for, secs, send, sleep};

fn mapping(queue: &broker_core::LocalQueue, log: &Log) -> QueueMapping {
    let log = log.clone();
    let handler = batch(move |messages: Batch, _| {
        log.note(messages.len().to_string());
        async {}
    });
    QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1))
}

// L31: the window ends.
#[tokio::test(start_paused = true)]
async fn a_batch_is_handed_over_when_its_window_ends() {
    let (queue, log) = (queue().await, Log::new());
    let running = mapping(&queue, &log).batch_size(100).window(secs(5)).start().await.unwrap();
    sleep(secs(1)).await;
    send(&queue, ["a", "b"]).await;
    sleep(secs(2)).await;
    send(&queue, ["c"]).await;
    run_for(running, secs(3)).await;
    assert_eq!(log.lines(), [(5_000, "3".to_owned())]);
}

// L31: the batch is full.
#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_the_end_of_its_window() {
    let (queue, log) = (queue().await, Log::new());
    let running = mapping(&queue, &log).batch_size(25).window(secs(5)).start().await.unwrap();
    sleep(secs(1)).await;
    send(&queue, (0..30).map(|n| n.to_string())).await;
    run_for(running, secs(6)).await;
    // The next window begins when the invocation before has ended.
    assert_eq!(log.lines(), [(1_000, "25".to_owned()), (6_000, "5".to_owned())]);
}

// L31: the next window begins when the invocation before has ended, not when its batch was handed over.
#[tokio::test(start_paused = true)]
async fn a_window_begins_when_the_invocation_before_has_ended() {
    let (queue, log) = (queue().await, Log::new());
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.note(messages.len().to_string());
        sleep(secs(7))
    });
    send(&queue, ["a"]).await;
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let running = mapping.batch_size(100).window(secs(2)).start().await.unwrap();
    sleep(secs(5)).await;
    send(&queue, ["b"]).await;
    run_for(running, secs(10)).await;
    assert_eq!(log.lines(), [(2_000, "1".to_owned()), (11_000, "1".to_owned())]);
}

// L44: an idle worker waits in a long poll of 20 seconds, and the window begins with it. What comes when the window has
// ended goes at once.
#[tokio::test(start_paused = true)]
async fn with_low_traffic_the_window_begins_with_the_long_poll() {
    let (queue, log) = (queue().await, Log::new());
    let running = mapping(&queue, &log).batch_size(100).window(secs(5)).start().await.unwrap();
    sleep(secs(19)).await;
    send(&queue, ["late in a poll of 20 s"]).await;
    sleep(secs(22)).await;
    // 41 s: the poll that began at 19 s found nothing until 39 s.
    send(&queue, ["early in the next poll"]).await;
    run_for(running, secs(20)).await;
    assert_eq!(log.lines(), [(19_000, "1".to_owned()), (44_000, "1".to_owned())]);
}

// L62: 30 messages, batches of 20, a window of a second, two at once: two batches, of sizes that are not determined.
#[tokio::test(start_paused = true)]
async fn thirty_messages_are_two_batches_of_up_to_twenty() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, (0..30).map(|n| n.to_string())).await;
    let mapping = mapping(&queue, &log).batch_size(20).window(secs(1)).pollers(Pollers::Maximum(2));
    let report = run_for(mapping.start().await.unwrap(), secs(3)).await;
    let sizes: Vec<u32> = log.words().iter().map(|size| size.parse().unwrap()).collect();
    assert_eq!((sizes.len(), sizes.iter().sum::<u32>()), (2, 30), "{sizes:?}");
    assert_eq!((report.counts.acked, report.counts.throttled), (30, 0));
}

// L43: the leases last for window, timeout and 30 seconds if the queue's own timeout is shorter than window and timeout.
#[tokio::test(start_paused = true)]
async fn receives_ask_for_more_time_if_window_and_timeout_need_it() {
    for (window, timeout, leased) in [(20, 10, 30), (20, 11, 61), (0, 30, 30)] {
        let (queue, log) = (queue().await, Log::new());
        let seen = log.clone();
        let handler = batch(move |messages: Batch, _| {
            let lease = messages.messages()[0].lease().clone();
            let left = lease.until().as_millis();
            seen.note(left.to_string());
            async { Err::<(), _>("not today") }
        });
        let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
        send(&queue, ["a"]).await;
        let running = mapping.window(secs(window)).timeout(secs(timeout)).start().await.unwrap();
        sleep(secs(window) + ms(1)).await;
        assert_eq!(log.times(), [window * 1_000]);
        drop(running);
        // It is visible again when the lease ends, to the millisecond.
        broker_core::QueueExt::recv(&queue).await.unwrap();
        assert_eq!(log.now(), leased * 1_000, "window {window}, timeout {timeout}");
    }
}
