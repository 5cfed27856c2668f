//! Settings at their ends, and what is given to a mapping misbehaving: nothing is lost, and nothing stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker_worker::{
    concurrency::{Gate, Open, Permit, Throttled},
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
};

use crate::ground::{broker, ms, queue, run_for, secs, send, sleep};

const HOURS_12: Duration = Duration::from_secs(43_200);

// L43: what is asked for is never more than SQS allows, or every receive would be refused.
#[tokio::test(start_paused = true)]
async fn a_window_on_top_of_the_longest_visibility_timeout_is_no_more_than_twelve_hours() {
    for heartbeat in [false, true] {
        let queue = broker().await.queue("orders").visibility_timeout(HOURS_12).await.unwrap();
        send(&queue, ["a"]).await;
        let mapping = QueueMapping::new(queue, batch(|_: Batch, _| async {})).heartbeat(heartbeat);
        let report = run_for(mapping.window(secs(300)).start().await.unwrap(), secs(301)).await;
        assert_eq!(report.counts.acked, 1, "{heartbeat}");
    }
}

// With a heartbeat a handler may take as long as it likes: its time is not asked for when its messages are received.
#[tokio::test(start_paused = true)]
async fn with_a_heartbeat_any_timeout_goes_with_a_window() {
    for timeout in [HOURS_12 * 2, Duration::MAX] {
        let queue = queue().await;
        send(&queue, ["a"]).await;
        let handler = batch(|messages: Batch, _| async move {
            let first = messages.messages()[0].clone();
            let lease = first.lease();
            // The visibility timeout, the window and the margin: whoever dies does not keep a message for longer.
            assert!(lease.until().since(first.first_received_at) <= secs(61));
            sleep(secs(40_000)).await;
            assert!(!lease.is_lost());
        });
        let mapping = QueueMapping::new(queue, handler).heartbeat(true).timeout(timeout);
        let running = mapping.window(secs(1)).pollers(Pollers::Fixed(1)).start().await.unwrap();
        sleep(secs(40_002)).await;
        assert_eq!((running.counts().acked, running.counts().leases_lost), (1, 0));
    }
}

// A deadline that never comes is none: the stop ends when the handlers have.
#[tokio::test(start_paused = true)]
async fn a_stop_may_wait_for_ever() {
    let queue = queue().await;
    send(&queue, ["a"]).await;
    let mapping = QueueMapping::new(queue, batch(|_: Batch, _| sleep(secs(20))));
    let running = mapping.start().await.unwrap();
    sleep(ms(1)).await;
    let report = running.stop(Duration::MAX).await;
    assert!(report.drained);
    assert_eq!(report.counts.acked, 1);
}

/// A gate that panics the first few times.
struct FallsOver(AtomicUsize);

impl Gate for FallsOver {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "the gate falls over");
        Open.try_enter()
    }
}

// A gate of the user's that panics costs the batch its lease, and no worker.
#[tokio::test(start_paused = true)]
async fn a_gate_that_panics_loses_no_message_and_no_worker() {
    let queue = queue().await;
    send(&queue, ["a", "b", "c"]).await;
    let mapping = QueueMapping::new(queue, batch(|_: Batch, _| async {})).batch_size(1);
    let mapping = mapping.gate(Arc::new(FallsOver(AtomicUsize::new(3)))).pollers(Pollers::Fixed(2));
    let running = mapping.start().await.unwrap();
    sleep(secs(29)).await;
    assert_eq!((running.counts().acked, running.workers().running, running.workers().busy), (0, 2, 0));
    sleep(secs(2)).await;
    let report = running.stop(secs(1)).await;
    assert_eq!((report.counts.acked, report.drained), (3, true));
}
