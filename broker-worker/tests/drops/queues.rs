//! Mappings of queues: how they start, stop and break, and leases.

use std::time::Duration;

use broker_core::{Error, Queue as _, ReceiveOptions};
use broker_worker::{
    handler::each,
    queue::{Lease, Pollers, QueueMapping, Received, Running},
    shutdown::stop_all,
};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    ms, secs, sweep,
    world::{VISIBILITY, World},
};

// A mapping whose start was dropped is not there: nothing was received, and no worker is left.
#[tokio::test(start_paused = true)]
async fn a_start_that_is_dropped_leaves_no_worker() {
    let points = sweep(
        async || World::new(3).await,
        async |world| world.mapping(ms(10)).start().await.unwrap(),
        async |world, running| {
            let dropped = running.is_none();
            sleep(secs(1)).await;
            drop(running);
            world.nothing_runs().await;
            assert!(!dropped || world.log.len() == 0);
            world.all_is_handled().await;
        },
    )
    .await;
    assert_eq!(points, 2);
}

/// A mapping that runs, and has worked for half a second.
async fn at_work(messages: usize, takes: Duration) -> (World, Option<Running>) {
    let world = World::new(messages).await;
    let running = world.mapping(takes).heartbeat(true).start().await.unwrap();
    sleep(ms(500)).await;
    (world, Some(running))
}

async fn stop_is_swept(messages: usize, takes: Duration, drain: Duration, drained: bool) -> usize {
    sweep(
        async || at_work(messages, takes).await,
        async |(_, running)| running.take().unwrap().stop(drain).await,
        async |(world, running), report| {
            drop(running);
            if let Some(report) = report {
                assert_eq!(report.drained, drained, "{report}");
            }
            world.nothing_runs().await;
            world.all_is_handled().await;
        },
    )
    .await
}

// A stop that is dropped ends everything at once, as if the mapping was dropped.
#[tokio::test(start_paused = true)]
async fn a_stop_that_drains_and_is_dropped_ends_everything() {
    assert!(stop_is_swept(6, secs(3), secs(20), true).await >= 6);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_releases_and_is_dropped_ends_everything() {
    assert!(stop_is_swept(6, secs(10), secs(2), false).await >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_several_that_is_dropped_ends_all_of_them() {
    let points = sweep(
        async || {
            let (first, second) = (at_work(4, secs(3)).await, at_work(4, secs(8)).await);
            ([first.0, second.0], vec![first.1.unwrap(), second.1.unwrap()])
        },
        async |(_, running)| stop_all(std::mem::take(running), secs(7)).await,
        async |(worlds, running), reports| {
            drop(running);
            assert!(reports.is_none_or(|reports| reports.len() == 2));
            for world in worlds {
                world.nothing_runs().await;
                world.all_is_handled().await;
            }
        },
    )
    .await;
    assert!(points >= 6, "{points}");
}

// Whoever waits for the end of a mapping has no part in it, and may wait again.
#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_of_a_mapping_can_be_dropped_and_done_again() {
    let points = sweep(
        async || {
            let (world, running) = at_work(2, ms(10)).await;
            let broker = world.broker.clone();
            let ends = tokio::spawn(async move {
                sleep(ms(3_500)).await;
                broker.close().await.unwrap();
            });
            (world, running.unwrap(), ends)
        },
        async |(_, running, _)| running.broken().await,
        async |(world, running, ends), error| {
            if error.is_none() {
                assert!(!ends.is_finished());
                world.queue.send("one more").await.unwrap();
                sleep(ms(400)).await;
                world.is_done().await;
                world.log.check(["one more"]);
            }
            ends.await.unwrap();
            assert!(matches!(running.broken().await, Error::Closed));
            assert!(running.stop(secs(1)).await.drained);
            sleep(ms(1)).await;
            assert!(world.is_idle());
        },
    )
    .await;
    assert!(points >= 3, "{points}");
}

/// A mapping whose one handler has a message, and waits until it is told to go on.
struct Leased {
    world: World,
    lease: Lease,
    go_on: mpsc::Sender<()>,
    running: Running,
}

async fn leased(heartbeat: bool) -> Leased {
    let world = World::new(1).await;
    let (out, mut leases) = mpsc::channel(1);
    let (go_on, wait) = mpsc::channel(1);
    let wait = std::sync::Arc::new(tokio::sync::Mutex::new(wait));
    let log = world.log.clone();
    let handler = each(move |body: String, message: Received| {
        let (out, wait, log) = (out.clone(), wait.clone(), log.clone());
        async move {
            log.note(crate::world::Did::Begun(body.clone()));
            let _ = out.try_send(message.lease().clone());
            let _: Option<()> = wait.lock().await.recv().await;
            log.note(crate::world::Did::Handled(body));
        }
    });
    let mapping = QueueMapping::new(world.slow.clone(), handler).pollers(Pollers::Fixed(1));
    let running = mapping.heartbeat(heartbeat).start().await.unwrap();
    let lease = leases.recv().await.unwrap();
    Leased { world, lease, go_on, running }
}

/// Extends a lease, and drops that. The message is nobody else's for as long as the lease says, and can be acknowledged then.
async fn extension_is_swept(timeout: Duration, heartbeat: bool) {
    let points = sweep(
        async || leased(heartbeat).await,
        async |leased| leased.lease.extend(timeout).await.unwrap(),
        async |Leased { world, lease, go_on, running }, extended| {
            let now = world.queue.clock().now();
            let expected = if extended.is_some() { timeout } else { VISIBILITY };
            let left = lease.until().since(now);
            assert!(left + ms(10) > expected.min(timeout), "{left:?}");
            // With a heartbeat it lasts until its handler is done; without, the handler has as long as the queue's own timeout.
            sleep(if heartbeat { VISIBILITY * 2 } else { VISIBILITY.saturating_sub(ms(100)) }).await;
            assert!(!lease.is_lost());
            assert!(world.queue.receive(ReceiveOptions::default()).await.unwrap().is_empty());
            go_on.send(()).await.unwrap();
            sleep(ms(50)).await;
            let report = running.stop(secs(1)).await;
            assert_eq!(report.counts.acked, 1, "{report}");
            drop(lease);
            world.all_is_handled().await;
        },
    )
    .await;
    assert_eq!(points, 2);
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_dropped_has_extended_the_lease_or_not() {
    extension_is_swept(VISIBILITY * 3, false).await;
}

#[tokio::test(start_paused = true)]
async fn with_a_heartbeat_too() {
    extension_is_swept(VISIBILITY * 3, true).await;
    extension_is_swept(secs(10), true).await;
}
