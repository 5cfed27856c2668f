//! Handlers that block the thread which everything runs on. Nothing virtual helps there: the clock is one that the handler
//! itself moves while it blocks, and it waits for what the watchdog does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use broker_core::{Broker, Clock, ManualClock, ReceiveOptions};
use broker_mem::MemStorage;
use broker_worker::{
    Failure,
    handler::{batch, each},
    invoke::{AsyncFunction, function},
    queue::{Batch, Pollers, QueueMapping, Received},
};

const VISIBILITY: Duration = Duration::from_secs(1);
/// As long as a test that goes wrong blocks its thread.
const PATIENCE: Duration = Duration::from_secs(20);

/// Blocks the thread until `done`, without sleeping. Fails if that takes too long.
fn block_until(what: &str, done: impl Fn() -> bool) {
    let (_never, wait) = mpsc::channel::<()>();
    for _ in 0..PATIENCE.as_millis() / 5 {
        if done() {
            return;
        }
        let _ = wait.recv_timeout(Duration::from_millis(5));
    }
    panic!("waited in vain: {what}");
}

// One thread for everything, and the handler blocks it for five times as long as the lease lasts: the lease holds.
#[tokio::test(flavor = "current_thread")]
async fn a_handler_that_blocks_the_only_thread_keeps_its_lease() {
    let clock = ManualClock::new(1_000_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").visibility_timeout(VISIBILITY).await.unwrap();
    queue.send("a").await.unwrap();
    let moved = clock.clone();
    let handler = each(move |(): (), message: Received| {
        let moved = moved.clone();
        async move {
            assert_eq!(message.receive_count, 1);
            for _ in 0..10 {
                // Half of the lease passes, and a bit more than that the thread is given.
                let until = message.lease().until();
                moved.advance(VISIBILITY * 4 / 5);
                block_until("the lease is extended", || message.lease().until() > until);
                assert!(!message.lease().is_lost());
            }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).heartbeat(true).pollers(Pollers::Fixed(1));
    let running = mapping.clock(Arc::new(clock.clone())).start().await.unwrap();
    while running.counts().acked == 0 {
        assert_eq!(running.counts().failed, 0, "the handler waited in vain");
        tokio::task::yield_now().await;
    }
    assert_eq!(clock.now().as_millis(), 1_008_000);
    let counts = running.counts();
    assert_eq!((counts.received, counts.leases_lost, counts.stale), (1, 0, 0));
    assert_eq!(queue.counters().await.unwrap().total(), 0);
}

// Without a heartbeat the lease ends while the handler blocks. Its acknowledge comes after somebody else has the message,
// and does not count.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handler_that_blocks_past_its_lease_acknowledges_nothing() {
    let clock = ManualClock::new(1_000_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").visibility_timeout(VISIBILITY).await.unwrap();
    queue.send("a").await.unwrap();
    let (blocking, stolen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, go_on) = (blocking.clone(), stolen.clone());
    let handler = each(move |(): (), message: Received| {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        async move {
            assert_eq!(message.receive_count, 1);
            begun.store(true, Ordering::SeqCst);
            block_until("the message is stolen", || go_on.load(Ordering::SeqCst));
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let running = mapping.clock(Arc::new(clock.clone())).start().await.unwrap();
    // This runs on the thread of the test, not on the one that is blocked.
    block_until("the handler begins", || blocking.load(Ordering::SeqCst));
    clock.advance(VISIBILITY);
    let again = queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
    assert_eq!(again[0].receive_count, 2);
    stolen.store(true, Ordering::SeqCst);
    while running.counts().stale + running.counts().failed == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((running.counts().acked, running.counts().stale), (0, 1));
    assert_eq!(queue.counters().await.unwrap().in_flight, 1);
    assert_eq!(queue.delete(again[0].receipt).await.unwrap(), broker_core::Deleted::Gone);
}

// A shutdown does not wait for a thread that is blocked: its messages are given back at the deadline, and what the
// handler answers after that does not count.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_shutdown_releases_the_messages_of_a_blocked_handler() {
    let clock = ManualClock::new(1_000_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send("a").await.unwrap();
    let (blocking, free) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, go_on) = (blocking.clone(), free.clone());
    let handler = each(move |(): (), _: Received| {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        async move {
            begun.store(true, Ordering::SeqCst);
            block_until("the test goes on", || go_on.load(Ordering::SeqCst));
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let running = mapping.clock(Arc::new(clock.clone())).start().await.unwrap();
    block_until("the handler begins", || blocking.load(Ordering::SeqCst));
    let stopping = running.stop(Duration::from_secs(5));
    let time = async {
        // The clock moves on when everybody waits for it: past the deadline, and past the second behind that.
        for _ in 0..8 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let (report, ()) = tokio::join!(stopping, time);
    assert_eq!((report.drained, report.released, report.counts.acked), (false, 1, 0));
    free.store(true, Ordering::SeqCst);
    // The only worker thread comes to this when the handler has returned, and the runtime has read its answer.
    tokio::spawn(async {}).await.unwrap();
    let again = queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
    assert_eq!(again[0].receive_count, 2);
    assert_eq!(queue.delete(again[0].receipt).await.unwrap(), broker_core::Deleted::Gone);
}

// A function that is stopped does not wait for a thread that is blocked either: the event is given back, and comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_gives_back_the_event_of_a_blocked_function() {
    let clock = ManualClock::new(1_000_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("events").await.unwrap();
    let (blocking, free) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, go_on) = (blocking.clone(), free.clone());
    let blocks = function(move |(): (), _| {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        async move {
            begun.store(true, Ordering::SeqCst);
            block_until("the test goes on", || go_on.load(Ordering::SeqCst));
            Ok::<_, Failure>(())
        }
    });
    let running = AsyncFunction::new("orders", queue.clone(), blocks).start().await.unwrap();
    running.invoke("null").await.unwrap();
    block_until("the function begins", || blocking.load(Ordering::SeqCst));
    let caller = (*running).clone();
    let stopping = running.stop(Duration::from_secs(5));
    let time = async {
        for _ in 0..8 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let (drained, ()) = tokio::join!(stopping, time);
    assert!(!drained);
    free.store(true, Ordering::SeqCst);
    tokio::spawn(async {}).await.unwrap();
    assert_eq!(caller.counts().succeeded, 0);
    let again = queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
    assert_eq!(again[0].receive_count, 2);
}

// L2: an answer that comes after the timeout is none, also of a handler that could not be dropped because it blocked.
#[tokio::test(flavor = "current_thread")]
async fn the_answer_of_a_handler_that_blocks_past_its_timeout_does_not_count() {
    let clock = ManualClock::new(1_000_000);
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send("a").await.unwrap();
    let moved = clock.clone();
    let handler = batch(move |_: Batch, _| {
        let moved = moved.clone();
        async move { moved.advance(Duration::from_millis(1_001)) }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).timeout(Duration::from_secs(1));
    let running = mapping.pollers(Pollers::Fixed(1)).start().await.unwrap();
    while running.counts().invocations == 0 {
        tokio::task::yield_now().await;
    }
    let counts = running.counts();
    assert_eq!((counts.failed_invocations, counts.acked), (1, 0));
    assert_eq!(queue.counters().await.unwrap().in_flight, 1);
}
