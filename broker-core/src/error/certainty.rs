//! What is certain after an error.

use super::Error;
use crate::storage::StorageError;

/// What is certain after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Nothing happened.
    Rejected,
    /// It may have happened or not; the broker has stopped, and reopening it settles which.
    Indeterminate,
    /// Stored bytes are not what was written; the message names the place.
    Corrupt,
}

impl Error {
    /// What is certain after this error.
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::Storage(cause) if matches!(**cause, StorageError::Corrupt { .. }) => Certainty::Corrupt,
            Self::Indeterminate(_) => Certainty::Indeterminate,
            _ => Certainty::Rejected,
        }
    }
}
