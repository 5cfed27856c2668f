//! Handlers that fill a transaction: what they write and what becomes of their messages is one commit, whatever is in the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use broker_core::{
    Broker, Error, LocalQueue, ReceiveOptions, Space, Transaction,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use broker_mem::MemStorage;
use broker_worker::{
    Handler, Json, Outcome,
    handler::{transact_batch, transact_each},
    queue::{Batch, Pollers, QueueMapping, Received, Running},
    telemetry::WorkerEvent,
};
use futures_util::StreamExt;

use crate::ground::{counters, ms, run_for, secs, send, send_fifo, sleep};

/// Orders become parcels, and are counted.
#[derive(Clone)]
struct World {
    broker: Broker,
    orders: LocalQueue,
    parcels: LocalQueue,
    totals: Space,
    /// How often a function was called.
    calls: Arc<AtomicUsize>,
}

impl World {
    async fn new() -> Self {
        Self::on(Arc::new(CrashStorage::new(Arc::new(MemStorage::new())))).await.unwrap()
    }

    async fn on(store: Arc<CrashStorage>) -> Result<Self, Error> {
        let broker = Broker::builder_on(store).open().await?;
        broker.queue("dead").await?;
        let orders = broker.queue("orders").dead_letter("dead", 9).await?;
        let (parcels, totals) = (broker.queue("parcels").await?, broker.space("totals").await?);
        Ok(Self { broker, orders, parcels, totals, calls: Arc::default() })
    }

    /// Ships an order: the work of a function.
    async fn ship(&self, tx: &mut Transaction, order: &str) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let before = tx.get(&self.totals, "shipped").await?.map_or(0, |value| value[0]);
        tx.put(&self.totals, "shipped", vec![before + 1])?;
        tx.send(&self.parcels, format!("parcel of {order}")).map(drop)
    }

    /// A handler that ships each order.
    fn shipping(&self) -> impl Handler<Batch> {
        let world = self.clone();
        transact_each(self.orders.clone(), move |order: String, _: Received, mut tx: Transaction| {
            let world = world.clone();
            async move {
                world.ship(&mut tx, &order).await?;
                Ok::<_, Error>(tx)
            }
        })
    }

    fn mapping(&self, handler: impl Handler<Batch>) -> QueueMapping {
        QueueMapping::new(self.orders.clone(), handler).pollers(Pollers::Fixed(1))
    }

    async fn start(&self, handler: impl Handler<Batch>) -> Running {
        self.mapping(handler).start().await.unwrap()
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many orders there are, how many parcels, and how many were counted.
    async fn state(&self) -> (u64, u64, u64) {
        let shipped = self.totals.get("shipped").await.unwrap().map_or(0, |value| value[0]);
        let of = async |queue: &LocalQueue| queue.counters().await.unwrap().total();
        (of(&self.orders).await, of(&self.parcels).await, shipped.into())
    }

    async fn dead(&self) -> LocalQueue {
        self.broker.queue("dead").await.unwrap()
    }
}

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
    let transactions = broker_core::TransactionLimits { tries_max: 3, ..broker_core::TransactionLimits::standard() };
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
        let handler = transact_each(other, |_: String, _: Received, tx: Transaction| async { Ok::<_, Error>(tx) });
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
                2 => return Ok((tx, vec![broker_core::MessageId::from(first.id)])),
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
