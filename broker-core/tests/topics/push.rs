//! Push subscribers: who delivers, for how long, and what happens when that one goes away or misbehaves (N53, IT5).

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{
    Deliver, DeliveryOrder, DeliveryOutcome, DeliveryPolicy, Endpoint, Error, Notification, Recipient,
    RetryPolicy,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    support::{World, advance, assert_invalid, ms, secs, settle_down, take},
    topic_support::{Log, counters, numbered, refused},
};

/// What waits for a subscriber is delivered in order when it is attached, and what comes then at once.
async fn messages_wait_until_somebody_is_attached(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    for body in numbered("m", 0..12) {
        topic.publish(body).await.unwrap();
    }
    assert_eq!(counters(&topic, id).await.waiting, 12);
    let (_broker, topic) = world.news_again(broker).await;
    topic.publish("m12").await.unwrap();
    assert_eq!(counters(&topic, id).await.waiting, 13);
    let log = Log::new();
    let attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(13).await;
    topic.publish("m13").await.unwrap();
    log.until(14).await;
    settle_down().await;
    assert_eq!(log.texts(), numbered("m", 0..14));
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.waiting, seen.dead_lettered, seen.dropped), (14, 0, 0, 0));
    attached.stop().await;
}

/// One at a time: the next may come when the last has gone.
async fn one_is_attached_at_a_time_and_queues_need_nobody(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let log = Log::new();
    let first = topic.attach(id, log.taking()).await.unwrap();
    let error = refused(topic.attach(id, log.taking())).await;
    assert_invalid(&error, "subscription", &id.to_string(), "attached already");
    first.stop().await;
    settle_down().await;
    drop(topic.attach(id, log.taking()).await.unwrap());
    settle_down().await;
    let _third = topic.attach(id, log.taking()).await.unwrap();
    let queue = topic.subscribe(&broker.queue("q").await.unwrap()).await.unwrap().id;
    let error = refused(topic.attach(queue, log.taking())).await;
    assert_invalid(&error, "subscription", &queue.to_string(), "is a queue");
    topic.unsubscribe(queue).await.unwrap();
    let error = refused(topic.attach(queue, log.taking())).await;
    assert!(matches!(error, Error::SubscriptionDoesNotExist { .. }));
}

/// A stop lets the attempt under way come to its end.
async fn a_stop_waits_for_the_attempt_under_way_and_takes_up_no_more(world: World) {
    let (_broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let log = Log::new();
    let slow = {
        let log = log.clone();
        move |notification: Notification| {
            let log = log.clone();
            async move {
                tokio::time::sleep(secs(3)).await;
                log.note(&notification);
            }
        }
    };
    let attached = topic.attach(id, slow).await.unwrap();
    topic.publish("m0").await.unwrap();
    topic.publish("m1").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    attached.stop().await;
    assert_eq!(log.attempts(), [("m0".into(), 1, 3_000)]);
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.waiting), (1, 1));
    advance(secs(100)).await;
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(2).await;
    assert_eq!(log.attempts()[1].0, "m1");
    assert_eq!(log.attempts()[1].1, 1);
}

/// A handler that notes the attempt and then never returns.
fn hanging(log: &Log) -> impl Deliver + use<> {
    let log = log.clone();
    move |notification: Notification| {
        log.note(&notification);
        pending::<()>()
    }
}

/// Dropped in the midst of an attempt: its message comes again at once, and the attempt has counted.
async fn an_attempt_that_is_dropped_is_made_again(world: World) {
    let (_broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let log = Log::new();
    let attached = topic.attach(id, hanging(&log)).await.unwrap();
    topic.publish("m0").await.unwrap();
    topic.publish("m1").await.unwrap();
    log.until(1).await;
    drop(attached);
    settle_down().await;
    assert_eq!(counters(&topic, id).await.waiting, 2);
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(3).await;
    let seen: Vec<_> = log.attempts().into_iter().map(|(text, attempt, _)| (text, attempt)).collect();
    assert_eq!(seen, [("m0".into(), 1), ("m0".into(), 2), ("m1".into(), 1)]);
}

/// IT1, IC2: the process ends in the midst of an attempt. Nothing is lost, and attempts are counted on.
async fn after_a_restart_in_the_midst_of_an_attempt_the_count_goes_on(world: World) {
    let (mut broker, mut topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    topic.publish("m0").await.unwrap();
    topic.publish("m1").await.unwrap();
    let log = Log::new();
    for attempt in 1..=3 {
        let _attached = topic.attach(id, hanging(&log)).await.unwrap();
        log.until(attempt).await;
        (broker, topic) = world.news_again(broker).await;
    }
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(5).await;
    let seen: Vec<_> = log.attempts().into_iter().map(|(text, attempt, _)| (text, attempt)).collect();
    let m0 = |attempt| ("m0".to_owned(), attempt);
    assert_eq!(seen, [m0(1), m0(2), m0(3), m0(4), ("m1".into(), 1)]);
    drop(broker);
}

/// N53, IC1: a panic is a failure of the server like any other, and the subscriber goes on.
async fn a_handler_that_panics_is_tried_again(world: World) {
    let (broker, topic) = world.news().await;
    let dead = broker.queue("dead").await.unwrap();
    let policy = DeliveryPolicy::new(RetryPolicy { retries: 1, ..RetryPolicy::http() });
    let endpoint = Endpoint::handler("h");
    let id = topic.subscribe(endpoint).delivery_policy(policy).dead_letter("dead").await.unwrap().id;
    let log = Log::new();
    let handler = log.answering(|notification| match (notification.text(), notification.attempt) {
        ("m0", 1) => panic!("at once"),
        ("m1", number) => panic!("for the {number}. time"),
        _ => {}
    });
    let _attached = topic.attach(id, handler).await.unwrap();
    for body in numbered("m", 0..3) {
        topic.publish(body).await.unwrap();
    }
    log.until(5).await;
    settle_down().await;
    let texts = log.texts();
    assert_eq!(texts, ["m0", "m0", "m1", "m1", "m2"]);
    let why = take(&dead).await.dead_letter.unwrap();
    assert_eq!(why.reason.as_deref(), Some("the handler panicked: for the 2. time"));
}

/// N53: 15 seconds, unless it says otherwise.
async fn an_attempt_that_takes_too_long_is_dropped_and_tried_again(world: World) {
    let (broker, topic) = world.news().await;
    let dead = broker.queue("dead").await.unwrap();
    let endpoint = Endpoint::handler("h");
    let policy = DeliveryPolicy::http();
    let id = topic.subscribe(endpoint).delivery_policy(policy).dead_letter("dead").await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(id, hanging(&log)).await.unwrap();
    topic.publish("m0").await.unwrap();
    log.until(4).await;
    assert_eq!(log.times(), [0, 35_000, 70_000, 105_000]);
    advance(secs(16)).await;
    settle_down().await;
    let why = take(&dead).await.dead_letter.unwrap();
    assert_eq!((why.reason.as_deref(), why.receive_count), (Some("no answer within 15s"), 4));
}

/// Delivers after `takes`, and gives itself `timeout` for it.
struct Slow {
    takes: Duration,
    timeout: Duration,
    told: Arc<Mutex<Vec<Recipient>>>,
}

#[async_trait]
impl Deliver for Slow {
    async fn deliver(&self, _: Notification, to: &Recipient) -> DeliveryOutcome {
        self.told.lock().push(to.clone());
        tokio::time::sleep(self.takes).await;
        DeliveryOutcome::Delivered
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// N53: and however long that is, a message is with one attempt at a time.
async fn who_delivers_says_how_long_that_may_take(world: World) {
    let (_broker, topic) = world.news().await;
    let cases = [
        ("hours", secs(7_000), secs(7_200), 7_100, 1),
        ("for ever", secs(100_000), Duration::MAX, 200_000, 1),
        ("too long", secs(3), secs(2), 2, 2),
        ("no time", ms(1), Duration::ZERO, 0, 2),
    ];
    for (name, takes, timeout, waits, attempts) in cases {
        let policy = DeliveryPolicy { content_type: Some("a/b".into()), ..DeliveryPolicy::http() };
        let endpoint = Endpoint::push("lambda", name);
        let subscribing = topic.subscribe(endpoint.clone()).delivery_policy(policy).raw_delivery(true);
        let id = subscribing.await.unwrap().id;
        let told = Arc::new(Mutex::new(Vec::new()));
        let attached = topic.attach(id, Slow { takes, timeout, told: told.clone() }).await.unwrap();
        topic.publish("m").await.unwrap();
        tokio::time::sleep(secs(waits + 21)).await;
        assert_eq!(told.lock().len(), attempts, "{name}");
        let delivered = counters(&topic, id).await.delivered;
        assert_eq!(delivered, u64::from(attempts == 1), "{name}");
        let expected =
            Recipient { subscription: id, endpoint, raw_delivery: true, content_type: Some("a/b".into()) };
        assert_eq!(told.lock()[0], expected);
        drop(attached);
        topic.unsubscribe(id).await.unwrap();
    }
}

/// IT5: a subscriber that hangs slows neither the publisher nor anybody else, only its backlog grows.
async fn a_subscriber_that_hangs_slows_nobody(world: World) {
    let (_broker, topic) = world.news().await;
    let hangs = topic.subscribe(Endpoint::handler("hangs")).await.unwrap().id;
    let works = topic.subscribe(Endpoint::handler("works")).await.unwrap().id;
    let (hung, log) = (Log::new(), Log::new());
    let _a = topic.attach(hangs, hanging(&hung)).await.unwrap();
    let _b = topic.attach(works, log.taking()).await.unwrap();
    for body in numbered("m", 0..300) {
        topic.publish(body).await.unwrap();
    }
    log.until(300).await;
    assert_eq!(log.texts(), numbered("m", 0..300));
    assert!(log.times().iter().all(|at| *at < 1_000));
    assert_eq!(hung.texts(), ["m0"]);
    let seen = counters(&topic, hangs).await;
    assert_eq!((seen.waiting, seen.delivered), (300, 0));
}

/// So many at once as the subscription says, and no more.
async fn an_independent_subscriber_gets_so_many_at_once(world: World) {
    let (_broker, topic) = world.news().await;
    let order = DeliveryOrder::Independent(3);
    let id = topic.subscribe(Endpoint::handler("h")).order(order).await.unwrap().id;
    let (log, room) = (Log::new(), Arc::new(Semaphore::new(0)));
    let handler = {
        let (log, room) = (log.clone(), room.clone());
        move |notification: Notification| {
            log.note(&notification);
            let room = room.clone();
            async move { room.acquire().await.unwrap().forget() }
        }
    };
    let _attached = topic.attach(id, handler).await.unwrap();
    for body in numbered("m", 0..8) {
        topic.publish(body).await.unwrap();
    }
    for (let_go, at_work) in [(0, 3), (1, 4), (2, 6), (5, 8)] {
        room.add_permits(let_go);
        settle_down().await;
        settle_down().await;
        assert_eq!(log.texts(), numbered("m", 0..at_work), "no more than three at once");
    }
    assert_eq!(counters(&topic, id).await.delivered, 8);
}

everywhere! {
    messages_wait_until_somebody_is_attached,
    one_is_attached_at_a_time_and_queues_need_nobody,
    a_stop_waits_for_the_attempt_under_way_and_takes_up_no_more,
    an_attempt_that_is_dropped_is_made_again,
    after_a_restart_in_the_midst_of_an_attempt_the_count_goes_on,
    a_handler_that_panics_is_tried_again,
    an_attempt_that_takes_too_long_is_dropped_and_tried_again,
    who_delivers_says_how_long_that_may_take,
    a_subscriber_that_hangs_slows_nobody,
    an_independent_subscriber_gets_so_many_at_once,
}
