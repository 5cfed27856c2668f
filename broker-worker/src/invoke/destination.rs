//! Destinations: who is told of what was done or given up.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use async_trait::async_trait;
use broker_core::Clock;
use futures_util::FutureExt as _;

use super::record::InvocationRecord;
use crate::{
    handler::{BoxError, Failure},
    stream::BatchReport,
};

/// A delivery that takes longer has failed, and is dropped. It is short enough that a dead letter and a destination that both hang are
/// over before others get the event, which is 60 seconds after the handler's time.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// What a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationKind {
    /// A standard queue.
    Queue,
    /// A standard topic.
    Topic,
    /// Another function: what it is told is its event.
    Function,
    /// An event bus.
    Bus,
    /// An object store.
    Objects,
}

/// What a destination is told.
#[derive(Debug, Clone)]
pub enum Report {
    /// Of an event of an asynchronous invocation.
    Invocation(InvocationRecord),
    /// Of records of a stream that were given up.
    Batch(BatchReport),
}

impl Report {
    /// As JSON, as a queue, a topic and a function are told.
    pub fn to_json(&self) -> String {
        match self {
            Self::Invocation(record) => record.to_json(),
            Self::Batch(report) => report.record.to_json(),
        }
    }
}

/// Somebody who is told of what was done or given up.
///
/// Implementors owe: when `deliver` returns `Ok`, it is kept. It may be told the same twice, and dropped at any await. What cannot be
/// delivered within 20 seconds is not tried again, and lost (rule L15). A panic is a failure like any other.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What it is.
    fn kind(&self) -> DestinationKind;

    /// Its ARN.
    fn arn(&self) -> &str;

    /// Tells it.
    async fn deliver(&self, report: &Report) -> Result<(), BoxError>;
}

/// Tells a destination, within the time that it has.
pub(crate) async fn deliver(
    destination: &dyn Destination,
    report: &Report,
    clock: &dyn Clock,
) -> Result<(), BoxError> {
    // Inside, so that a panic before the first await is caught too.
    delivered(clock, async { destination.deliver(report).await }).await
}

/// Waits for a delivery, for as long as it may take. One that panics has failed.
pub(crate) async fn delivered(
    clock: &dyn Clock,
    delivery: impl Future<Output = Result<(), BoxError>> + Send,
) -> Result<(), BoxError> {
    let until = crate::scaling::after(clock.now(), DELIVERY_TIMEOUT);
    tokio::select! {
        biased;
        done = AssertUnwindSafe(delivery).catch_unwind() => {
            done.unwrap_or_else(|panic| Err(Failure::panic(&*panic).into()))
        }
        () = clock.sleep_until(until) => Err(format!("it took longer than {DELIVERY_TIMEOUT:?}").into()),
    }
}
