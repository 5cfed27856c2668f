//! What is told: events of mappings, destinations, and sends that are traced.

use std::sync::Arc;

use async_trait::async_trait;
use broker_core::{Entries, PutRecord, Queue as _, SendMessage, Stream as _};
use broker_worker::{
    Context, Failure,
    handler::BoxError,
    invoke::{AsyncFunction, Destination, DestinationKind, InvokeConfig, QueueDestination, Report, function},
    pool::{Pool, PoolEvent},
    scaling::QueueScaler,
    telemetry::{Traced, TracedStream, WorkerEvent},
};
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{
    ms, secs, slow_stream, sweep,
    world::{Did, World},
};

// An event that was waited for and not taken comes with the next wait.
#[tokio::test(start_paused = true)]
async fn waiting_for_an_event_of_a_mapping_that_is_dropped_misses_none() {
    let points = sweep(
        async || {
            let world = World::new(0).await;
            let running = world.mapping(ms(10)).start().await.unwrap();
            sleep(ms(100)).await;
            let (events, queue) = (running.events(), world.queue.clone());
            tokio::spawn(async move {
                sleep(ms(2_500)).await;
                queue.send("late").await.unwrap();
            });
            (world, running, events)
        },
        async |(_, _, events)| events.next().await.unwrap(),
        async |(_world, running, mut events), first| {
            sleep(secs(4)).await;
            let mut told = Vec::from_iter(first);
            running.stop(secs(1)).await;
            while let Some(event) = events.next().await {
                told.push(event);
            }
            assert_eq!(told[0], WorkerEvent::Received { messages: 1 });
            assert!(told.iter().any(|event| matches!(event, WorkerEvent::Settled { .. })), "{told:?}");
        },
    )
    .await;
    assert!(points >= 2, "{points}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_event_of_a_pool_that_is_dropped_misses_none() {
    let points = sweep(
        async || {
            let world = World::new(0).await;
            let pool = Pool::new(world.mapping(ms(10)), QueueScaler::new(0, 2).unwrap()).every(secs(1));
            let pool = pool.start().await.unwrap();
            let (events, broker) = (pool.events(), world.broker.clone());
            tokio::spawn(async move {
                sleep(ms(3_500)).await;
                broker.close().await.unwrap();
            });
            (world, pool, events)
        },
        async |(_, _, events)| events.next().await.unwrap(),
        async |(_world, pool, mut events), first| {
            sleep(secs(6)).await;
            drop(pool);
            let mut told = Vec::from_iter(first);
            while let Some(event) = events.next().await {
                told.push(event);
            }
            assert!(matches!(told[0], PoolEvent::NoMetrics { .. }), "{told:?}");
        },
    )
    .await;
    assert!(points >= 2, "{points}");
}

/// A destination that keeps what it is told.
struct Keeps(Arc<Mutex<Option<Report>>>);

#[async_trait]
impl Destination for Keeps {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Queue
    }

    fn arn(&self) -> &'static str {
        "arn:aws:sqs:eu-west-1:123456789012:kept"
    }

    async fn deliver(&self, report: &Report) -> Result<(), BoxError> {
        *self.0.lock() = Some(report.clone());
        Ok(())
    }
}

/// What a destination is told of an event that failed.
async fn report() -> Report {
    let world = World::new(0).await;
    let kept = Arc::default();
    let config = InvokeConfig {
        maximum_retry_attempts: Some(0),
        on_failure: Some(Arc::new(Keeps(Arc::clone(&kept)))),
        ..InvokeConfig::default()
    };
    let fails = function(async |(): (), _: Context| Err::<(), _>(Failure::new("no")));
    let running =
        AsyncFunction::new("fails", world.slow.clone(), fails).config(config).start().await.unwrap();
    running.invoke("null").await.unwrap();
    sleep(secs(1)).await;
    assert!(running.stop(secs(1)).await);
    kept.lock().take().unwrap()
}

/// Something that sends one message to the queue, of its own world.
async fn sending_is_swept<S>(sender: impl AsyncFn(&World) -> S, send: impl AsyncFn(&S)) {
    let points = sweep(
        async || {
            let world = World::new(0).await;
            let sender = sender(&world).await;
            (world, sender)
        },
        async |(_, sender)| send(sender).await,
        async |(world, sender), done| {
            let visible = async || world.queue.counters().await.unwrap().visible;
            let before = visible().await;
            assert!(if done.is_some() { before == 1 } else { before <= 1 }, "{before}");
            sleep(secs(1)).await;
            assert_eq!(visible().await, before);
            send(&sender).await;
            assert_eq!(visible().await, before + 1);
        },
    )
    .await;
    assert_eq!(points, 2);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_dropped_was_told_or_not() {
    let report = report().await;
    sending_is_swept(
        async |world| QueueDestination::new(Arc::new(world.slow.clone())).unwrap(),
        async |destination| destination.deliver(&report).await.unwrap(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_traced_send_that_is_dropped_has_happened_or_not() {
    let current = || "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
    sending_is_swept(
        async |world| Traced::new(world.slow.clone(), current),
        async |queue| {
            let sent = queue.send_batch(Entries::one(SendMessage::from("traced"))).await.unwrap();
            assert_eq!(sent.all().unwrap().len(), 1);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_traced_put_that_is_dropped_has_happened_or_not() {
    let put = async |stream: &TracedStream<_>, data: &str| {
        let records = vec![PutRecord::new("key", data.to_owned())];
        assert!(stream.put_batch(records).await.unwrap().iter().all(Result::is_ok));
    };
    let points = sweep(
        async || {
            let world = slow_stream::World::new(0).await;
            let stream = TracedStream::new(world.slow.clone(), || None);
            (world, stream)
        },
        async |(_, stream)| put(stream, "first").await,
        async |(world, stream), done| {
            put(&stream, "second").await;
            drop(stream);
            world.all_is_handled().await;
            let times = |data: &str| world.log.times(&Did::Handled(data.into()));
            assert_eq!(times("second"), 1);
            assert!(if done.is_some() { times("first") == 1 } else { times("first") <= 1 });
        },
    )
    .await;
    assert_eq!(points, 2);
}
