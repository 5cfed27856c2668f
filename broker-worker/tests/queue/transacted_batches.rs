//! Handlers that fill one transaction for a whole batch.

use std::sync::Arc;

use broker_core::{Error, Transaction, storage::faults::CrashStorage};
use broker_mem::MemStorage;
use broker_worker::{Handler, handler::transact_batch, queue::Batch};

use crate::{
    ground::{run_for, secs, send, sleep},
    orders::World,
};

/// A handler that ships a whole batch, and says that the messages with these bodies failed.
fn whole(world: &World, failing: &'static [&'static str]) -> impl Handler<Batch> + use<> {
    let ours = world.clone();
    transact_batch(world.orders.clone(), move |batch: Batch, mut tx: Transaction| {
        let world = ours.clone();
        async move {
            let mut failed = Vec::new();
            for order in batch.messages() {
                let body = order.text().unwrap();
                if failing.contains(&body) {
                    failed.push(order.id);
                } else {
                    world.ship(&mut tx, body).await?;
                }
            }
            Ok::<_, Error>((tx, failed))
        }
    })
}

// T18
#[tokio::test(start_paused = true)]
async fn a_batch_is_one_commit() {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
    let world = World::on(store.clone()).await.unwrap();
    send(&world.orders, ["a", "b", "c"]).await;
    let before = store.commits();
    let report = run_for(world.start(whole(&world, &[])).await, secs(1)).await;
    assert_eq!((world.state().await, report.counts.acked), ((0, 3, 3), 3));
    assert_eq!(store.commits() - before, 2, "a receive, and one commit for all that followed");
}

/// Messages that failed are left out, and those that were decided on; the rest is committed.
// T18
#[tokio::test(start_paused = true)]
async fn messages_of_a_batch_that_failed_are_left_out() {
    let world = World::new().await;
    send(&world.orders, ["a", "bad", "c"]).await;
    let report = run_for(world.start(whole(&world, &["bad"])).await, secs(1)).await;
    assert_eq!(world.state().await, (1, 2, 2));
    assert_eq!((report.counts.acked, report.counts.failed), (2, 1));
    // None is left: nothing is committed.
    sleep(secs(30)).await;
    let ours = world.clone();
    let decided = transact_batch(world.orders.clone(), move |batch: Batch, mut tx: Transaction| {
        let world = ours.clone();
        async move {
            batch.messages()[0].dead("no");
            world.ship(&mut tx, "nothing").await?;
            Ok::<_, Error>(tx)
        }
    });
    let report = run_for(world.start(decided).await, secs(1)).await;
    assert_eq!((world.state().await, report.counts.dead), ((0, 2, 2), 1));
}

/// One message that cannot be settled rejects all of a batch; an id that is not of it fails all.
// T18
#[tokio::test(start_paused = true)]
async fn one_message_that_cannot_be_settled_rejects_the_batch() {
    let world = World::new().await;
    send(&world.orders, ["a", "b"]).await;
    let ours = world.clone();
    let handler = transact_batch(world.orders.clone(), move |batch: Batch, mut tx: Transaction| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, "all").await?;
            let first = &batch.messages()[0];
            match first.receive_count {
                1 => _ = world.orders.delete(first.receipt).await?,
                2 => return Ok((tx, vec![first.id])),
                _ => {}
            }
            Ok::<_, Error>((tx, Vec::new()))
        }
    });
    let report = run_for(world.start(handler).await, secs(1)).await;
    assert_eq!(world.state().await, (1, 0, 0));
    assert_eq!((report.counts.rejected, report.counts.failed, report.counts.failed_invocations), (1, 2, 1));
    let stranger = world.parcels.send("not of the batch").await.unwrap().id;
    let named = transact_batch(world.orders.clone(), move |_: Batch, tx| async move {
        Ok::<_, Error>((tx, vec![stranger]))
    });
    let report = run_for(world.start(named).await, secs(30)).await;
    assert_eq!((report.counts.failed, report.counts.acked, report.counts.rejected), (1, 0, 0));
    assert_eq!(world.state().await.0, 1);
}
