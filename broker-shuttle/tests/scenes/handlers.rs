//! Handlers of topics: each message that is published reaches the handler, also one that is attached later or instead.

use std::sync::{Arc, Mutex, PoisonError};

use broker_core::{Endpoint, LocalTopic, Notification, SubscriptionId};
use broker_shuttle::{Store, random};
use shuttle::future::{spawn, yield_now};

use crate::world::{World, check};

type Heard = Arc<Mutex<Vec<String>>>;

fn heard(heard: &Heard) -> Vec<String> {
    let mut all = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.sort();
    all.dedup();
    all
}

async fn attach(
    topic: &LocalTopic,
    id: SubscriptionId,
    heard: &Heard,
) -> broker_core::Result<broker_core::Attached> {
    let heard = heard.clone();
    let handler = move |message: Notification| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(message.text().to_owned());
        async {}
    };
    topic.attach(id, handler).await
}

/// Two publish while a handler is attached, dropped or stopped, and attached again.
async fn a_handler(store: Store, stop: bool) {
    let world = World::open(store).await;
    let topic = world.broker.topic("t").await.expect("a topic can be made");
    let id = topic.subscribe(Endpoint::handler("h")).await.expect("nothing fails here").id;
    let all = Heard::default();
    let publish = ["one", "two"].map(|text| {
        let topic = topic.clone();
        spawn(async move { topic.publish(text).await })
    });
    let attached = attach(&topic, id, &all).await.expect("nobody else is attached");
    if stop {
        attached.stop().await;
    } else {
        drop(attached);
    }
    let attached = attach(&topic, id, &all).await.expect("the first one is gone");
    for publish in publish {
        publish.await.expect("nobody drops it").expect("nothing fails here");
    }
    while heard(&all).len() < 2 {
        yield_now().await;
    }
    assert_eq!(heard(&all), ["one", "two"]);
    // What the first one had heard and not finished comes again.
    while topic.subscription(id).await.expect("it is there").counters.waiting > 0 {
        yield_now().await;
    }
    attached.stop().await;
    check(&world.store);
}

#[test]
fn a_handler_hears_everything() {
    for stop in [true, false] {
        random(&format!("handlers, stopped {stop}"), 1_000, move || a_handler(Store::inline(), stop));
        random(&format!("handlers, stopped {stop}, grouped"), 1_000, move || {
            a_handler(Store::grouped(), stop)
        });
    }
}
