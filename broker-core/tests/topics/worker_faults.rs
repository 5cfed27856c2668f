//! What a worker of a push subscriber must survive: attempts that are dropped or take too long, settings that change
//! under it, messages that make no sense. IT3, IT5, IG3, IG10, IQ18.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Attached, Broker, DeliveryOrder, DeliveryPolicy, Endpoint, LocalTopic, ManualClock, Notification,
    PublishMessage, RetryPolicy, SubscriptionId, SubscriptionSettings,
    storage::{Batch, Durability, Storage, faults::FailingStorage},
};
use broker_mem::MemStorage;
use parking_lot::Mutex;

use crate::support::{World, on_paused_time, poll, secs, settle_down, take};

everywhere! {
    iq18_a_dropped_attempt_is_made_again_also_if_it_was_the_only_one,
    it3_a_delivery_policy_holds_for_the_next_publish_also_if_somebody_waits_already,
    it5_a_handler_that_blocks_for_minutes_still_gets_the_next_message,
    it5_a_handler_that_unsubscribes_itself_runs_to_its_end,
    it5_what_a_handler_says_is_cut_before_it_is_kept,
    it5_who_stopped_can_attach_again_at_once,
}

fn no_retries() -> DeliveryPolicy {
    DeliveryPolicy::new(RetryPolicy::none())
}

/// A topic and a handler of it.
async fn subscribed(broker: &Broker, settings: SubscriptionSettings) -> (LocalTopic, SubscriptionId) {
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::handler("h")).settings(settings).await.unwrap().id;
    (topic, id)
}

/// Attaches a handler that notes the text and number of each attempt, and then does what it is told.
async fn attach<F: Future<Output = Result<(), String>> + Send>(
    topic: &LocalTopic,
    id: SubscriptionId,
    handle: impl Fn(Notification) -> F + Send + Sync + 'static,
) -> (Attached, Arc<Mutex<Vec<(String, u32)>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = log.clone();
    let handler = move |message: Notification| {
        noted.lock().push((message.text().to_owned(), message.attempt));
        handle(message)
    };
    (topic.attach(id, handler).await.unwrap(), log)
}

/// What was handed over and not finished must come again, or a restart of a subscriber could lose its message.
async fn iq18_a_dropped_attempt_is_made_again_also_if_it_was_the_only_one(world: World) {
    let broker = world.broker().await;
    let (topic, id) = subscribed(&broker, SubscriptionSettings::new().delivery_policy(no_retries())).await;
    topic.publish("m").await.unwrap();
    for _ in 0..3 {
        let (attached, log) = attach(&topic, id, |_| std::future::pending()).await;
        settle_down().await;
        drop(attached);
        settle_down().await;
        assert_eq!(*log.lock(), [("m".to_owned(), 1)], "an attempt that was dropped does not count");
    }
    let (attached, log) = attach(&topic, id, |_| async { Ok(()) }).await;
    settle_down().await;
    attached.stop().await;
    assert_eq!(*log.lock(), [("m".to_owned(), 1)]);
    let counters = topic.subscription(id).await.unwrap().counters;
    assert_eq!((counters.delivered, counters.dropped, counters.waiting), (1, 0, 0));
}

async fn it3_a_delivery_policy_holds_for_the_next_publish_also_if_somebody_waits_already(world: World) {
    let broker = world.broker().await;
    let (topic, id) = subscribed(&broker, SubscriptionSettings::new().delivery_policy(no_retries())).await;
    let (_attached, log) = attach(&topic, id, |message| async move {
        if message.attempt == 1 { Err("not yet".into()) } else { Ok(()) }
    })
    .await;
    settle_down().await;
    let change = SubscriptionSettings::new().delivery_policy(DeliveryPolicy::http());
    topic.set_subscription(id, &change).await.unwrap();
    topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(30)).await;
    assert_eq!(*log.lock(), [("m".to_owned(), 1), ("m".to_owned(), 2)]);
    assert_eq!(topic.subscription(id).await.unwrap().counters.dropped, 0);
}

/// Its message has become visible again meanwhile, and its receipt has expired.
async fn it5_a_handler_that_blocks_for_minutes_still_gets_the_next_message(world: World) {
    let broker = world.broker().await;
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(1)] {
        for fails in [false, true] {
            let (topic, id) = subscribed(&broker, SubscriptionSettings::new().order(order)).await;
            let slow = Arc::new(AtomicBool::new(true));
            let (_attached, log) = attach(&topic, id, move |_| {
                let blocks = slow.swap(false, Ordering::SeqCst);
                async move {
                    if blocks {
                        tokio::time::advance(secs(300)).await;
                    }
                    if blocks && fails { Err("too late".into()) } else { Ok(()) }
                }
            })
            .await;
            topic.publish("slow").await.unwrap();
            settle_down().await;
            topic.publish("next").await.unwrap();
            tokio::time::sleep(secs(600)).await;
            let last = log.lock().last().cloned();
            assert_eq!(last, Some(("next".to_owned(), 1)), "{order:?} {fails}: {:?}", log.lock());
            assert_eq!(topic.subscription(id).await.unwrap().counters.waiting, 0);
            broker.delete_topic("news").await.unwrap();
        }
    }
}

async fn it5_a_handler_that_unsubscribes_itself_runs_to_its_end(world: World) {
    let broker = world.broker().await;
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(3)] {
        let (topic, id) = subscribed(&broker, SubscriptionSettings::new().order(order)).await;
        let ended = Arc::new(AtomicUsize::new(0));
        let (itself, count) = (topic.clone(), ended.clone());
        let (_attached, log) = attach(&topic, id, move |_| {
            let (topic, ended) = (itself.clone(), count.clone());
            async move {
                topic.unsubscribe(id).await.unwrap();
                tokio::time::sleep(secs(1)).await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await;
        topic.publish("m").await.unwrap();
        tokio::time::sleep(secs(10)).await;
        assert_eq!((log.lock().len(), ended.load(Ordering::SeqCst)), (1, 1), "{order:?}");
    }
}

/// A move counts on a reason being short, and a store takes no row of any size.
async fn it5_what_a_handler_says_is_cut_before_it_is_kept(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let settings = SubscriptionSettings::new().delivery_policy(no_retries()).dead_letter("dead");
    let (topic, id) = subscribed(&broker, settings).await;
    let (_attached, _) = attach(&topic, id, |_| async { Err("ä".repeat(70_000)) }).await;
    topic.publish("m").await.unwrap();
    settle_down().await;
    let reason = take(&dead).await.dead_letter.unwrap().reason.unwrap();
    assert!(reason.len() <= 1_024 && reason.starts_with("ää"), "{} bytes", reason.len());
}

async fn it5_who_stopped_can_attach_again_at_once(world: World) {
    let broker = world.broker().await;
    let (topic, id) = subscribed(&broker, SubscriptionSettings::new()).await;
    for _ in 0..100 {
        let (attached, _) = attach(&topic, id, |_| async { Ok(()) }).await;
        attached.stop().await;
    }
}

/// The partition of the backlog of the first subscription of the first topic of a store.
const BACKLOG: u64 = 5;
/// A row of that backlog that is one of no notification: version, flags, times, and the group if it waits in order.
fn senseless_row(in_order: bool) -> Vec<u8> {
    let mut row = [[1, 0].as_slice(), &[0; 24]].concat();
    if in_order {
        row[1] = 2;
        row.extend([8, 0, 0, 0]);
        row.extend(b"in order");
    }
    row
}

/// A closed store with two messages in a backlog, the first of which makes no sense.
async fn with_a_senseless_message(order: DeliveryOrder) -> MemStorage {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).seed(7).open().await.unwrap();
    let (topic, _) = subscribed(&broker, SubscriptionSettings::new().order(order)).await;
    for body in ["senseless", "behind"] {
        topic.publish(body).await.unwrap();
    }
    broker.close().await.unwrap();
    let mut batch = Batch::new();
    assert!(store.row(BACKLOG, 0).unwrap().is_some());
    batch.delete_row(BACKLOG, 0);
    batch.put_row(BACKLOG, 0, senseless_row(order == DeliveryOrder::InOrder));
    store.commit(&batch, Durability::Synced).unwrap();
    store
}

async fn a_senseless_message_costs_little(order: DeliveryOrder) {
    let store = Arc::new(FailingStorage::new(Arc::new(with_a_senseless_message(order).await)));
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    let (topic, id) = subscribed(&broker, SubscriptionSettings::new()).await;
    let (attached, log) = attach(&topic, id, |_| async { Ok(()) }).await;
    let before = store.commits();
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    assert!(store.commits() - before < 20, "{} commits", store.commits() - before);
    if order != DeliveryOrder::InOrder {
        assert_eq!(*log.lock(), [("behind".to_owned(), 1)], "what is behind it is delivered");
    }
    attached.stop().await;
    assert_ne!(topic.subscription(id).await.unwrap().counters.waiting, 0, "it is still there");
}

#[test]
fn ig3_a_message_that_makes_no_sense_does_not_keep_the_worker_busy() {
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(2)] {
        on_paused_time(Box::pin(a_senseless_message_costs_little(order)));
    }
}

/// After a row that could not be read, a worker pauses; on this clock, for ever.
#[tokio::test(start_paused = true)]
async fn ig10_a_worker_that_pauses_after_damage_can_be_stopped() {
    let store = with_a_senseless_message(DeliveryOrder::Independent(2)).await;
    let mut batch = Batch::new();
    batch.delete_row(BACKLOG, 0);
    // A flag that no build knows.
    batch.put_row(BACKLOG, 0, [[1, 0x80].as_slice(), &[0; 24]].concat());
    store.commit(&batch, Durability::Synced).unwrap();
    let broker = Broker::builder(store).clock(ManualClock::new(1 << 41)).open().await.unwrap();
    let (topic, id) = subscribed(&broker, SubscriptionSettings::new()).await;
    let (attached, _) = attach(&topic, id, |_| async { Ok(()) }).await;
    settle_down().await;
    tokio::time::timeout(Duration::from_secs(5), attached.stop()).await.expect("it stops");
}

/// A policy that nobody has checked.
#[test]
fn ig10_delays_of_an_impossible_policy_do_not_panic() {
    let impossible = RetryPolicy { min_delay: secs(20), max_delay: secs(1), ..RetryPolicy::http() };
    assert!(impossible.delay(1).is_some());
    let endless = RetryPolicy { min_delay: Duration::MAX, max_delay: Duration::MAX, ..RetryPolicy::http() };
    assert_eq!(endless.delay(2), Some(Duration::MAX));
}

/// With limits of nothing at all, a backlog still works: those are limits of users.
#[tokio::test(start_paused = true)]
async fn it5_limits_of_receives_do_not_hold_for_backlogs() {
    use broker_core::Limits;
    let limits = Limits {
        receive_max: 1,
        visibility_timeout_max: Duration::ZERO,
        in_flight_max: 1,
        wait_max: Duration::ZERO,
        delay_max: Duration::ZERO,
        batch_entries_max: 1,
        ..Limits::aws()
    };
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(5)] {
        let broker = Broker::builder(MemStorage::new()).limits(limits.clone()).open().await.unwrap();
        let (topic, id) = subscribed(&broker, SubscriptionSettings::new().order(order)).await;
        let (_attached, log) = attach(&topic, id, |message| async move {
            if message.attempt < 7 { Err("not yet".into()) } else { Ok(()) }
        })
        .await;
        for n in 0..5 {
            topic.publish(PublishMessage::new(n.to_string())).await.unwrap();
        }
        tokio::time::sleep(secs(600)).await;
        assert_eq!(log.lock().len(), 35, "{order:?}");
        assert_eq!(topic.subscription(id).await.unwrap().counters.delivered, 5);
        assert!(poll(&broker.queue("other").await.unwrap(), 1).await.is_empty());
    }
}
