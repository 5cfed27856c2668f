//! Functions whose events wait in a queue: how they start, stop and break, and calls of them.

use std::{sync::Arc, time::Duration};

use broker_core::{Broker, Error, LocalQueue};
use broker_mem::MemStorage;
use broker_worker::{
    Context, Failure,
    invoke::{AsyncFunction, InvokeConfig, QueueDestination, RunningFunction, function},
};
use tokio::time::sleep;

use crate::{
    ms, secs, sweep,
    world::{Did, Log, Slow},
};

/// How long a function may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long an event is kept from others: the timeout and a minute for its destination.
const KEPT: Duration = Duration::from_secs(120);

/// A broker with the events of a function, and where it tells what it has given up.
struct World {
    broker: Broker,
    events: LocalQueue,
    failed: LocalQueue,
    slow: Slow,
    failures: Slow,
    log: Log,
}

impl World {
    async fn new() -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let (events, failed) = (broker.queue("events").await.unwrap(), broker.queue("failed").await.unwrap());
        let log = Log::default();
        let slow = Slow::new(events.clone(), log.clone());
        let failures = Slow::new(failed.clone(), log.clone());
        Self { broker, events, failed, slow, failures, log }
    }

    /// A function that takes so long, and then fails on odd numbers.
    fn function(&self, takes: Duration) -> AsyncFunction {
        let log = self.log.clone();
        let run = function(move |number: u32, _: Context| {
            let log = log.clone();
            async move {
                log.note(Did::Begun(number.to_string()));
                sleep(takes).await;
                log.note(Did::Handled(number.to_string()));
                if number.is_multiple_of(2) { Ok(()) } else { Err(Failure::new("it is odd")) }
            }
        });
        let config = InvokeConfig {
            maximum_retry_attempts: Some(0),
            on_failure: Some(QueueDestination::new(Arc::new(self.failures.clone())).unwrap()),
            ..InvokeConfig::default()
        };
        AsyncFunction::new("bill", self.slow.clone(), run).timeout(TIMEOUT).parallel(2).config(config)
    }

    /// A function that runs, and has these events.
    async fn at_work(events: u32, takes: Duration) -> (Self, Option<RunningFunction>) {
        let world = Self::new().await;
        let running = world.function(takes).start().await.unwrap();
        for number in 0..events {
            running.invoke(number.to_string()).await.unwrap();
        }
        sleep(ms(500)).await;
        (world, Some(running))
    }

    async fn nothing_runs(&self) {
        sleep(ms(1)).await;
        assert!(self.log.is_idle(2), "somebody still has the handler");
        let before = self.log.len();
        sleep(KEPT * 2).await;
        assert_eq!(self.log.len(), before, "something has happened");
    }

    /// A new function works on what is there; then everything was worked on, and what failed was told.
    async fn all_is_handled(&self, events: u32) {
        let running = self.function(ms(10)).start().await.unwrap();
        sleep(secs(5)).await;
        assert!(running.stop(secs(5)).await);
        let counters = self.events.counters().await.unwrap();
        assert_eq!((counters.visible, counters.in_flight, counters.delayed), (0, 0, 0));
        let numbers: Vec<String> = (0..events).map(|number| number.to_string()).collect();
        self.log.check(numbers.iter().map(String::as_str));
        assert!(self.failed.counters().await.unwrap().visible >= u64::from(events / 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_of_a_function_that_is_dropped_leaves_nothing() {
    let points = sweep(
        World::new,
        async |world| world.function(ms(10)).start().await.unwrap(),
        async |world, running| {
            drop(running);
            world.nothing_runs().await;
            world.all_is_handled(0).await;
        },
    )
    .await;
    assert_eq!(points, 2);
}

async fn stop_is_swept(takes: Duration, drain: Duration) -> usize {
    sweep(
        async || World::at_work(4, takes).await,
        async |(_, running)| running.take().unwrap().stop(drain).await,
        async |(world, running), drained| {
            drop(running);
            assert!(drained.is_none_or(|drained| drained == (takes < drain)));
            if drained == Some(false) {
                // It has given back what it had.
                let counters = world.events.counters().await.unwrap();
                assert_eq!((counters.visible, counters.in_flight), (4, 0));
            }
            world.nothing_runs().await;
            world.all_is_handled(4).await;
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_a_function_that_is_dropped_ends_everything() {
    for (takes, drain) in [(secs(3), secs(20)), (secs(10), secs(2))] {
        let points = stop_is_swept(takes, drain).await;
        assert!(points >= 3, "{points}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_of_a_function_can_be_dropped_and_done_again() {
    let points = sweep(
        async || {
            let (world, running) = World::at_work(2, ms(10)).await;
            let broker = world.broker.clone();
            let ends = tokio::spawn(async move {
                sleep(ms(3_500)).await;
                broker.close().await.unwrap();
            });
            (world, running.unwrap(), ends)
        },
        async |(_, running, _)| running.broken().await,
        async |(world, running, ends), error| {
            if error.is_none() {
                running.invoke("2").await.unwrap();
                sleep(ms(400)).await;
                world.log.check(["0", "1", "2"]);
            }
            ends.await.unwrap();
            assert!(matches!(running.broken().await, Error::Closed));
            assert!(running.stop(secs(1)).await);
            sleep(ms(1)).await;
            assert!(world.log.is_idle(2));
        },
    )
    .await;
    assert!(points >= 3, "{points}");
}

// A call that was dropped was accepted or not, and one that was not dropped was.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_was_accepted_or_not() {
    let points = sweep(
        async || World::at_work(0, ms(10)).await,
        async |(_, running)| running.as_ref().unwrap().invoke("0").await.unwrap(),
        async |(world, running), accepted| {
            sleep(secs(1)).await;
            let times = world.log.times(&Did::Handled("0".into()));
            assert!(if accepted.is_some() { times == 1 } else { times <= 1 }, "{times}");
            let running = running.unwrap();
            running.invoke("2").await.unwrap();
            sleep(secs(1)).await;
            assert_eq!(world.log.times(&Did::Handled("0".into())), times);
            assert_eq!(world.log.times(&Did::Handled("2".into())), 1);
            assert!(running.stop(secs(1)).await);
            world.nothing_runs().await;
            world.all_is_handled(0).await;
        },
    )
    .await;
    assert_eq!(points, 2);
}
