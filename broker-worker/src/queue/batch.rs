//! What a handler gets of a queue: messages, each with its lease, and how it answers.

use std::{fmt, ops::Deref, sync::Arc, time::Duration, vec};

use broker_core::{Message, Queue};
use serde_json::Value;

use super::lease::Lease;
use crate::handler::{BoxError, Context, Event, Failure, Outcome, Payload};

/// A batch of messages of one queue. On a FIFO queue it may mix groups, and those of a group are in order.
///
/// Handlers decide on single messages with [`Received::decide`], or answer for all: what was not decided follows the
/// answer. A decision holds whatever happens to the rest of the batch. A clone is the same batch.
#[derive(Clone)]
pub struct Batch {
    pub(crate) messages: Vec<Received>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) fifo: bool,
    /// JSON answers are read as partial failures.
    pub(crate) partial: bool,
}

impl Batch {
    /// The name of the queue.
    pub fn queue(&self) -> &str {
        self.queue.name()
    }

    /// Whether the queue is FIFO.
    pub fn is_fifo(&self) -> bool {
        self.fifo
    }

    /// The messages.
    pub fn messages(&self) -> &[Received] {
        &self.messages
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none, which the runtime never hands over.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("queue", &self.queue())
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

impl Event for Batch {
    type Response = Response;
}

impl IntoIterator for Batch {
    type Item = Received;
    type IntoIter = vec::IntoIter<Received>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

/// One message of a batch, with its lease. Cheap to clone: all of a batch are kept together, as long as one of them is.
#[derive(Clone)]
pub struct Received {
    pub(crate) lease: Lease,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("message", &**self).field("lease", &self.lease).finish()
    }
}

impl Deref for Received {
    type Target = Message;

    fn deref(&self) -> &Message {
        self.lease.message()
    }
}

impl Received {
    /// The message's lease: extend it, or ask whether it is lost.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The context of the invocation that the message belongs to.
    pub fn context(&self) -> &Context {
        &self.lease.set.context
    }

    /// The body as a typed value. A failure names the place.
    pub fn payload<P: Payload>(&self) -> Result<P, Failure> {
        P::read(self)
    }

    /// Decides on this message, whatever the answer for the batch. The first decision holds; returns whether this is it.
    /// It is carried out when the invocation ends, also if that ends with a panic, a timeout or a shutdown.
    pub fn decide(&self, outcome: Outcome) -> bool {
        self.lease.decide(outcome)
    }

    /// Decides that the work is done.
    pub fn ack(&self) -> bool {
        self.decide(Outcome::Ack)
    }

    /// Decides to try again after `after`.
    pub fn retry(&self, after: Duration) -> bool {
        self.decide(Outcome::retry(after))
    }

    /// Decides that the message goes to the dead-letter queue.
    pub fn dead(&self, reason: impl Into<String>) -> bool {
        self.decide(Outcome::dead(reason))
    }
}

/// What a handler answers for a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// This becomes of every message that nothing was decided on.
    Rest(Outcome),
    /// These messages failed, by id; the rest is done. An id that is not one of the batch fails the whole batch.
    Failures(Vec<String>),
    /// The JSON that a Lambda function answers with: read as a partial failure if the mapping
    /// [says so](super::QueueMappingSettings::report_batch_item_failures), and as success otherwise (rule L50).
    Json(Value),
}

/// What a function on batches may answer.
pub trait IntoResponse {
    /// The response that this is.
    fn into_response(self) -> Result<Response, Failure>;
}

impl IntoResponse for () {
    fn into_response(self) -> Result<Response, Failure> {
        Ok(Response::Rest(Outcome::Ack))
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Result<Response, Failure> {
        Ok(Response::Rest(self))
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response, Failure> {
        Ok(self)
    }
}

impl<T: IntoResponse, E: Into<BoxError>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response, Failure> {
        self.map_err(Failure::of)?.into_response()
    }
}
