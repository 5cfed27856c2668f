//! Smoke.

use std::{sync::Arc, time::Duration};

use broker_core::*;
use parking_lot::Mutex;

use crate::support::{World, poll, secs, settle_down, take};

everywhere! {
    fan_out_raw_and_wrapped,
    push_with_retries,
    fifo_topic,
    replay,
    dead_letters,
}

async fn fan_out_raw_and_wrapped(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news").await.unwrap();
    let (a, b) = (broker.queue("a").await.unwrap(), broker.queue("b").await.unwrap());
    let first = topic.subscribe(&a).raw_delivery(true).await.unwrap();
    topic.subscribe(&b).await.unwrap();
    assert_eq!(topic.subscribe(&a).await.unwrap().id, first.id);
    let message = PublishMessage::new("hello").subject("hi").attribute("x", AttributeValue::number(5));
    let published = topic.publish(message).await.unwrap();
    let raw = take(&a).await;
    assert_eq!(raw.text(), Ok("hello"));
    assert_eq!(raw.attributes.len(), 1);
    let wrapped = take(&b).await;
    println!("{}", wrapped.text().unwrap());
    let json: serde_json::Value = wrapped.json().unwrap();
    assert_eq!(json["Message"], "hello");
    assert_eq!(json["MessageId"], published.id.to_string());
    broker.close().await.unwrap();
    drop(broker);
    let broker = world.broker().await;
    let topic = broker.open_topic("news").await.unwrap();
    assert_eq!(topic.subscriptions().await.unwrap().len(), 2);
    let later = topic.publish("again").await.unwrap();
    assert_ne!(later.id, published.id);
    let a = broker.open_queue("a").await.unwrap();
    assert_eq!(take(&a).await.text(), Ok("again"));
}

async fn push_with_retries(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news").await.unwrap();
    let subscribed = topic.subscribe(Endpoint::handler("h")).await.unwrap();
    let start = world.now();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let clock = world.now();
    let _ = clock;
    let handler = move |n: Notification| {
        let log = log.clone();
        async move {
            let text = n.text().to_owned();
            log.lock().push((text.clone(), n.attempt));
            if text == "m0" && n.attempt < 6 { Err("not yet") } else { Ok(()) }
        }
    };
    let attached = topic.attach(subscribed.id, handler).await.unwrap();
    for n in 0..3 {
        topic.publish(format!("m{n}")).await.unwrap();
    }
    tokio::time::sleep(secs(10)).await;
    let seen = seen.lock().clone();
    println!("{seen:?} {:?}", world.now().since(start));
    assert_eq!(seen.len(), 8);
    assert_eq!(seen.last().unwrap().0, "m2");
    attached.stop().await;
    settle_down().await;
    assert_eq!(topic.subscription(subscribed.id).await.unwrap().counters.delivered, 3);
}

async fn fifo_topic(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news.fifo").fifo().dedup_by_content().await.unwrap();
    let queue = broker.queue("a.fifo").fifo().await.unwrap();
    let standard = broker.queue("b").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    topic.subscribe(&standard).raw_delivery(true).await.unwrap();
    let one = topic.publish(PublishMessage::new("x").group_id("g")).await.unwrap();
    let two = topic.publish(PublishMessage::new("x").group_id("g")).await.unwrap();
    assert!(two.duplicate && !one.duplicate);
    assert_eq!((one.id, one.sequence_number), (two.id, two.sequence_number));
    assert_eq!(poll(&queue, 10).await.len(), 1);
    let got = poll(&standard, 10).await;
    assert_eq!((got.len(), got[0].group_id.as_deref()), (1, None));
    tokio::time::sleep(secs(301)).await;
    let three = topic.publish(PublishMessage::new("x").group_id("g")).await.unwrap();
    assert!(!three.duplicate);
}

async fn replay(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news.fifo").fifo().dedup_by_content().archive_days(1).await.unwrap();
    for n in 0..250 {
        topic.publish(PublishMessage::new(format!("m{n}")).group_id("g")).await.unwrap();
    }
    let queue = broker.queue("a.fifo").fifo().await.unwrap();
    let s = topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    topic.start_replay(s.id, Replay::from(Timestamp::from_millis(0))).await.unwrap();
    for n in 250..260 {
        topic.publish(PublishMessage::new(format!("m{n}")).group_id("g")).await.unwrap();
    }
    tokio::time::sleep(secs(1)).await;
    topic.publish(PublishMessage::new("m260").group_id("g")).await.unwrap();
    let mut got = Vec::new();
    loop {
        let page = poll(&queue, 10).await;
        if page.is_empty() {
            break;
        }
        for m in page {
            got.push(m.text().unwrap().to_owned());
            queue.delete(m.receipt).await.unwrap();
        }
    }
    let want: Vec<_> = (0..261).map(|n| format!("m{n}")).collect();
    assert_eq!(got, want);
    let info = topic.subscription(s.id).await.unwrap();
    println!("{:?}", info.replay);
    tokio::time::sleep(Duration::from_secs(2 * 86_400)).await;
    topic.publish(PublishMessage::new("last").group_id("g")).await.unwrap();
    tokio::time::sleep(secs(1)).await;
}

async fn dead_letters(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("news").await.unwrap();
    let dead = broker.queue("dead").await.unwrap();
    topic.subscribe(Endpoint::queue("gone")).dead_letter("dead").raw_delivery(true).await.unwrap();
    topic.publish("x").await.unwrap();
    let got = take(&dead).await;
    println!("{got:?}");
    let policy = DeliveryPolicy::new(RetryPolicy::http());
    let s =
        topic.subscribe(Endpoint::handler("h")).delivery_policy(policy).dead_letter("dead").await.unwrap();
    let _attached = topic.attach(s.id, |_: Notification| async { Err::<(), _>("no") }).await.unwrap();
    topic.publish("y").await.unwrap();
    tokio::time::sleep(secs(61)).await;
    let got = poll(&dead, 10).await;
    println!("{got:?}");
    assert_eq!(got.len(), 3);
}
