//! What a mapping or a function does, as it happens: a stream for logs, tests and dashboards.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use broker_core::{MessageId, ShardId};
use futures_util::{Stream, stream};
use tokio::sync::broadcast;

use super::Counts;
use crate::handler::Failure;

/// Something that a mapping of a queue or a stream, or a function, did. Messages are also the records of a stream and the events
/// of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The number of workers changed: of a stream the shards that are consumed, of a function the events that are worked on.
    Workers {
        /// How many there are now.
        running: usize,
    },
    /// A receive returned messages.
    Received {
        /// How many.
        messages: usize,
    },
    /// Messages that no handler wants were deleted.
    Filtered {
        /// How many.
        messages: usize,
    },
    /// A batch waits for a permit.
    Throttled {
        /// Its messages.
        messages: usize,
    },
    /// A batch got no permit before its leases ended.
    Dropped {
        /// Its messages.
        messages: usize,
    },
    /// An invocation succeeded. Single messages of it may have failed.
    Succeeded {
        /// The messages of the batch.
        messages: usize,
        /// How long it took.
        took: Duration,
    },
    /// An invocation failed.
    Failed {
        /// The messages of the batch.
        messages: usize,
        /// How long it took.
        took: Duration,
        /// Why.
        failure: Failure,
    },
    /// A transaction that a handler filled was rejected: nothing of it has happened.
    Rejected {
        /// The messages that it was to settle.
        messages: usize,
        /// Which operation could not be done, and why.
        reason: String,
    },
    /// The messages of a batch were settled. Of a stream, `acked` are done, `dead` given up, and `failed` come again; of a function
    /// `acked` succeeded, and `dead` was given up.
    Settled {
        /// What became of them.
        counts: Counts,
    },
    /// A lease ended while its handler was at work.
    LeaseLost {
        /// The message.
        id: MessageId,
    },
    /// The lease of a shard was lost: what its handlers do no longer counts.
    ShardLost {
        /// The shard.
        shard: ShardId,
    },
    /// A destination or a dead-letter queue was not told of what was given up or done. That is lost (rule L15).
    DeliveryFailed {
        /// How many messages.
        messages: usize,
        /// Why.
        error: String,
    },
    /// Leases could not be extended. It is tried again as long as they last.
    HeartbeatFailed {
        /// Why.
        error: String,
    },
    /// A receive failed, or records of a stream could not be settled. It is tried again.
    ReceiveFailed {
        /// Why.
        error: String,
    },
    /// The mapping cannot go on, because its queue cannot.
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

/// The events of a mapping, from [`Running::events`](crate::queue::Running::events). Ends with the mapping.
#[must_use = "streams do nothing unless polled"]
pub struct Events(Pin<Box<dyn Stream<Item = WorkerEvent> + Send>>);

impl Events {
    pub(super) fn new(events: broadcast::Receiver<WorkerEvent>) -> Self {
        let next = |mut events: broadcast::Receiver<WorkerEvent>| async move {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(missed)) => WorkerEvent::Missed { events: missed },
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((event, events))
        };
        Self(Box::pin(stream::unfold(events, next)))
    }
}

impl Stream for Events {
    type Item = WorkerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}
