//! Pools on virtual time: they follow their scaler, spare whoever holds a lease, share capacity, and replace versions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod capacity;
mod following;
mod load;
mod replacing;
mod sparing;

use std::time::Duration;

use broker_core::{Broker, Clock, LocalQueue, Sleep, Timestamp};
use broker_mem::MemStorage;
use broker_worker::{
    Handler,
    handler::each,
    pool::{PoolEvent, PoolEvents},
    queue::{Batch, QueueMapping, Received},
    scaling::{Behavior, QueueScaler, QueueTarget},
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A clock that starts at zero and follows tokio, so that the periods of alarms begin with a test.
#[derive(Debug, Clone)]
struct FromZero(Instant);

impl Clock for FromZero {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        Box::pin(tokio::time::sleep_until(self.0 + Duration::from_millis(deadline.as_millis())))
    }
}

async fn broker() -> Broker {
    Broker::builder(MemStorage::new()).clock(FromZero(Instant::now())).open().await.unwrap()
}

async fn queue() -> LocalQueue {
    queue_of(&broker().await).await
}

async fn queue_of(broker: &Broker) -> LocalQueue {
    broker.queue("orders").visibility_timeout(secs(120)).await.unwrap()
}

async fn send(queue: &LocalQueue, messages: usize) {
    for number in 0..messages {
        queue.send(number.to_string()).await.unwrap();
    }
}

/// A handler that takes so long.
fn taking(time: Duration) -> impl Handler<Batch> {
    each(move |_: String, _: Received| sleep(time))
}

/// One message at a time for each worker.
fn mapping(queue: &LocalQueue, handler: impl Handler<Batch>) -> QueueMapping {
    QueueMapping::new(queue.clone(), handler)
        .batch_size(1)
        .clock(std::sync::Arc::new(FromZero(Instant::now())))
}

/// A worker for each message, from none to `max`, down as fast as up.
fn scaler(max: u32) -> QueueScaler {
    let down = Behavior { stabilization: secs(0), ..Behavior::down() };
    let scaler = QueueScaler::new(0, max).unwrap().behavior(Behavior::up(), down).unwrap();
    scaler.target(QueueTarget { queue_length: 1.0, ..QueueTarget::default() }).unwrap()
}

/// The events up to now.
fn told(events: &mut PoolEvents) -> Vec<PoolEvent> {
    std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
}
