//! How old an event may get. L12, L14.

use broker_worker::invoke::{Invocation, InvokeConfig};
use serde_json::Value;

use crate::support::{World, on_failure, secs};

// L12
#[tokio::test(start_paused = true)]
async fn the_age_is_checked_before_the_wait() {
    for (age, times) in [(60, &[0][..]), (90, &[0, 60_000]), (181, &[0, 60_000, 180_000])] {
        let world = World::new().await;
        let failed = world.queue("failed").await;
        let config = InvokeConfig { maximum_event_age: Some(secs(age)), ..on_failure(&failed) };
        let function = world.failing("orders").await.config(config).start().await.unwrap();
        function.invoke("7").await.unwrap();
        let (at, record) = world.record(&failed).await;
        assert_eq!(world.times(), times, "an age of {age} s");
        assert_eq!(at, *times.last().unwrap(), "an event is dropped at once");
        let condition = if age == 181 { "RetriesExhausted" } else { "EventAgeExceeded" };
        assert_eq!(record["requestContext"]["condition"], condition);
        assert_eq!(record["requestContext"]["approximateInvokeCount"], times.len());
        assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    }
}

// L14: an event that nobody had time for is lost by its age, and reported.
#[tokio::test(start_paused = true)]
async fn events_are_lost_by_age_if_the_function_does_not_keep_up() {
    let world = World::new().await;
    let failed = world.queue("failed").await;
    let slow = |_: Invocation, _| async {
        tokio::time::sleep(secs(50)).await;
        Ok(Value::Null)
    };
    let config = InvokeConfig { maximum_event_age: Some(secs(60)), ..on_failure(&failed) };
    let function = world.function("orders", slow).await.parallel(1).config(config).start().await.unwrap();
    for _ in 0..3 {
        function.invoke("7").await.unwrap();
    }
    let (at, record) = world.record(&failed).await;
    assert_eq!((world.times(), at), (vec![0, 50_000], 100_000));
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);
}
