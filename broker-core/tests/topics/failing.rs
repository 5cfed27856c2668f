//! A subscriber that fails: what it holds up, and what not (IT5).

use broker_core::{DeliveryOrder, Endpoint};
use tokio::time::Instant;

use crate::{
    retries::every,
    support::{World, ms, secs},
    topic_support::{Log, bodies, counters, numbered},
};

/// IT5: in order, what fails holds up what is behind it, and nobody else.
async fn a_subscriber_that_fails_for_an_hour_delays_nobody_and_gets_everything_in_order_afterwards(
    world: World,
) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let works = topic.subscribe(Endpoint::handler("works")).await.unwrap().id;
    let fails = topic.subscribe(Endpoint::handler("fails")).await.unwrap().id;
    let (works_log, fails_log) = (Log::new(), Log::new());
    let _a = topic.attach(works, works_log.taking()).await.unwrap();
    let begin = Instant::now();
    let answer = move |_: &_| if begin.elapsed() < secs(3_600) { Err("away") } else { Ok(()) };
    let _b = topic.attach(fails, fails_log.answering(answer)).await.unwrap();
    for (n, body) in numbered("m", 0..60).into_iter().enumerate() {
        topic.publish(body.clone()).await.unwrap();
        assert_eq!(bodies(&queue).await, [body]);
        works_log.until(n + 1).await;
        let delay = works_log.times()[n] - 60_000 * n as u64;
        assert!(delay < 1_000, "delivered at once, not {delay} ms later");
        let next_minute = 60_000 * (n as u64 + 1) + 500;
        tokio::time::sleep(ms(next_minute - works_log.times()[n])).await;
    }
    assert!(
        fails_log.texts()[..180].iter().all(|text| text == "m0"),
        "20 seconds between two attempts, at most"
    );
    tokio::time::sleep(secs(25)).await;
    let mut texts = fails_log.texts();
    let last = texts.split_off(texts.len() - 60);
    assert!(texts.iter().all(|text| text == "m0"));
    assert_eq!(last, numbered("m", 0..60), "each once, in order");
    let seen = counters(&topic, fails).await;
    assert_eq!((seen.delivered, seen.waiting, seen.dropped), (60, 0, 0));
}

/// IT5: independent, what fails comes later, and holds up nothing.
async fn an_independent_message_that_fails_is_passed_by_the_others(world: World) {
    let (_broker, topic) = world.news().await;
    let subscribing = topic.subscribe(Endpoint::handler("h")).delivery_policy(every(10, 3));
    let id = subscribing.order(DeliveryOrder::Independent(1)).await.unwrap().id;
    let log = Log::new();
    let handler = log.answering(|message| match (message.text(), message.attempt) {
        ("m0" | "m2", ..3) => Err("no"),
        _ => Ok(()),
    });
    let _attached = topic.attach(id, handler).await.unwrap();
    for body in numbered("m", 0..5) {
        topic.publish(body).await.unwrap();
    }
    tokio::time::sleep(secs(100)).await;
    assert_eq!(log.texts(), ["m0", "m1", "m2", "m3", "m4", "m0", "m2", "m0", "m2"]);
    let rounds: Vec<_> = log.times().iter().map(|at| at / 10_000).collect();
    assert_eq!(rounds, [0, 0, 0, 0, 0, 1, 1, 2, 2]);
    assert_eq!(counters(&topic, id).await.delivered, 5);
}

/// IT5: in order means of all messages, whatever their groups, and although nearly all of them wait in storage.
async fn in_order_holds_across_a_restart_whatever_the_groups(world: World) {
    let world = world.with_little_memory();
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).delivery_policy(every(10, 30)).await.unwrap().id;
    let message = |n: usize| {
        let message = broker_core::PublishMessage::new(format!("m{n}"));
        if n.is_multiple_of(3) { message } else { message.group_id(format!("g{n}")) }
    };
    for n in 0..40 {
        topic.publish(message(n)).await.unwrap();
    }
    let (_broker, topic) = world.news_again(broker).await;
    for n in 40..60 {
        topic.publish(message(n)).await.unwrap();
    }
    let log = Log::new();
    let handler = log.answering(|message| match (message.text(), message.attempt) {
        ("m0" | "m7" | "m45", ..4) => Err("no"),
        _ => Ok(()),
    });
    let _attached = topic.attach(id, handler).await.unwrap();
    log.until(69).await;
    let mut texts = log.texts();
    texts.dedup();
    assert_eq!(texts, numbered("m", 0..60));
}

everywhere! {
    a_subscriber_that_fails_for_an_hour_delays_nobody_and_gets_everything_in_order_afterwards,
    an_independent_message_that_fails_is_passed_by_the_others,
    in_order_holds_across_a_restart_whatever_the_groups,
}
