//! Publishing, and a crash at every commit: all that are to have a message have it, or none has (invariant T1). And a
//! replay goes on where it was: everything comes once, and in order.

use std::{collections::BTreeSet, sync::Arc};

use broker_core::{
    Broker, DeliveryOutcome, Endpoint, LocalTopic, Notification, PublishMessage, ReceiveOptions, Replay,
    Result, Timestamp,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use parking_lot::Mutex;
use tokio::time::{Duration, sleep};

use crate::points::{block_on, open, reopen, run_until, sweep};

/// The handler refuses this one.
const REFUSED: &str = "m2";

/// What was acknowledged before the crash.
#[derive(Default)]
struct Promised {
    subscribed: bool,
    published: Vec<String>,
    /// Published without an answer.
    perhaps: Option<String>,
    /// What the handler got.
    handled: Arc<Mutex<BTreeSet<String>>>,
    trades: Vec<String>,
    replaying: bool,
}

/// Takes every message at its second attempt, and refuses one.
async fn attach(topic: &LocalTopic, handled: &Arc<Mutex<BTreeSet<String>>>) -> Result<broker_core::Attached> {
    let id = topic.subscribe(Endpoint::handler("audit")).await?.id;
    let handled = handled.clone();
    let subscriber = move |message: Notification| {
        let outcome = match (message.text(), message.attempt) {
            (REFUSED, _) => DeliveryOutcome::ClientError("no".into()),
            (_, 1) => DeliveryOutcome::ServerError("not yet".into()),
            (text, _) => {
                handled.lock().insert(text.to_owned());
                DeliveryOutcome::Delivered
            }
        };
        async move { outcome }
    };
    topic.attach(id, subscriber).await
}

async fn script(store: &Arc<CrashStorage>, promised: &mut Promised) -> Result<()> {
    let broker = open(store).await?;
    for name in ["a", "b", "dead"] {
        broker.queue(name).await?;
    }
    let topic = broker.topic("news").await?;
    topic.subscribe(Endpoint::queue("a")).raw_delivery(true).await?;
    topic.subscribe(Endpoint::queue("b")).raw_delivery(true).await?;
    topic.subscribe(Endpoint::handler("audit")).raw_delivery(true).dead_letter("dead").await?;
    promised.subscribed = true;
    let attached = attach(&topic, &promised.handled).await?;
    for n in 0..4 {
        let body = format!("m{n}");
        promised.perhaps = Some(body.clone());
        topic.publish(body).await?;
        promised.published.extend(promised.perhaps.take());
    }
    sleep(Duration::from_secs(30)).await;
    attached.stop().await;
    trade(&broker, promised).await
}

/// A FIFO topic with an archive, and a subscription that gets all of it later.
async fn trade(broker: &Broker, promised: &mut Promised) -> Result<()> {
    let topic = broker.topic("trades.fifo").fifo().dedup_by_content().archive_days(1).await?;
    for name in ["early.fifo", "late.fifo"] {
        broker.queue(name).fifo().await?;
    }
    topic.subscribe(Endpoint::queue("early.fifo")).raw_delivery(true).await?;
    let publish = async |n: usize, promised: &mut Promised| {
        let body = format!("t{n}");
        promised.perhaps = Some(body.clone());
        topic.publish(PublishMessage::new(body).group_id("g")).await?;
        promised.trades.extend(promised.perhaps.take());
        Ok::<_, broker_core::Error>(())
    };
    for n in 0..4 {
        publish(n, promised).await?;
    }
    let late = topic.subscribe(Endpoint::queue("late.fifo")).raw_delivery(true).await?.id;
    topic.start_replay(late, Replay::from(Timestamp::from_millis(0))).await?;
    promised.replaying = true;
    for n in 4..8 {
        publish(n, promised).await?;
    }
    sleep(Duration::from_secs(1)).await;
    publish(8, promised).await
}

/// All messages of a queue, if it is there.
async fn bodies(broker: &Broker, name: &str) -> Vec<String> {
    let Ok(queue) = broker.open_queue(name).await else { return Vec::new() };
    let mut found = Vec::new();
    loop {
        let some = queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
        if some.is_empty() {
            return found;
        }
        for message in some {
            found.push(message.text().unwrap().to_owned());
            queue.delete(message.receipt).await.unwrap();
        }
    }
}

/// Opens what survived. Whatever the crash, a message is everywhere or nowhere.
async fn check(store: &CrashStorage, survive: Survive, promised: &Promised) {
    let broker = reopen(store, survive).await;
    let topics = broker.list_topics();
    let [a, b] = [bodies(&broker, "a").await, bodies(&broker, "b").await];
    assert_eq!(a, b, "both queues have the same");
    let unique: BTreeSet<String> = a.iter().cloned().collect();
    assert_eq!(unique.len(), a.len(), "and each message once");
    let known = |body: &String| promised.published.contains(body) || promised.perhaps.as_ref() == Some(body);
    assert!(a.iter().all(known) && promised.published.iter().all(|body| unique.contains(body)), "{a:?}");
    if !topics.contains(&"news".to_owned()) {
        assert!(!promised.subscribed);
        return;
    }
    if promised.subscribed {
        let topic = broker.open_topic("news").await.unwrap();
        let handled = Arc::new(Mutex::new(promised.handled.lock().clone()));
        let attached = attach(&topic, &handled).await.unwrap();
        // What was in flight is visible at once.
        sleep(Duration::from_secs(30)).await;
        drop(attached);
        let mut got = handled.lock().clone();
        let dead = bodies(&broker, "dead").await;
        assert!(dead.len() <= 1, "{dead:?}");
        assert!(dead.iter().all(|body| body == REFUSED));
        got.extend(dead);
        assert_eq!(got, unique, "the handler got what the queues have");
    }
    check_trades(&broker, promised).await;
}

async fn check_trades(broker: &Broker, promised: &Promised) {
    if broker.open_topic("trades.fifo").await.is_err() {
        assert!(promised.trades.is_empty());
        return;
    }
    // A replay that was under way goes on.
    sleep(Duration::from_secs(1)).await;
    let (early, late) = (bodies(broker, "early.fifo").await, bodies(broker, "late.fifo").await);
    let whole: Vec<String> = (0..early.len()).map(|n| format!("t{n}")).collect();
    assert_eq!(early, whole, "everything up to some point, in order");
    assert!(early.len() >= promised.trades.len());
    let perhaps = usize::from(promised.perhaps.as_ref().is_some_and(|body| body.starts_with('t')));
    assert!(early.len() <= promised.trades.len() + perhaps);
    if promised.replaying {
        assert_eq!(late, early, "the replay brings everything, once and in order");
    } else {
        assert!(late.is_empty() || late == early, "{late:?}");
    }
}

fn sweep_all(can_block: bool) {
    let (whole, promised) = run_until(CrashPoint::Never, can_block, script);
    assert_eq!((promised.published.len(), promised.trades.len()), (4, 9));
    block_on(check(&whole, Survive::Kill, &promised));
    sweep((whole.commits(), 31), can_block, &script, &check);
}

#[test]
fn it1_a_published_message_is_everywhere_or_nowhere_after_a_crash_at_any_commit() {
    sweep_all(false);
}

#[test]
fn it1_a_published_message_is_everywhere_or_nowhere_after_a_crash_of_a_store_that_blocks() {
    sweep_all(true);
}
