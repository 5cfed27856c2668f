//! Events outlive the process that accepted them, and are done at least once. L14.

use broker_core::{ChangeVisibility, Entries, ReceiveOptions};
use broker_worker::invoke::{AsyncFunction, Invocation, InvokeError, function};
use serde_json::Value;

use crate::support::{World, on_failure, secs};

// L10, L14: attempts are counted in the queue, not in the process.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_with_the_attempts_of_before() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let first = world.failing("orders").await.config(on_failure(&failed)).start().await.unwrap();
    let accepted = first.invoke("7").await.unwrap();
    tokio::time::sleep(secs(100)).await;
    assert_eq!(world.times(), [0, 60_000]);
    assert!(first.stop(secs(1)).await);
    let second = world.failing("orders").await.config(on_failure(&failed)).start().await.unwrap();
    let (at, record) = world.record(&failed).await;
    assert_eq!((world.times(), at), (vec![0, 60_000, 180_000], 180_000));
    assert_eq!(record["requestContext"]["requestId"], accepted.request_id.to_string());
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_runs_and_gives_the_rest_back() {
    let world = World::new().await;
    let slow = |event: Invocation, _| async move {
        tokio::time::sleep(secs(event.json()?)).await;
        Ok(Value::Null)
    };
    let function = world.function("orders", slow).await.start().await.unwrap();
    function.invoke("5").await.unwrap();
    function.invoke("500").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let caller = (*function).clone();
    assert!(!function.stop(secs(30)).await, "one of them takes longer");
    assert_eq!(world.now(), 31_000);
    assert_eq!(caller.counts().succeeded, 1);
    // The other one is visible at once, and is all that is left.
    let counters = world.queue("orders-events").await.counters().await.unwrap();
    assert_eq!((counters.visible, counters.total()), (1, 1));
    // An event is accepted also while nobody runs.
    caller.invoke("1").await.unwrap();
    let function = world.function("orders", slow).await.start().await.unwrap();
    tokio::time::sleep(secs(600)).await;
    assert_eq!(function.counts().succeeded, 2);
}

// L14: duplicates. An event whose process dies between two steps comes again.
#[tokio::test(start_paused = true)]
async fn an_event_whose_worker_vanished_comes_again() {
    let world = World::new().await;
    let function = world.working("orders").await.start().await.unwrap();
    let caller = (*function).clone();
    function.stop(secs(1)).await;
    caller.invoke("7").await.unwrap();
    let events = world.queue("orders-events").await;
    // Somebody takes it and is never heard of again.
    let taken = events.receive(ReceiveOptions::default()).await.unwrap();
    let soon = ChangeVisibility { receipt: taken[0].receipt, timeout: secs(40) };
    events.change_visibility_batch(Entries::one(soon)).await.unwrap().all().unwrap();
    let began = world.now();
    let function = world.working("orders").await.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.times(), [began + 40_000]);
    assert_eq!(function.counts().succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_thrown_away() {
    let world = World::new().await;
    let function = world.working("orders").await.start().await.unwrap();
    let events = world.queue("orders-events").await;
    events.send("7").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!((function.counts().foreign, function.counts().attempts), (1, 0));
    assert_eq!(events.counters().await.unwrap().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_queue_is_gone_says_so() {
    let world = World::new().await;
    let function = world.working("orders").await.start().await.unwrap();
    world.broker.delete_queue("orders-events").await.unwrap();
    let error = tokio::time::timeout(secs(60), function.broken()).await.unwrap();
    assert!(matches!(error, broker_core::Error::QueueDoesNotExist { .. }), "{error}");
    assert!(matches!(function.invoke("7").await, Err(InvokeError::Runtime(_))));
}

// L1: what is too large, and what is no JSON.
#[tokio::test(start_paused = true)]
async fn an_event_is_json_of_up_to_1_mib_less_256_bytes() {
    let world = World::new().await;
    let function = world.working("orders").await.start().await.unwrap();
    let max = 1024 * 1024 - 256;
    let largest = format!("\"{}\"", "x".repeat(max - 2));
    function.invoke(largest.clone()).await.unwrap();
    let error = function.invoke(format!("{largest} ")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Request must be smaller than 1048320 bytes for the InvokeFunction operation"
    );
    for text in ["", "{", "7 7", "\u{feff}7", "nul"] {
        let error = function.invoke(text).await.unwrap_err();
        assert!(matches!(error, InvokeError::NotJson { .. }), "{text}: {error}");
    }
    // Deeper than any parser recurses: it is only looked at, and handed on.
    function.invoke(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(function.counts().succeeded, 2);
}

#[tokio::test(start_paused = true)]
async fn a_function_on_a_type_fails_with_the_place_where_the_event_does_not_fit() {
    #[derive(serde::Deserialize)]
    struct Order {
        items: Vec<u32>,
    }
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let sum = function(|order: Order, _| async move {
        Ok::<u32, Box<dyn std::error::Error + Send + Sync>>(order.items.iter().sum())
    });
    let orders = AsyncFunction::new("orders", world.queue("orders-events").await, sum);
    let orders = orders.config(on_failure(&failed)).start().await.unwrap();
    orders.invoke(r#"{"items": [1, "two"]}"#).await.unwrap();
    let (_, record) = world.record(&failed).await;
    let message = record["responsePayload"]["errorMessage"].as_str().unwrap().to_owned();
    assert!(message.contains("items[1]"), "{message}");
    assert_eq!(record["responsePayload"]["errorType"], "Payload");
}
