//! Destinations: who is told of what was done or given up.

use async_trait::async_trait;

use super::record::InvocationRecord;
use crate::{handler::BoxError, stream::BatchReport};

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
/// Implementors owe: when `deliver` returns `Ok`, it is kept. It may be told the same twice. What cannot be delivered is not tried
/// again (rule L15).
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What it is.
    fn kind(&self) -> DestinationKind;

    /// Its ARN.
    fn arn(&self) -> &str;

    /// Tells it.
    async fn deliver(&self, report: &Report) -> Result<(), BoxError>;
}
