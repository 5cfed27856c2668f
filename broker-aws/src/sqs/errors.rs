//! From the broker's errors to those of SQS: shapes, codes, statuses and texts (rules of section A1).

use broker_core::{Certainty, Error};

use crate::{protocol::Protocol, wire::error::WireError};

/// What stands before the codes of most errors of SQS in the query protocol.
const PREFIX: &str = "AWS.SimpleQueueService.";

/// An error whose code has the prefix of SQS before the name of its shape.
fn prefixed(shape: &'static str, message: impl Into<String>) -> WireError {
    WireError::sender(shape, message).with_code(format!("{PREFIX}{shape}"))
}

/// There is no such queue, or not for this client.
pub(super) fn no_such_queue() -> WireError {
    let message = "The specified queue does not exist.";
    WireError::sender("QueueDoesNotExist", message).with_code(format!("{PREFIX}NonExistentQueue"))
}

/// A parameter that must be given is not.
pub(super) fn missing(parameter: &str) -> WireError {
    let message = format!("The request must contain the parameter {parameter}.");
    WireError::sender("MissingRequiredParameterException", message).with_code("MissingParameter")
}

/// A parameter has a value that is not allowed.
pub(super) fn invalid(message: impl Into<String>) -> WireError {
    WireError::sender("InvalidParameterValueException", message).with_code("InvalidParameterValue")
}

/// An operation that SQS does not have.
pub(super) fn unknown_operation(operation: &str, protocol: Protocol) -> WireError {
    match protocol {
        Protocol::Query { .. } => {
            let message = format!("The action {operation} is not valid for this endpoint.");
            WireError::sender("InvalidAction", message)
        }
        _ => WireError::sender("UnknownOperationException", ""),
    }
}

/// What the broker refuses, or what went wrong in it.
pub(super) fn from_broker(error: &Error) -> WireError {
    match error {
        Error::QueueDoesNotExist { .. } => no_such_queue(),
        error if error.certainty() == Certainty::Rejected => invalid(error.to_string()),
        error => WireError::internal(error.to_string()),
    }
}
