//! Events whose function fails are tried again after one minute, and after two more. L2, L10.

use broker_worker::{
    Failure,
    invoke::{Invocation, InvokeConfig},
};
use serde_json::{Value, json};

use crate::support::{World, on_failure, on_success, secs};

// L10
#[tokio::test(start_paused = true)]
async fn an_event_is_tried_again_after_60_and_after_120_seconds_with_the_same_id() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let function = world.failing("orders").await.config(on_failure(&failed)).start().await.unwrap();
    let accepted = function.invoke("7").await.unwrap();
    let (at, record) = world.record(&failed).await;
    assert_eq!(world.times(), [0, 60_000, 180_000]);
    assert_eq!(at, 180_000);
    let calls = world.calls();
    assert!(calls.iter().all(|call| call.request_id == accepted.request_id));
    assert_eq!(calls.iter().map(|call| call.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    // Nothing comes later.
    tokio::time::sleep(secs(21_600)).await;
    assert_eq!(world.calls().len(), 3);
    let counts = function.counts();
    assert_eq!((counts.attempts, counts.retried, counts.given_up, counts.succeeded), (3, 2, 1, 0));
}

// L10: the waits begin when an attempt has ended.
#[tokio::test(start_paused = true)]
async fn the_time_that_an_attempt_takes_comes_on_top() {
    let world = World::new().await;
    let slow = |_: Invocation, _| async {
        tokio::time::sleep(secs(7)).await;
        Err::<Value, _>(Failure::new("no"))
    };
    let function = world.function("orders", slow).await.start().await.unwrap();
    function.invoke("7").await.unwrap();
    tokio::time::sleep(secs(600)).await;
    assert_eq!(world.times(), [0, 67_000, 194_000]);
}

// L10
#[tokio::test(start_paused = true)]
async fn an_event_that_works_at_the_second_attempt_is_done() {
    let world = World::new().await;
    let done = world.queue("done").await;
    let second = |_: Invocation, context: broker_worker::Context| async move {
        if context.attempt() == 2 { Ok(json!({"n": 1})) } else { Err(Failure::new("not yet")) }
    };
    let function = world.function("orders", second).await.config(on_success(&done)).start().await.unwrap();
    function.invoke("7").await.unwrap();
    let (at, record) = world.record(&done).await;
    assert_eq!(at, 60_000);
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(record["responsePayload"], json!({"n": 1}));
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(world.times(), [0, 60_000]);
}

// L10: MaximumRetryAttempts.
#[tokio::test(start_paused = true)]
async fn the_number_of_retries_is_as_configured() {
    for (retries, times) in [(0, &[0][..]), (1, &[0, 60_000]), (2, &[0, 60_000, 180_000])] {
        let world = World::new().await;
        let failed = world.queue("failed").await;
        let config = InvokeConfig { maximum_retry_attempts: Some(retries), ..on_failure(&failed) };
        let function = world.failing("orders").await.config(config).start().await.unwrap();
        function.invoke("7").await.unwrap();
        let (at, record) = world.record(&failed).await;
        assert_eq!(world.times(), times);
        assert_eq!(at, *times.last().unwrap());
        assert_eq!(record["requestContext"]["approximateInvokeCount"], retries + 1);
    }
}

// L2, L3: a timeout and a panic are errors of the function like any other.
#[tokio::test(start_paused = true)]
async fn timeouts_and_panics_are_tried_again_like_errors() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let wild = |_: Invocation, context: broker_worker::Context| async move {
        assert_eq!(context.attempt() % 2, 1, "attempt {}", context.attempt());
        std::future::pending::<Result<Value, Failure>>().await
    };
    let function = world.function("orders", wild).await;
    let function = function.timeout(secs(3)).config(on_failure(&failed)).start().await.unwrap();
    function.invoke("7").await.unwrap();
    let (at, record) = world.record(&failed).await;
    // Three seconds until the first times out; the second panics at once.
    assert_eq!(world.times(), [0, 63_000, 183_000]);
    assert_eq!(at, 186_000);
    assert_eq!(record["responsePayload"]["errorMessage"], "Task timed out after 3.00 seconds");
    assert_eq!(record["responsePayload"]["errorType"], "Sandbox.Timedout");
}

// L10: events do not wait for each other.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_tried_again_holds_up_no_other() {
    let world = World::new().await;
    let one_fails = |event: Invocation, _| async move {
        if event.json::<u32>()? == 1 { Err(Failure::new("no")) } else { Ok(Value::Null) }
    };
    let function = world.function("orders", one_fails).await.parallel(1).start().await.unwrap();
    for event in ["1", "2", "3"] {
        function.invoke(event).await.unwrap();
    }
    tokio::time::sleep(secs(600)).await;
    assert_eq!(world.times(), [0, 0, 0, 60_000, 180_000]);
    assert_eq!(function.counts().succeeded, 2);
}
