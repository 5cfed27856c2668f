//! Destinations and dead-letter queues that hang or panic: the event is done all the same.

use std::sync::Arc;

use async_trait::async_trait;
use broker_worker::{
    handler::BoxError,
    invoke::{Destination, DestinationKind, InvokeConfig, Report},
};
use tokio::time::sleep;

use crate::support::{World, secs};

struct Hangs;
struct Panics;

macro_rules! destination {
    ($name:ty, $deliver:expr) => {
        #[async_trait]
        impl Destination for $name {
            fn kind(&self) -> DestinationKind {
                DestinationKind::Bus
            }

            fn arn(&self) -> &'static str {
                "arn:aws:events:us-east-1:000000000000:event-bus/unhelpful"
            }

            async fn deliver(&self, _: &Report) -> Result<(), BoxError> {
                $deliver
            }
        }
    };
}
destination!(Hangs, std::future::pending().await);
destination!(Panics, panic!("it falls over"));

// L15: what cannot be delivered within 20 seconds is lost, and the event comes no more.
#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_is_given_up_after_twenty_seconds() {
    let world = World::new().await;
    let config = InvokeConfig { on_success: Some(Arc::new(Hangs)), ..InvokeConfig::default() };
    let function = world.working("orders").await.config(config).start().await.unwrap();
    function.invoke("1").await.unwrap();
    let queue = world.queue("orders-events").await;
    sleep(secs(19)).await;
    assert_eq!((function.counts().destination_failures, queue.counters().await.unwrap().in_flight), (0, 1));
    sleep(secs(2)).await;
    assert_eq!((function.counts().destination_failures, function.counts().succeeded), (1, 1));
    let counters = queue.counters().await.unwrap();
    assert_eq!((counters.in_flight, counters.visible), (0, 0));
    assert!(function.stop(secs(1)).await);
    assert_eq!(world.calls().len(), 1);
}

// L15: a panic is a failure like any other. It does not bring the event back.
#[tokio::test(start_paused = true)]
async fn a_destination_that_panics_takes_nothing_and_the_event_is_done() {
    let world = World::new().await;
    let config = InvokeConfig {
        on_failure: Some(Arc::new(Panics)),
        maximum_retry_attempts: Some(0),
        ..InvokeConfig::default()
    };
    let function = world.failing("orders").await.config(config).start().await.unwrap();
    function.invoke("1").await.unwrap();
    sleep(secs(7_200)).await;
    let counts = function.counts();
    assert_eq!((counts.destination_failures, counts.given_up, world.calls().len()), (1, 1, 1));
    assert!(function.stop(secs(1)).await);
    let counters = world.queue("orders-events").await.counters().await.unwrap();
    assert_eq!((counters.visible, counters.in_flight, counters.delayed), (0, 0, 0));
}
