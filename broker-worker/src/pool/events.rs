//! What a pool does, as it happens.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, stream};
use tokio::sync::broadcast;

use crate::{deploy::Progress, scaling::Decision};

/// How many events a slow listener may be behind before it misses some.
const EVENTS_KEPT: usize = 1_024;

/// Something that a pool did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// The scaler wants another number of workers.
    Scaled {
        /// How many, and why.
        decision: Decision,
    },
    /// Fewer workers than should be can be had: what they would do waits in the queue.
    Limited {
        /// So many should be.
        desired: u32,
        /// So many can.
        granted: u32,
        /// So many messages are visible, if that is known.
        waiting: Option<u64>,
    },
    /// As many workers as should be can be had again.
    Unlimited,
    /// More workers run than should be, because they hold leases. They go when they have finished.
    Held {
        /// How many.
        workers: u32,
    },
    /// A deployment is further.
    Deploying {
        /// The new version.
        version: String,
        /// How far.
        progress: Progress,
    },
    /// The queue did not say how many messages it has. The scaler has no data until it does.
    NoMetrics {
        /// Why.
        error: String,
    },
    /// The pool cannot go on, because its queue cannot.
    Broken {
        /// Why.
        error: String,
    },
    /// Events were missed, because they were not taken in time.
    Missed {
        /// How many.
        events: u64,
    },
}

/// Where a pool tells what it does.
pub(super) fn channel() -> broadcast::Sender<PoolEvent> {
    broadcast::channel(EVENTS_KEPT).0
}

/// The events of a pool, from [`RunningPool::events`](super::RunningPool::events). Ends with the pool.
#[must_use = "streams do nothing unless polled"]
pub struct PoolEvents(Pin<Box<dyn Stream<Item = PoolEvent> + Send>>);

impl PoolEvents {
    pub(super) fn new(events: broadcast::Receiver<PoolEvent>) -> Self {
        let next = |mut events: broadcast::Receiver<PoolEvent>| async move {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(missed)) => PoolEvent::Missed { events: missed },
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((event, events))
        };
        Self(Box::pin(stream::unfold(events, next)))
    }
}

impl Stream for PoolEvents {
    type Item = PoolEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}
