//! How many workers poll: the rates and the bounds of the rules.

use broker_core::LocalQueue;
use broker_worker::{
    handler::batch,
    queue::{Batch, Pollers, QueueMapping, Running, State},
};

use crate::ground::{Log, counters, ms, queue, run_for, secs, send, sleep};

/// A mapping with batches of one, whose handler takes so long.
fn mapping(queue: &LocalQueue, takes: u64) -> QueueMapping {
    let handler = batch(move |_: Batch, _| sleep(secs(takes)));
    QueueMapping::new(queue.clone(), handler).batch_size(1)
}

async fn backlog(messages: usize) -> LocalQueue {
    let queue = crate::ground::broker().await.queue("orders").visibility_timeout(secs(900)).await.unwrap();
    send(&queue, (0..messages).map(|n| n.to_string())).await;
    queue
}

fn busy(running: &Running) -> usize {
    running.workers().busy
}

// Section E4: 5 at first, 300 more each minute, 1,250 at most.
#[tokio::test(start_paused = true)]
async fn a_standard_queue_starts_with_5_and_grows_by_300_a_minute_to_1250() {
    let queue = backlog(1_400).await;
    let running = mapping(&queue, 900).start().await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(busy(&running), 5);
    sleep(ms(198)).await;
    assert_eq!(busy(&running), 5);
    sleep(ms(2)).await;
    assert_eq!(busy(&running), 6);
    sleep(ms(59_800)).await;
    assert_eq!(busy(&running), 305);
    sleep(secs(60)).await;
    assert_eq!(busy(&running), 605);
    sleep(secs(130)).await;
    assert_eq!((busy(&running), running.workers().running), (1_250, 1_250));
    assert_eq!(counters(&queue).await.1, 1_250);
}

// L61: the maximum is never exceeded, and reached at the same rate.
#[tokio::test(start_paused = true)]
async fn a_maximum_is_reached_and_not_exceeded() {
    let queue = backlog(100).await;
    let running = mapping(&queue, 900).pollers(Pollers::Maximum(8)).start().await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(busy(&running), 5);
    sleep(secs(60)).await;
    assert_eq!((busy(&running), counters(&queue).await.1), (8, 8));
    let two = backlog(100).await;
    let running = mapping(&two, 900).pollers(Pollers::Maximum(2)).start().await.unwrap();
    sleep(secs(60)).await;
    assert_eq!((busy(&running), counters(&two).await.1), (2, 2));
}

// Section E4: idle, it goes back to 5, and later to 2; with a maximum it does not go below 5.
#[tokio::test(start_paused = true)]
async fn an_idle_mapping_goes_back_to_5_and_then_to_2() {
    for (pollers, in_the_end, again) in [(Pollers::Automatic, 2, 5), (Pollers::Maximum(50), 5, 6)] {
        let queue = backlog(40).await;
        let running = mapping(&queue, 10).pollers(pollers).start().await.unwrap();
        sleep(secs(9)).await;
        assert_eq!(busy(&running), 40);
        sleep(secs(50)).await;
        assert_eq!((running.workers().running, running.counts().acked), (5, 40));
        sleep(secs(240)).await;
        assert_eq!(running.workers().running, 5);
        sleep(secs(60)).await;
        assert_eq!(running.workers().running, in_the_end);
        // Work is there again: up to five at once, and from there it grows.
        send(&queue, (0..20).map(|n| n.to_string())).await;
        sleep(ms(1)).await;
        assert_eq!(busy(&running), again);
        sleep(secs(1)).await;
        assert_eq!(busy(&running), again + 5);
    }
}

/// The busy workers after so many milliseconds of failures only.
async fn while_failing(report: bool, millis: u64) -> usize {
    let queue = backlog(2_000).await;
    let handler = batch(|_: Batch, _| async {
        sleep(secs(5)).await;
        Err::<(), _>("no")
    });
    let mapping = QueueMapping::new(queue, handler).batch_size(1).report_batch_item_failures(report);
    let running = mapping.start().await.unwrap();
    sleep(ms(millis)).await;
    busy(&running)
}

// L45: errors reduce the concurrency, but not if failures of single items are reported.
#[tokio::test(start_paused = true)]
async fn failures_reduce_the_workers_unless_single_items_are_reported() {
    // The first batches fail after 5 seconds; until then it grows to 30.
    assert_eq!(while_failing(false, 4_100).await, 25);
    assert_eq!(while_failing(false, 11_100).await, 2);
    assert_eq!(while_failing(true, 11_100).await, 60);
}

// L45: a minute without failures, and it grows again.
#[tokio::test(start_paused = true)]
async fn it_grows_again_a_minute_after_the_last_failure() {
    let (queue, log) = (backlog(3).await, Log::new());
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        let fails = messages.messages()[0].text() == Ok("0");
        seen.note(messages.messages()[0].text().unwrap());
        async move {
            sleep(secs(1)).await;
            if fails { Err("no") } else { Ok(()) }
        }
    });
    let running = QueueMapping::new(queue.clone(), handler).batch_size(1).start().await.unwrap();
    sleep(ms(1_001)).await;
    assert_eq!(running.workers().running, 4);
    send(&queue, (10..400).map(|n| n.to_string())).await;
    sleep(secs(50)).await;
    assert_eq!(running.workers().running, 4);
    sleep(secs(15)).await;
    assert!(running.workers().running > 5, "{:?}", running.workers());
}

// A pool sets the number. Workers that wait go at once, those that have a batch finish it.
#[tokio::test(start_paused = true)]
async fn a_fixed_number_is_changed_while_running_and_no_busy_worker_is_ended() {
    let queue = backlog(6).await;
    let running = mapping(&queue, 60).pollers(Pollers::Fixed(0)).start().await.unwrap();
    sleep(secs(5)).await;
    assert_eq!((running.workers().running, running.counts().received), (0, 0));
    assert!(running.resize(10));
    sleep(ms(1)).await;
    assert_eq!((running.workers().running, busy(&running)), (10, 6));
    assert!(running.resize(1));
    sleep(ms(1)).await;
    assert_eq!((running.workers().running, busy(&running)), (6, 6));
    sleep(secs(60)).await;
    assert_eq!((running.workers().running, running.counts().acked), (1, 6));
    running.resize(0);
    sleep(ms(1)).await;
    assert_eq!(running.workers().running, 0);
    let automatic = mapping(&queue, 1).start().await.unwrap();
    assert!(!automatic.resize(3));
}

// L32, L34: a mapping that is disabled finishes what it has and receives nothing more.
#[tokio::test(start_paused = true)]
async fn a_disabled_mapping_finishes_what_it_has() {
    let queue = backlog(8).await;
    let running = mapping(&queue, 10).pollers(Pollers::Maximum(5)).start().await.unwrap();
    assert_eq!(running.state(), State::Enabling);
    sleep(secs(1)).await;
    assert_eq!((running.state(), busy(&running)), (State::Enabled, 5));
    running.set_enabled(false);
    assert_eq!(running.state(), State::Disabling);
    sleep(secs(10)).await;
    assert_eq!((running.state(), running.workers().running), (State::Disabled, 0));
    assert_eq!((running.counts().acked, counters(&queue).await), (5, (3, 0, 0)));
    sleep(secs(100)).await;
    assert_eq!(counters(&queue).await, (3, 0, 0));
    running.set_enabled(true);
    sleep(secs(11)).await;
    assert_eq!((running.state(), counters(&queue).await), (State::Enabled, (0, 0, 0)));
    let report = run_for(running, secs(0)).await;
    assert_eq!(report.counts.acked, 8);
}

// L61: nothing waits in the runtime. What is in flight is being handled.
#[tokio::test(start_paused = true)]
async fn nothing_is_received_that_does_not_run() {
    let queue = queue().await;
    send(&queue, (0..95).map(|n| n.to_string())).await;
    let handler = batch(|_: Batch, _| sleep(secs(10)));
    let running = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(3)).start().await.unwrap();
    for _ in 0..3 {
        sleep(secs(9)).await;
        assert_eq!((busy(&running), counters(&queue).await.1), (3, 30));
        sleep(secs(1)).await;
    }
    sleep(ms(1)).await;
    assert_eq!(counters(&queue).await, (0, 5, 0));
}
