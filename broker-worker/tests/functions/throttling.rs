//! Events that cannot run now wait, and use up no retry. L11, L13, L105.

use broker_worker::{
    concurrency::{Account, AccountLimits, Gate, Permit, ThrottleReason, Throttled},
    invoke::{Invocation, InvokeConfig},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{World, on_failure, secs};

/// Opens at a time.
struct OpensAt(Instant);

impl Gate for OpensAt {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        if Instant::now() >= self.0 {
            Ok(Permit::uncounted())
        } else {
            Err(Throttled::because(ThrottleReason::Concurrency))
        }
    }
}

// L11
#[tokio::test(start_paused = true)]
async fn the_waits_of_a_throttled_event_double_and_use_up_no_retry() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    // It would have been let in at 63 seconds; there are looks at 0, 1, 3, 7, 15, 31, 63, 127.
    let gate = OpensAt(Instant::now() + secs(64));
    let function = world.failing("orders").await.gate(gate).config(on_failure(&failed));
    let function = function.start().await.unwrap();
    function.invoke("7").await.unwrap();
    let (at, record) = world.record(&failed).await;
    assert_eq!(world.times(), [127_000, 187_000, 307_000]);
    assert_eq!(at, 307_000);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(function.counts().throttled, 7);
}

// L11, L12: until the age is too great.
#[tokio::test(start_paused = true)]
async fn a_throttled_event_is_given_up_when_it_would_get_too_old() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let gate = OpensAt(Instant::now() + secs(86_400));
    let config = InvokeConfig { maximum_event_age: Some(secs(100)), ..on_failure(&failed) };
    let function = world.working("orders").await.gate(gate).config(config).start().await.unwrap();
    function.invoke("7").await.unwrap();
    let (at, record) = world.record(&failed).await;
    // At 63 seconds the next look would be at 127.
    assert_eq!(at, 63_000);
    assert!(world.times().is_empty());
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);
    assert!(record.get("responseContext").is_none());
}

// L13
#[tokio::test(start_paused = true)]
async fn with_a_reservation_of_zero_an_event_is_accepted_and_given_up_at_once() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let account = Account::new(AccountLimits::default());
    let concurrency = account.function("orders");
    concurrency.reserve(0).unwrap();
    let function = world.working("orders").await.gate(concurrency.gate("")).config(on_failure(&failed));
    let function = function.start().await.unwrap();
    let accepted = function.invoke(r#"{"n":1}"#).await.unwrap();
    let (at, record) = world.record(&failed).await;
    assert_eq!(at, 0);
    assert!(world.times().is_empty());
    let context = &record["requestContext"];
    assert_eq!(context["requestId"], accepted.request_id.to_string());
    assert_eq!(
        (&context["condition"], &context["approximateInvokeCount"]),
        (&json!("ZeroReservedConcurrency"), &json!(0))
    );
    assert_eq!(record["requestPayload"], json!({"n": 1}));
    assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none());
}

// L105
#[tokio::test(start_paused = true)]
async fn raising_the_reservation_frees_the_events_that_wait() {
    let world = World::new().await;
    let account = Account::new(AccountLimits::default());
    let concurrency = account.function("orders");
    concurrency.reserve(1).unwrap();
    let slow = |_: Invocation, _| async {
        tokio::time::sleep(secs(100)).await;
        Ok(Value::Null)
    };
    let function = world.function("orders", slow).await.gate(concurrency.gate("")).start().await.unwrap();
    for _ in 0..3 {
        function.invoke("7").await.unwrap();
    }
    tokio::time::sleep(secs(10)).await;
    assert_eq!(world.times(), [0]);
    concurrency.reserve(3).unwrap();
    tokio::time::sleep(secs(600)).await;
    // The others look again 15 seconds after they came.
    assert_eq!(world.times(), [0, 15_000, 15_000]);
    assert_eq!(function.counts().succeeded, 3);
}

// An attempt gives its permit back, whatever becomes of it.
#[tokio::test(start_paused = true)]
async fn permits_of_attempts_that_fail_panic_or_take_too_long_come_back() {
    let world = World::new().await;
    let concurrency = Account::new(AccountLimits::default()).function("orders");
    concurrency.reserve(1).unwrap();
    let function = world.function("orders", |event: Invocation, _| async move {
        match event.json::<u32>()? {
            0 => Err(broker_worker::Failure::new("no")),
            1 => panic!("on purpose"),
            2 => std::future::pending().await,
            _ => Ok(Value::Null),
        }
    });
    let config = InvokeConfig { maximum_retry_attempts: Some(0), ..InvokeConfig::default() };
    let function = function.await.timeout(secs(1)).config(config).gate(concurrency.gate(""));
    let function = function.start().await.unwrap();
    for event in 0..4 {
        function.invoke(event.to_string()).await.unwrap();
        tokio::time::sleep(secs(2)).await;
    }
    let counts = function.counts();
    assert_eq!((counts.attempts, counts.given_up, counts.succeeded, counts.throttled), (4, 3, 1, 0));
}
