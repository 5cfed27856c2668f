//! Handlers whose transaction is rejected: nothing has happened, and their messages fail as after any failure.

use std::sync::Arc;

use broker_core::{Error, LocalQueue, ReceiveOptions, Transaction};
use broker_worker::{
    Outcome,
    handler::transact_each,
    queue::{QueueMapping, Received},
    telemetry::WorkerEvent,
};
use futures_util::StreamExt;

use crate::{
    ground::{counters, ms, run_for, secs, send, send_fifo, sleep},
    orders::World,
};

/// Somebody else has received the message since: the whole is rejected, with the reason where it can be seen, and the message is left
/// to whoever has it.
// T15
#[tokio::test(start_paused = true)]
async fn a_lost_lease_rejects_the_work() {
    let world = World::new().await;
    send(&world.orders, ["a"]).await;
    let ours = world.clone();
    let stolen = Arc::new(parking_lot::Mutex::new(None));
    let theirs = stolen.clone();
    let slow = transact_each(world.orders.clone(), move |order: String, message: Received, mut tx| {
        let (world, theirs) = (ours.clone(), theirs.clone());
        async move {
            world.ship(&mut tx, &order).await?;
            if message.receive_count == 1 {
                world.orders.change_visibility(message.receipt, ms(0)).await?;
                *theirs.lock() = world.orders.receive(ReceiveOptions::up_to(1)).await?.pop();
            }
            Ok::<_, Error>(tx)
        }
    });
    let running = world.start(slow).await;
    let events = running.events();
    sleep(secs(1)).await;
    assert_eq!(world.state().await, (1, 0, 0));
    let counts = running.counts();
    assert_eq!((counts.rejected, counts.failed, counts.acked), (1, 1, 0));
    let theirs = stolen.lock().take().unwrap();
    world.orders.change_visibility(theirs.receipt, ms(0)).await.unwrap();
    sleep(secs(1)).await;
    assert_eq!(world.state().await, (0, 1, 1), "the next delivery does it");
    running.stop(secs(1)).await;
    let rejected = |event| async move {
        match event {
            WorkerEvent::Rejected { messages, reason } => Some((messages, reason)),
            _ => None,
        }
    };
    let told: Vec<_> = events.filter_map(rejected).collect().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == 1 && told[0].1.contains("received again since"), "{told:?}");
}

/// A dead letter without a dead-letter queue rejects the transaction, and the message fails.
// T15
#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_rejects_the_work() {
    let world = World::new().await;
    let plain = world.broker.queue("plain").await.unwrap();
    send(&plain, ["a"]).await;
    let ours = world.clone();
    let handler = transact_each(plain.clone(), move |order: String, _: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            Ok::<_, Error>((tx, Outcome::dead("no")))
        }
    });
    let report = run_for(QueueMapping::new(plain.clone(), handler).start().await.unwrap(), secs(1)).await;
    assert_eq!((report.counts.rejected, report.counts.failed, report.counts.dead), (1, 1, 0));
    assert_eq!((world.state().await, counters(&plain).await), ((0, 0, 0), (0, 1, 0)));
}

/// A handler for another queue, or another broker's: each message fails, and nothing happens.
// T15
#[tokio::test(start_paused = true)]
async fn a_handler_of_another_queue_settles_nothing() {
    let (world, stranger) = (World::new().await, World::new().await);
    send(&world.orders, ["a"]).await;
    for other in [world.parcels.clone(), stranger.orders.clone()] {
        let handler =
            transact_each(other, |_: String, _: Received, tx: Transaction| async { Ok::<_, Error>(tx) });
        let report = run_for(world.start(handler).await, secs(31)).await;
        assert_eq!((report.counts.acked, world.state().await), (0, (1, 0, 0)));
        assert!(report.counts.failed > 0);
    }
}

/// On a FIFO queue nothing overtakes a message whose transaction was rejected.
// T15
#[tokio::test(start_paused = true)]
async fn the_order_of_a_group_holds() {
    let world = World::new().await;
    let fifo = world.broker.queue("orders.fifo").fifo().await.unwrap();
    send_fifo(&fifo, &[("g", "a"), ("g", "b"), ("h", "c")]).await;
    let ours = world.clone();
    let handler = transact_each(fifo.clone(), move |order: String, message: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            if order == "a" && message.receive_count == 1 {
                // Longer than the queue allows.
                return Ok((tx, Outcome::retry(secs(43_200))));
            }
            Ok::<_, Error>((tx, Outcome::Ack))
        }
    });
    let running = QueueMapping::new(fifo.clone(), handler).start().await.unwrap();
    sleep(secs(1)).await;
    // The retry is as long as it may be, but the message has waited a moment already: rejected or not, b stays behind a.
    let got: Vec<String> = bodies(&world.parcels).await;
    assert!(!got.contains(&"parcel of b".to_owned()), "{got:?}");
    assert!(got.contains(&"parcel of c".to_owned()), "{got:?}");
    running.stop(secs(1)).await;
}

async fn bodies(queue: &LocalQueue) -> Vec<String> {
    let got = queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
    got.iter().map(|message| message.text().unwrap().to_owned()).collect()
}
