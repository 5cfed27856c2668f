//! What all batches share: entries with ids, and what became of each (rules Q40 to Q46).

use broker_core::{EntryId, Error, Outcomes};

use super::{
    errors,
    shapes::{BatchResult, BatchResultErrorEntry},
};
use crate::wire::error::WireError;

/// An entry that failed.
fn failed(id: String, error: &WireError) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id,
        sender_fault: error.is_sender(),
        code: error.code.clone().into_owned(),
        message: error.message.clone(),
    }
}

/// What became of an entry, as a client sees it: `refused` has the entries that were refused before the broker saw them, in whose
/// place it got something that it refuses too.
pub(super) fn result<T, R>(
    outcomes: Outcomes<T>,
    mut refused: impl FnMut(usize) -> Option<WireError>,
    mut done: impl FnMut(usize, String, T) -> Result<R, WireError>,
) -> BatchResult<R> {
    let mut result = BatchResult { successful: Vec::new(), failed: Vec::new() };
    for (position, (id, outcome)) in outcomes.0.into_iter().enumerate() {
        let id = match id {
            EntryId::Named(id) => id,
            EntryId::Position(position) => position.to_string(),
        };
        let outcome = match (refused(position), outcome) {
            (Some(error), _) => Err(error),
            (None, Ok(outcome)) => done(position, id.clone(), outcome),
            (None, Err(error)) => Err(entry_error(&error)),
        };
        match outcome {
            Ok(done) => result.successful.push(done),
            Err(error) => result.failed.push(failed(id, &error)),
        }
    }
    result
}

/// The error of an entry. It says a little less than that of a call (rule Q43).
fn entry_error(error: &Error) -> WireError {
    match error {
        Error::MessageTooLong { max, .. } => {
            let reason = format!("Message must be shorter than {max} bytes.");
            errors::invalid(format!("One or more parameters cannot be validated. Reason: {reason}"))
        }
        error => errors::from_broker(error),
    }
}
