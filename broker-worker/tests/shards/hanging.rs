//! Destinations that hang, panic or take nothing: the lane goes on.

use std::sync::Arc;

use async_trait::async_trait;
use broker_core::StartingPosition;
use broker_worker::{
    handler::BoxError,
    invoke::{Destination, DestinationKind, Report},
};
use tokio::time::sleep;

use crate::support::{World, ms, secs};

/// A destination that is told nothing.
pub(crate) struct Unhelpful {
    kind: DestinationKind,
    how: How,
}

enum How {
    Fails,
    Hangs,
    Panics,
}

impl Unhelpful {
    pub(crate) fn failing(kind: DestinationKind) -> Arc<Self> {
        Arc::new(Self { kind, how: How::Fails })
    }
}

#[async_trait]
impl Destination for Unhelpful {
    fn kind(&self) -> DestinationKind {
        self.kind
    }

    fn arn(&self) -> &'static str {
        "arn:aws:sqs:us-east-1:000000000000:unhelpful"
    }

    async fn deliver(&self, _: &Report) -> Result<(), BoxError> {
        match self.how {
            How::Fails => Err("it takes nothing".into()),
            How::Hangs => std::future::pending().await,
            How::Panics => panic!("it falls over"),
        }
    }
}

async fn world_and_mapping(how: How) -> (World, broker_worker::stream::RunningStream) {
    let world = World::new(1).await;
    world.put("key", "xb").await;
    let mapping = world.poisoned("x").batch_size(1).maximum_retry_attempts(0);
    let mapping = mapping.starting_position(StartingPosition::TrimHorizon);
    let destination = Arc::new(Unhelpful { kind: DestinationKind::Queue, how });
    let running = mapping.on_failure(destination).start().await.unwrap();
    (world, running)
}

// L83, L89: after 20 seconds the record is lost, and the lane goes on.
#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_holds_its_lane_for_twenty_seconds() {
    let (world, running) = world_and_mapping(How::Hangs).await;
    sleep(ms(19_999)).await;
    assert_eq!(world.texts(), ["x"]);
    sleep(ms(2)).await;
    assert_eq!(world.timeline(), [(0, "x".to_owned()), (20_000, "b".to_owned())]);
    let counts = running.counts();
    assert_eq!((counts.given_up, counts.destination_failures, counts.done), (1, 1, 1));
    running.stop(secs(1)).await;
}

// L83: the same of a panic, which is over at once and does not begin the shard again.
#[tokio::test(start_paused = true)]
async fn a_destination_that_panics_takes_nothing() {
    let (world, running) = world_and_mapping(How::Panics).await;
    sleep(secs(10)).await;
    assert_eq!(world.timeline(), [(0, "x".to_owned()), (0, "b".to_owned())]);
    assert_eq!(running.counts().destination_failures, 1);
    running.stop(secs(1)).await;
}
