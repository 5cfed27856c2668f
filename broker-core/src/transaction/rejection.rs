//! Why a transaction was rejected.

use std::{error, fmt};

use crate::error::Error;

/// What an operation of a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Deletes a message that was received.
    Ack,
    /// Changes how long a received message stays invisible.
    ChangeVisibility,
    /// Moves a received message to the dead-letter queue.
    DeadLetter,
    /// Sends a message to a queue.
    Send,
    /// Publishes a message to a topic.
    Publish,
    /// Puts a record to a stream.
    PutRecord,
    /// Moves a checkpoint of a consumer group.
    Checkpoint,
    /// Reads a user key.
    Get,
    /// Reads a page of user keys.
    Scan,
    /// Sets a user key.
    Put,
    /// Removes a user key.
    Delete,
}

impl OperationKind {
    /// Whether it makes the store larger.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Send | Self::Publish | Self::PutRecord | Self::Put)
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ack => "ack",
            Self::ChangeVisibility => "change_visibility",
            Self::DeadLetter => "dead_letter",
            Self::Send => "send",
            Self::Publish => "publish",
            Self::PutRecord => "put_record",
            Self::Checkpoint => "checkpoint",
            Self::Get => "get",
            Self::Scan => "scan",
            Self::Put => "put",
            Self::Delete => "delete",
        })
    }
}

/// Which operation of a transaction could not be done, and why. Nothing happened.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Which operation, counted from zero in the order of the calls, reads included.
    pub operation: usize,
    /// What it was to do.
    pub kind: OperationKind,
    /// Why it cannot be done.
    pub reason: Reason,
}

/// Why an operation of a transaction cannot be done, and what to do about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reason {
    /// The message has been received again since the receipt was given out. Leave it to whoever has it now.
    ReceiptStale,
    /// The message of the receipt is not in the queue any more: deleted, moved or expired. Its work is done, or not wanted any more.
    MessageGone,
    /// A user key was changed since the transaction read it, or a key came or went where it scanned, or more has changed
    /// since than is remembered. Begin the transaction again: [`Broker::transact`](crate::Broker::transact) does that by itself.
    KeyChanged {
        /// The space's name.
        space: String,
        /// The key, or the first that the scan could have found; escaped, and cut to a readable length.
        key: String,
    },
    /// It would have failed by itself too, in this way: the lease is lost, the queue is gone, the receipt has expired, and so on.
    Failed(Error),
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiptStale => f.write_str("the message has been received again since"),
            Self::MessageGone => f.write_str("the message is gone"),
            Self::KeyChanged { space, key } => {
                write!(f, "what was read of the space {space:?} from the key \"{key}\" on was changed since")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {} ({}): {}", self.operation, self.kind, self.reason)
    }
}

impl error::Error for Rejection {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.reason {
            Reason::Failed(error) => Some(error),
            _ => None,
        }
    }
}
