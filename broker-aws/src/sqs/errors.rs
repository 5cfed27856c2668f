//! From the broker's errors to those of SQS: shapes, codes, statuses and texts (rules of section A1).

use broker_core::{Certainty, Error};

use crate::{
    protocol::Protocol,
    wire::{error::WireError, is_fifo},
};

/// What stands before the codes of most errors of SQS in the query protocol.
const PREFIX: &str = "AWS.SimpleQueueService.";

/// An error whose code has the prefix of SQS before the name of its shape.
pub(super) fn prefixed(shape: &'static str, message: impl Into<String>) -> WireError {
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

/// A parameter is not allowed.
pub(super) fn invalid(message: impl Into<String>) -> WireError {
    WireError::sender("InvalidParameterValueException", message).with_code("InvalidParameterValue")
}

/// A parameter has a value that is not allowed.
pub(super) fn invalid_value(parameter: &str, value: impl std::fmt::Display, reason: &str) -> WireError {
    let value = shown(&value.to_string());
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

/// The most characters of a refused value that are shown: a receipt handle has 1,024 at most.
const SHOWN_CHARS_MAX: usize = 1_024;

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// An attribute of a queue that does not exist.
pub(super) fn unknown_attribute(name: &str) -> WireError {
    WireError::sender("InvalidAttributeName", format!("Unknown Attribute {}.", shown(name)))
}

/// An attribute of a queue has a value that is not allowed.
pub(super) fn invalid_attribute(name: &str, reason: &str) -> WireError {
    let message = format!("Invalid value for the parameter {name}. Reason: {reason}");
    WireError::sender("InvalidAttributeValue", message)
}

/// A receipt handle that no queue has given out, or another one.
pub(super) fn invalid_receipt(receipt: &str) -> WireError {
    let message = format!("The input receipt handle \"{}\" is not a valid receipt handle.", shown(receipt));
    WireError::sender("ReceiptHandleIsInvalid", message)
}

/// Something that a move task needs does not exist.
pub(super) fn no_such_resource(message: impl Into<String>) -> WireError {
    WireError::sender("ResourceNotFoundException", message).with_status(404)
}

/// An operation that SQS does not have.
pub(super) fn unknown_operation(operation: &str, protocol: Protocol) -> WireError {
    match protocol {
        Protocol::Query { .. } => {
            let message = format!("The action {} is not valid for this endpoint.", shown(operation));
            WireError::sender("InvalidAction", message)
        }
        _ => WireError::sender("UnknownOperationException", ""),
    }
}

const GROUP_ID: &str =
    "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
const DEDUPLICATION_ID: &str =
    "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
const ATTEMPT_ID: &str = "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in \
                          length.";
/// A FIFO queue's parameter on a standard queue, or the other way round.
pub(super) const NOT_FOR_THIS_TYPE: &str =
    "The request include parameter that is not valid for this queue type.";
/// Rule F11.
pub(super) const NO_DEDUPLICATION_ID: &str = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
/// Rule Q5.
const NAME: &str = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
/// Rule Q5.
const FIFO_NAME: &str = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must \
                         end with .fifo suffix and be 1 to 80 in length.";

/// What the broker refuses, or what went wrong in it.
pub(super) fn from_broker(error: &Error) -> WireError {
    match error {
        Error::QueueDoesNotExist { .. } => no_such_queue(),
        Error::InvalidParameter { field, value, reason } => refused(field, value, reason),
        Error::MissingParameter { field: "body" } => missing("MessageBody"),
        Error::MissingParameter { field: "group_id" } => missing("MessageGroupId"),
        Error::InvalidMessageContents { .. } => {
            let message = format!(
                "Invalid characters found: {error}. Valid unicode characters are \
                                   #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
            );
            WireError::sender("InvalidMessageContents", message)
        }
        Error::MessageTooLong { max, .. } => {
            let reason = format!("Message must be shorter than {max} bytes.");
            invalid(format!("One or more parameters are invalid. Reason: {reason}"))
        }
        Error::QueueNameExists { attribute, .. } => queue_exists(attribute_name(attribute)),
        Error::QueueDeletedRecently { .. } => prefixed(
            "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ),
        Error::PurgeQueueInProgress { name, .. } => {
            let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
            prefixed("PurgeQueueInProgress", message).with_status(403)
        }
        Error::ReceiptHandleIsInvalid { receipt } => invalid_receipt(receipt),
        Error::ReceiptHandleExpired { receipt } => {
            invalid_value("ReceiptHandle", receipt, "The receipt handle has expired.")
        }
        Error::OverLimit { .. } => WireError::sender("OverLimit", error.to_string()).with_status(403),
        batch @ (Error::EmptyBatch
        | Error::TooManyEntriesInBatch { .. }
        | Error::BatchEntryIdsNotDistinct { .. }
        | Error::InvalidBatchEntryId { .. }
        | Error::BatchTooLong { .. }) => whole_batch(batch),
        error => others(error),
    }
}

/// A queue of this name has another value for an attribute (rule Q6).
pub(super) fn queue_exists(attribute: &str) -> WireError {
    let message =
        format!("A queue already exists with the same name and a different value for attribute {attribute}");
    WireError::sender("QueueNameExists", message).with_code("QueueAlreadyExists")
}

/// A batch that is refused as a whole (rules Q40 to Q42).
fn whole_batch(error: &Error) -> WireError {
    match error {
        Error::EmptyBatch => {
            prefixed("EmptyBatchRequest", "There should be at least one entry in the request.")
        }
        Error::TooManyEntriesInBatch { count, max } => {
            let message = format!("Maximum number of entries per request are {max}. You have sent {count}.");
            prefixed("TooManyEntriesInBatchRequest", message)
        }
        Error::BatchEntryIdsNotDistinct { id } => {
            prefixed("BatchEntryIdsNotDistinct", format!("Id {id} repeated."))
        }
        Error::BatchTooLong { bytes, max } => {
            let message =
                format!("Batch requests cannot be longer than {max} bytes. You have sent {bytes} bytes.");
            prefixed("BatchRequestTooLong", message)
        }
        _ => {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
                           at most 80 letters long.";
            prefixed("InvalidBatchEntryId", message)
        }
    }
}

/// A value that the broker refuses, in the words of SQS where they are known.
fn refused(field: &str, value: &str, reason: &str) -> WireError {
    match field {
        "name" if is_fifo(value) || reason.contains("FIFO") => invalid(FIFO_NAME),
        "name" => invalid(NAME),
        "group_id" => invalid_value("MessageGroupId", value, GROUP_ID),
        "deduplication_id" if reason.contains("content-based") => invalid(NO_DEDUPLICATION_ID),
        "deduplication_id" if reason.contains("queue type") => {
            invalid_value("MessageDeduplicationId", value, NOT_FOR_THIS_TYPE)
        }
        "deduplication_id" => invalid_value("MessageDeduplicationId", value, DEDUPLICATION_ID),
        "attempt_id" if reason.contains("FIFO") => {
            invalid_value("ReceiveRequestAttemptId", value, NOT_FOR_THIS_TYPE)
        }
        "attempt_id" => invalid_value("ReceiveRequestAttemptId", value, ATTEMPT_ID),
        "timeout" => {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            invalid_value("VisibilityTimeout", value, reason)
        }
        "fifo_throughput_limit" => invalid_attribute(
            "FifoThroughputLimit",
            "perMessageGroupId is allowed only when the value for DeduplicationScope is messageGroup.",
        ),
        "redrive_policy" => invalid_value("RedrivePolicy", value, reason),
        "redrive_allow_policy" => invalid_value("RedriveAllowPolicy", value, reason),
        field => invalid(format!("Value {value} for {field} is invalid. Reason: {reason}.")),
    }
}

/// What no rule names.
fn others(error: &Error) -> WireError {
    match error {
        Error::NotADeadLetterQueue { .. } => {
            invalid("Source queue must be configured as a Dead Letter Queue.")
        }
        Error::MoveTaskRunning { .. } => invalid(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        ),
        Error::MoveTaskDoesNotExist { .. } => no_such_resource("Task does not exist."),
        error if error.certainty() == Certainty::Rejected => invalid(error.to_string()),
        error => WireError::internal(error.to_string()),
    }
}

/// The attribute of SQS that is this setting of the broker.
fn attribute_name(setting: &str) -> &str {
    match setting {
        "fifo" => "FifoQueue",
        "visibility_timeout" => "VisibilityTimeout",
        "delay" => "DelaySeconds",
        "retention" => "MessageRetentionPeriod",
        "max_message_size" => "MaximumMessageSize",
        "receive_wait_time" => "ReceiveMessageWaitTimeSeconds",
        "content_based_deduplication" => "ContentBasedDeduplication",
        "deduplication_scope" => "DeduplicationScope",
        "fifo_throughput_limit" => "FifoThroughputLimit",
        "redrive_policy" => "RedrivePolicy",
        "redrive_allow_policy" => "RedriveAllowPolicy",
        setting => setting,
    }
}
