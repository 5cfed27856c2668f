//! What a handler says of a message, and what converts to that.

use std::time::Duration;

use super::failure::{BoxError, Failure};

/// The longest reason that a dead-letter queue takes, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// What is to become of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The work is done: delete it.
    Ack,
    /// Try again after this time: 0 to 12 hours. It overrides what is left of the visibility timeout.
    Retry {
        /// The wait, from now.
        after: Duration,
    },
    /// Trying again will not help: to the dead-letter queue, with this reason. If there is none, the message fails.
    Dead {
        /// Why, up to 1,024 bytes; the rest is cut off.
        reason: String,
    },
    /// It failed: it stays invisible until its visibility timeout ends, and then comes again (rule L40).
    Failed(Failure),
}

impl Outcome {
    /// Tries again after `after`.
    pub fn retry(after: Duration) -> Self {
        Self::Retry { after }
    }

    /// To the dead-letter queue.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self::Dead { reason: reason.into() }
    }

    /// A reason, cut to what a dead-letter queue takes.
    pub(crate) fn cut(reason: &str) -> String {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason[..end].to_owned()
    }
}

/// What a handler of single messages may answer: nothing, an [`Outcome`], or a result of either.
pub trait IntoOutcome {
    /// The outcome that this is.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<T: IntoOutcome, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(done) => done.into_outcome(),
            Err(error) => Outcome::Failed(Failure::of(error)),
        }
    }
}
