//! Events as dead letters. L15, L20.

use std::sync::Arc;

use broker_core::AttributeValue;
use broker_worker::{
    Failure,
    concurrency::{Account, AccountLimits},
    invoke::{DeadLetterTarget, DestinationKind, Invocation, InvokeConfig},
};

use crate::support::{Broken, World, on_failure, secs};

// L20
#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_the_event_unchanged_with_three_attributes() {
    let world = World::new().await;
    let dead = world.queue("dead").await;
    let long = "ä".repeat(600) + "\u{1}";
    let fails = move |_: Invocation, _| {
        let failure = Failure::new(&long);
        async move { Err(failure) }
    };
    let function = world.function("orders", fails).await;
    let function = function.dead_letter(DeadLetterTarget::queue(Arc::new(dead.clone())).unwrap());
    let function = function.start().await.unwrap();
    let event = "{\"b\": 1,  \"a\": 1.50}";
    let accepted = function.invoke(event).await.unwrap();
    let (at, letter) = world.arrival(&dead).await;
    assert_eq!(at, 180_000);
    assert_eq!(letter.text(), Ok(event));
    let names: Vec<_> = letter.attributes.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ErrorCode", "ErrorMessage", "RequestID"]);
    assert_eq!(letter.attributes.get("ErrorCode"), Some(&AttributeValue::number(200)));
    let id = AttributeValue::string(accepted.request_id.to_string());
    assert_eq!(letter.attributes.get("RequestID"), Some(&id));
    // The first KiB of the message.
    assert_eq!(letter.attributes.get("ErrorMessage"), Some(&AttributeValue::string("ä".repeat(512))));
}

// L20: to a topic; and of an event that never ran.
#[tokio::test(start_paused = true)]
async fn a_topic_gets_dead_letters_too_and_they_say_that_nothing_ran() {
    let world = World::new().await;
    let dead = world.queue("dead").await;
    let topic = world.broker.topic("dead").await.unwrap();
    topic.subscribe(&dead).raw_delivery(true).await.unwrap();
    let concurrency = Account::new(AccountLimits::default()).function("orders");
    concurrency.reserve(0).unwrap();
    let function = world.working("orders").await.gate(concurrency.gate(""));
    let function = function.dead_letter(DeadLetterTarget::topic(Arc::new(topic)).unwrap());
    let function = function.start().await.unwrap();
    function.invoke("7").await.unwrap();
    let (_, letter) = world.arrival(&dead).await;
    assert_eq!(letter.text(), Ok("7"));
    assert_eq!(letter.attributes.get("ErrorCode"), Some(&AttributeValue::number(429)));
}

// L15
#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_and_a_destination_both_get_what_fails_and_only_that() {
    let world = World::new().await;
    let (dead, failed) = (world.queue("dead").await, world.queue("failed").await);
    let picky = |event: Invocation, _| async move {
        if event.json::<u32>()? == 1 { Err(Failure::new("no")) } else { Ok(serde_json::Value::Null) }
    };
    let function = world.function("orders", picky).await.config(on_failure(&failed));
    let function = function.dead_letter(DeadLetterTarget::queue(Arc::new(dead.clone())).unwrap());
    let function = function.start().await.unwrap();
    function.invoke("1").await.unwrap();
    function.invoke("2").await.unwrap();
    let (_, letter) = world.arrival(&dead).await;
    let (_, record) = world.record(&failed).await;
    assert_eq!(letter.text(), Ok("1"));
    assert_eq!(record["requestPayload"], 1);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(dead.counters().await.unwrap().total() + failed.counters().await.unwrap().total(), 0);
}

// L15: what cannot be delivered is dropped and counted.
#[tokio::test(start_paused = true)]
async fn what_a_destination_does_not_take_is_dropped_and_counted() {
    let world = World::new().await;
    let dead = world.queue("dead").await;
    let on_failure: Option<Arc<dyn broker_worker::invoke::Destination>> =
        Some(Arc::new(Broken(DestinationKind::Queue, "arn")));
    let config = InvokeConfig { maximum_retry_attempts: Some(0), on_failure, ..Default::default() };
    let function = world.failing("orders").await.config(config);
    let function = function.dead_letter(DeadLetterTarget::queue(Arc::new(dead.clone())).unwrap());
    let function = function.start().await.unwrap();
    world.broker.delete_queue("dead").await.unwrap();
    function.invoke("7").await.unwrap();
    tokio::time::sleep(secs(3_600)).await;
    let counts = function.counts();
    assert_eq!((counts.destination_failures, counts.dead_letter_errors, counts.given_up), (1, 1, 1));
    assert_eq!(world.queue("orders-events").await.counters().await.unwrap().total(), 0);
    assert_eq!(world.times(), [0]);
}
