//! What became of a transaction that was committed.

use crate::{clock::Timestamp, queue::message::Sent, stream::record::PutOutcome, topic::message::Published};

/// What became of one operation of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There is nothing to say: the message is deleted, the checkpoint is moved, the key is read, set or removed.
    Done,
    /// The message becomes visible then.
    VisibleAt(Timestamp),
    /// The message was sent, or was a duplicate.
    Sent(Sent),
    /// The message was published, or was a duplicate.
    Published(Published),
    /// The record was put.
    Put(PutOutcome),
}

/// A transaction that was committed: all of it has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What became of the operations, in the order of the calls, reads included: the place of each is what its call returned.
    pub outcomes: Vec<Outcome>,
}
