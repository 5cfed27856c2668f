//! Functions whose handlers are replaced while they run.

use broker_worker::{
    Failure,
    deploy::{Deploy, Health, Stage, Verdict, Versions},
    invoke::{AsyncFunction, function},
};
use serde_json::Value;
use tokio::time::sleep;

use crate::support::{World, secs};

// A canary of an invoked function that fails is rolled back, and its events succeed at the old version.
#[tokio::test(start_paused = true)]
async fn a_canary_of_a_function_that_fails_is_rolled_back() {
    let world = World::new().await;
    let one = function(|event: Value, _| async move { Ok::<_, Failure>(event) });
    let versions = Versions::new("one", one);
    let queue = world.queue("orders-events").await;
    let orders = AsyncFunction::new("orders", queue, versions.clone()).start().await.unwrap();
    let two = function(|_: Value, _| async move { Err::<(), _>(Failure::new("this version is broken")) });
    let health = Health::new().error_rate_max(0.5).invocations_min(3);
    let mut deployment = versions.deploy("two", two, Deploy::canary(50, secs(1_000)).health(health)).unwrap();
    for _ in 0..20 {
        orders.invoke("1").await.unwrap();
        sleep(secs(1)).await;
    }
    assert_eq!(deployment.finished().await, Stage::RolledBack(Verdict::Failing { failed: 3, of: 3 }));
    assert_eq!(versions.current(), "one");
    // A minute later what had failed is tried again.
    sleep(secs(100)).await;
    let counts = orders.counts();
    assert_eq!((counts.succeeded, counts.retried, counts.attempts), (20, 3, 23));
    orders.stop(secs(1)).await;
}
