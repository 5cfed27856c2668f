//! Invocations that get no permit (rules L41, L61).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use broker_worker::{
    concurrency::{Gate, Permit, ThrottleReason, Throttled},
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
};

use crate::ground::{Log, counters, ms, queue, run_for, secs, send, sleep};

/// A gate for so many at once.
struct Few {
    free: Arc<AtomicUsize>,
    asked: Log,
}

struct Back(Arc<AtomicUsize>);

impl Drop for Back {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Gate for Few {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        self.asked.note("asked");
        let taken = self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(1));
        taken
            .map(|_| Permit::holding(Back(self.free.clone())))
            .map_err(|_| Throttled { reason: ThrottleReason::Concurrency, retry_after: None })
    }
}

fn gate(free: usize, asked: &Log) -> (Arc<dyn Gate>, Arc<AtomicUsize>) {
    let free = Arc::new(AtomicUsize::new(free));
    (Arc::new(Few { free: free.clone(), asked: asked.clone() }), free)
}

// L41: the same receive is tried again, less and less often, until its visibility timeout is over. Then the runtime forgets
// it, and it comes again from the queue. That counts as one receive.
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_tried_again_until_its_visibility_timeout_ends() {
    let (queue, log, asked) = (queue().await, Log::new(), Log::new());
    send(&queue, ["a", "b"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.note(format!("{} of delivery {}", messages.len(), messages.messages()[0].receive_count));
        async {}
    });
    let (gate, free) = gate(0, &asked);
    let mapping = QueueMapping::new(queue.clone(), handler).gate(gate).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    sleep(ms(31_500)).await;
    assert_eq!(asked.times(), [0, 1_000, 3_000, 7_000, 15_000, 25_000, 30_000, 31_000]);
    assert_eq!((running.counts().dropped, running.counts().invocations), (2, 0));
    free.store(1, Ordering::SeqCst);
    let report = run_for(running, secs(2)).await;
    assert_eq!(log.lines(), [(33_000, "2 of delivery 2".to_owned())]);
    assert_eq!((report.counts.acked, report.counts.throttled, report.counts.received), (2, 8, 4));
}

// A gate may say when to come again.
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_waits_as_long_as_the_gate_says() {
    struct Later(Log);
    impl Gate for Later {
        fn try_enter(&self) -> Result<Permit, Throttled> {
            self.0.note("asked");
            match self.0.lines().len() {
                1 => Err(Throttled { reason: ThrottleReason::Concurrency, retry_after: Some(secs(12)) }),
                _ => Ok(Permit::uncounted()),
            }
        }
    }
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let mapping = QueueMapping::new(queue, batch(|_: Batch, _| async {})).gate(Arc::new(Later(log.clone())));
    run_for(mapping.pollers(Pollers::Fixed(1)).start().await.unwrap(), secs(20)).await;
    assert_eq!(log.times(), [0, 12_000]);
}

// L61: with a maximum that the gate has room for, nothing is received that may not run. The gate alone does not limit
// receives: messages are received, throttled, and their counts grow.
#[tokio::test(start_paused = true)]
async fn a_maximum_prevents_throttles_and_a_gate_alone_does_not() {
    for (pollers, throttles) in [(Pollers::Maximum(2), false), (Pollers::Automatic, true)] {
        let (queue, asked) = (queue().await, Log::new());
        send(&queue, (0..100).map(|n| n.to_string())).await;
        let most = Arc::new(AtomicUsize::new(0));
        let seen = most.clone();
        let handler = batch(move |messages: Batch, _| {
            for message in messages.messages() {
                seen.fetch_max(message.receive_count as usize, Ordering::SeqCst);
            }
            sleep(secs(20))
        });
        let (gate, _) = gate(2, &asked);
        let mapping = QueueMapping::new(queue.clone(), handler).gate(gate).pollers(pollers);
        let report = run_for(mapping.start().await.unwrap(), secs(1_000)).await;
        assert_eq!((report.counts.acked, counters(&queue).await), (100, (0, 0, 0)));
        assert_eq!(report.counts.throttled > 0, throttles);
        assert_eq!(most.load(Ordering::SeqCst) > 1, throttles);
    }
}

// The permit is given back when the handler is done, whatever it answers, and when it is dropped.
#[tokio::test(start_paused = true)]
async fn permits_come_back_also_from_handlers_that_fail_panic_and_hang() {
    let (queue, asked) = (queue().await, Log::new());
    send(&queue, ["fails", "panics", "hangs", "works"]).await;
    let handler = batch(|messages: Batch, _| async move {
        let text = messages.messages()[0].text().unwrap().to_owned();
        match text.as_str() {
            "fails" => Err("no"),
            "panics" => panic!("as planned"),
            "hangs" => std::future::pending().await,
            _ => Ok(()),
        }
    });
    let (gate, free) = gate(1, &asked);
    let mapping = QueueMapping::new(queue, handler).gate(gate).batch_size(1).timeout(secs(10));
    let report = run_for(mapping.pollers(Pollers::Fixed(1)).start().await.unwrap(), secs(15)).await;
    assert_eq!((free.load(Ordering::SeqCst), report.counts.acked), (1, 1));
    assert_eq!(report.counts.failed_invocations, 3);
}
