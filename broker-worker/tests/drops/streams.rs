//! Mappings of streams: how they start, stop and break, and states that are waited for.

use std::time::Duration;

use broker_core::Error;
use broker_worker::{queue::State, stream::RunningStream};
use tokio::time::sleep;

use crate::{ms, secs, slow_stream::World, sweep};

/// How many records there are.
const RECORDS: usize = 6;

#[tokio::test(start_paused = true)]
async fn a_start_on_a_stream_that_is_dropped_leaves_no_worker() {
    let points = sweep(
        async || World::new(RECORDS).await,
        async |world| world.mapping(ms(10)).start().await.unwrap(),
        async |world, running| {
            let dropped = running.is_none();
            drop(running);
            world.nothing_runs().await;
            assert!(!dropped || world.log.len() == 0);
            world.all_is_handled().await;
        },
    )
    .await;
    assert_eq!(points, 2);
}

/// A mapping that runs, and has worked for a while.
async fn at_work(takes: Duration) -> (World, Option<RunningStream>) {
    let world = World::new(RECORDS).await;
    let running = world.mapping(takes).start().await.unwrap();
    sleep(ms(500)).await;
    (world, Some(running))
}

async fn stop_is_swept(takes: Duration, drain: Duration) -> usize {
    sweep(
        async || at_work(takes).await,
        async |(_, running)| running.take().unwrap().stop(drain).await,
        async |(world, running), drained| {
            drop(running);
            assert!(drained.is_none_or(|drained| drained == (takes < drain)));
            world.nothing_runs().await;
            world.all_is_handled().await;
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_stop_on_a_stream_that_is_dropped_ends_everything() {
    for (takes, drain) in [(secs(3), secs(20)), (secs(10), secs(2))] {
        let points = stop_is_swept(takes, drain).await;
        assert!(points >= 2, "{points}");
    }
}

/// A mapping that is at work and whose broker closes after a while.
async fn ending(takes: Duration) -> (World, RunningStream) {
    let (world, running) = at_work(takes).await;
    let broker = world.broker.clone();
    tokio::spawn(async move {
        sleep(ms(3_500)).await;
        broker.close().await.unwrap();
    });
    (world, running.unwrap())
}

async fn has_ended(world: &World, running: RunningStream) {
    running.reached(State::Deleting).await;
    assert!(matches!(running.broken().await, Error::Closed));
    assert!(running.stop(secs(1)).await);
    sleep(ms(1)).await;
    assert!(world.log.is_idle(1));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_on_a_stream_can_be_dropped_and_done_again() {
    let points = sweep(
        async || ending(ms(10)).await,
        async |(_, running)| running.broken().await,
        async |(world, running), error| {
            assert!(error.is_none_or(|error| matches!(error, Error::Closed)));
            has_ended(&world, running).await;
            world.is_done();
        },
    )
    .await;
    assert!(points >= 3, "{points}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_state_can_be_dropped_and_done_again() {
    // A handler is still at work when the broker closes.
    let ends = sweep(
        async || ending(secs(8)).await,
        async |(_, running)| running.reached(State::Deleting).await,
        async |(world, running), _| has_ended(&world, running).await,
    )
    .await;
    assert!(ends >= 3, "{ends}");
    let disabled = sweep(
        async || {
            let (world, running) = at_work(secs(4)).await;
            running.as_ref().unwrap().set_enabled(false);
            (world, running.unwrap())
        },
        async |(_, running)| running.reached(State::Disabled).await,
        async |(world, running), _| {
            running.reached(State::Disabled).await;
            world.nothing_happens().await;
            running.set_enabled(true);
            running.reached(State::Enabled).await;
            sleep(secs(60)).await;
            world.is_done();
            assert!(running.stop(secs(5)).await);
            world.nothing_runs().await;
            world.all_is_handled().await;
        },
    )
    .await;
    assert!(disabled >= 3, "{disabled}");
}
