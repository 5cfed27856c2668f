//! Handlers that fill a transaction: what they write and what becomes of their messages is one commit, whenever it ends.

use std::sync::Arc;

use broker_core::{
    Broker, Error, ReceiveOptions,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use broker_mem::MemStorage;
use broker_worker::{
    Json, Outcome,
    handler::transact_each,
    queue::{QueueMapping, Received},
};

use crate::{
    ground::{ms, run_for, secs, send, send_fifo, sleep},
    orders::World,
};

// T14
#[tokio::test(start_paused = true)]
async fn the_work_of_a_message_is_committed_with_its_acknowledgement() {
    let world = World::new().await;
    send(&world.orders, ["a", "b", "c"]).await;
    let report = run_for(world.start(world.shipping()).await, secs(1)).await;
    assert_eq!(world.state().await, (0, 3, 3));
    assert_eq!((report.counts.acked, report.counts.stale, report.counts.leases_lost), (3, 0, 0));
    assert_eq!((report.counts.rejected, world.calls()), (0, 3));
}

/// A mapping works on three orders while its store dies at each commit: afterwards each order is shipped and gone, or neither.
// T14
#[test]
fn never_a_part_of_it_whatever_the_crash() {
    let run = |store: Arc<CrashStorage>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let Ok(world) = World::on(store).await else { return };
            let all: broker_core::Entries<_> =
                ["a", "b", "c"].into_iter().map(broker_core::SendMessage::from).collect();
            if world.orders.send_batch(all).await.is_ok()
                && let Ok(running) = world.mapping(world.shipping()).start().await
            {
                run_for(running, secs(1)).await;
            }
        });
    };
    let store = |can_block, point| {
        Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point))
    };
    let mut partly = 0;
    for can_block in [false, true] {
        let whole = store(can_block, CrashPoint::Never);
        run(whole.clone());
        for number in 0..whole.commits() {
            for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
                let crashed = store(can_block, point);
                run(crashed.clone());
                for survive in [Survive::Kill, Survive::PowerCut { unsynced: 0 }] {
                    let left = crashed.restart(survive, Arc::new(MemStorage::new())).unwrap();
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                    let (orders, parcels, shipped) = runtime
                        .unwrap()
                        .block_on(async { World::on(Arc::new(left)).await.unwrap().state().await });
                    assert!(orders + parcels == 3 || (orders, parcels) == (0, 0), "{point:?}, {survive:?}");
                    assert_eq!(parcels, shipped, "{point:?}, {survive:?}");
                    partly += usize::from(orders > 0 && parcels > 0);
                }
            }
        }
    }
    assert!(partly > 4, "some die in the middle: {partly}");
}

/// The handler is dropped wherever it is, in the middle of its commit too.
// T14
#[test]
fn a_mapping_that_is_dropped_has_done_all_of_an_order_or_nothing() {
    let mut seen = std::collections::BTreeSet::new();
    for yields in 0..120 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let store = CrashStorage::new(Arc::new(MemStorage::new())).can_block(true);
            let world = World::on(Arc::new(store)).await.unwrap();
            send(&world.orders, ["a", "b"]).await;
            let running = world.start(world.shipping()).await;
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            drop(running);
            tokio::task::yield_now().await;
            world.broker.flush().await.unwrap();
            let (orders, parcels, shipped) = world.state().await;
            assert_eq!((orders + parcels, parcels), (2, shipped), "after {yields} yields");
            seen.insert(parcels);
            // What is left comes again, and is done once.
            run_for(world.start(world.shipping()).await, secs(40)).await;
            assert_eq!(world.state().await, (0, 2, 2), "after {yields} yields");
        });
    }
    assert!(seen.contains(&0), "{seen:?}");
}

/// A key that was changed since it was read: the function runs again, at once, and its message is acknowledged once.
// T16
#[tokio::test(start_paused = true)]
async fn after_a_conflict_the_function_runs_again() {
    let world = World::new().await;
    send(&world.orders, ["a", "b"]).await;
    let ours = world.clone();
    let disturbed = transact_each(world.orders.clone(), move |order: String, _: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            if world.calls() < 4 {
                world.totals.put("shipped", vec![10]).await?;
            }
            Ok::<_, Error>(tx)
        }
    });
    let report = run_for(world.start(disturbed).await, ms(1)).await;
    assert_eq!((world.calls(), world.state().await), (5, (0, 2, 12)));
    assert_eq!((report.counts.acked, report.counts.rejected, report.counts.failed), (2, 0, 0));
}

/// One that is always overtaken gives up after so many tries; its message fails and comes again as after any failure.
// T16
#[tokio::test(start_paused = true)]
async fn one_that_is_always_overtaken_fails() {
    let transactions =
        broker_core::TransactionLimits { tries_max: 3, ..broker_core::TransactionLimits::standard() };
    let limits = broker_core::Limits { transactions, ..broker_core::Limits::aws() };
    let broker = Broker::builder(MemStorage::new()).limits(limits).open().await.unwrap();
    let (orders, parcels) = (broker.queue("orders").await.unwrap(), broker.queue("parcels").await.unwrap());
    let totals = broker.space("totals").await.unwrap();
    let world = World { broker, orders, parcels, totals, calls: Arc::default() };
    send(&world.orders, ["a"]).await;
    let ours = world.clone();
    let overtaken = transact_each(world.orders.clone(), move |order: String, message: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            if message.receive_count == 1 {
                world.totals.put("shipped", vec![10]).await?;
            }
            Ok::<_, Error>(tx)
        }
    });
    let running = world.start(overtaken).await;
    sleep(secs(29)).await;
    assert_eq!((world.calls(), world.state().await), (3, (1, 0, 10)));
    assert_eq!((running.counts().rejected, running.counts().failed), (1, 1));
    let report = run_for(running, secs(2)).await;
    assert_eq!((world.calls(), world.state().await, report.counts.acked), (4, (0, 1, 11), 1));
}

/// Errors, panics, what does not parse, and decisions: nothing of the transaction happens.
// T17
#[tokio::test(start_paused = true)]
async fn without_success_nothing_is_committed() {
    let world = World::new().await;
    send(&world.orders, ["error", "panic", "failed", "decided"].map(|order| format!("\"{order}\""))).await;
    send(&world.orders, ["no JSON"]).await;
    let ours = world.clone();
    let handler = transact_each(world.orders.clone(), move |Json(order), message: Received, mut tx| {
        let (world, order): (_, String) = (ours.clone(), order);
        async move {
            world.ship(&mut tx, &order).await?;
            match order.as_str() {
                "error" => Err("out of luck".into()),
                "panic" => panic!("out of order"),
                "failed" => Ok((tx, Outcome::Failed(broker_worker::Failure::new("no")))),
                _ => {
                    message.retry(secs(60));
                    Ok::<_, broker_worker::BoxError>((tx, Outcome::Ack))
                }
            }
        }
    });
    let report = run_for(world.start(handler).await, secs(1)).await;
    assert_eq!(world.state().await, (5, 0, 0));
    let counts = report.counts;
    assert_eq!((counts.failed, counts.retried, counts.acked, counts.rejected), (4, 1, 0, 0));
    assert_eq!(world.calls(), 4);
}

/// To be tried again, or dead: that too is committed together with what was written.
// T14
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_message_is_part_of_the_transaction() {
    let world = World::new().await;
    send(&world.orders, ["later", "hopeless"]).await;
    let ours = world.clone();
    let handler = transact_each(world.orders.clone(), move |order: String, message: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            let outcome = match (order.as_str(), message.receive_count) {
                ("later", 1) => Outcome::retry(secs(5)),
                ("hopeless", _) => Outcome::dead("x".repeat(2_000)),
                _ => Outcome::Ack,
            };
            Ok::<_, Error>((tx, outcome))
        }
    });
    let running = world.start(handler).await;
    sleep(secs(4)).await;
    assert_eq!((world.calls(), world.state().await), (2, (1, 2, 2)));
    let report = run_for(running, secs(2)).await;
    assert_eq!(world.state().await, (0, 3, 3));
    let counts = report.counts;
    assert_eq!((counts.acked, counts.retried, counts.dead, counts.failed), (1, 1, 1, 0));
    let letter = world.dead().await.receive(ReceiveOptions::up_to(1)).await.unwrap().remove(0);
    assert_eq!(letter.dead_letter.unwrap().reason.unwrap().len(), 1_024);
}

/// While a message waits for its turn its lease is kept; once it is committed nobody extends it any more.
// T14
#[tokio::test(start_paused = true)]
async fn leases_are_kept_until_the_commit() {
    let world = World::new().await;
    send(&world.orders, ["a", "b"]).await;
    let ours = world.clone();
    let slow = transact_each(world.orders.clone(), move |order: String, _: Received, mut tx| {
        let world = ours.clone();
        async move {
            sleep(secs(100)).await;
            world.ship(&mut tx, &order).await?;
            Ok::<_, Error>(tx)
        }
    });
    let running = world.mapping(slow).heartbeat(true).start().await.unwrap();
    let report = run_for(running, secs(201)).await;
    assert_eq!(world.state().await, (0, 2, 2));
    assert_eq!((report.counts.acked, report.counts.leases_lost, report.counts.received), (2, 0, 2));
}

/// On a FIFO queue the messages of a group follow each other in one batch, each in its own commit.
// T14
#[tokio::test(start_paused = true)]
async fn the_next_of_a_group_follows_in_the_same_batch() {
    let world = World::new().await;
    let fifo = world.broker.queue("orders.fifo").fifo().await.unwrap();
    send_fifo(&fifo, &[("g", "a"), ("g", "b"), ("g", "c")]).await;
    let ours = world.clone();
    let handler = transact_each(fifo.clone(), move |order: String, _: Received, mut tx| {
        let world = ours.clone();
        async move {
            world.ship(&mut tx, &order).await?;
            Ok::<_, Error>(tx)
        }
    });
    let report = run_for(QueueMapping::new(fifo, handler).start().await.unwrap(), ms(1)).await;
    assert_eq!((world.state().await, report.counts.acked, report.counts.invocations), ((0, 3, 3), 3, 1));
}
