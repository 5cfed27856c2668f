//! From the broker's errors to those of SNS: shapes, codes, statuses and texts (rules of section C1).

use broker_core::{Certainty, Error};

use crate::wire::error::WireError;

/// What stands before the texts of most errors.
const PREFIX: &str = "Invalid parameter: ";

/// An error whose code is the name of its shape without `Exception`.
fn named(shape: &'static str, message: impl Into<String>) -> WireError {
    WireError::sender(shape, message).with_code(shape.strip_suffix("Exception").unwrap_or(shape))
}

/// A parameter has a value that is not allowed. The text has the prefix of SNS before it.
pub(super) fn invalid(what: impl AsRef<str>) -> WireError {
    plain_invalid(format!("{PREFIX}{}", what.as_ref()))
}

/// A parameter has a value that is not allowed. The text stands as it is.
pub(super) fn plain_invalid(message: impl Into<String>) -> WireError {
    named("InvalidParameterException", message)
}

/// A message attribute is not as it should be (rules N30 to N32).
pub(super) fn invalid_value(message: impl Into<String>) -> WireError {
    WireError::sender("InvalidParameterValueException", message).with_code("ParameterValueInvalid")
}

/// How an attribute came: its errors say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// As one of several, when something is made.
    Creation,
    /// Alone, to be changed.
    Change,
}

impl Via {
    /// An attribute has a value that is not allowed (rule N64).
    pub(super) fn invalid(self, what: impl AsRef<str>) -> WireError {
        match self {
            Self::Creation => invalid(format!("{REASON}{}", what.as_ref())),
            Self::Change => invalid(what),
        }
    }

    /// What the broker refuses.
    pub(super) fn refused(self, error: &Error) -> WireError {
        let told = from_broker(error);
        let what =
            told.message.strip_prefix(PREFIX).filter(|what| ATTRIBUTES.iter().any(|it| starts(what, it)));
        match what {
            Some(what) => self.invalid(what),
            None => told,
        }
    }
}

/// What stands before what is wrong with an attribute when something is made.
const REASON: &str = "Attributes Reason: ";

/// The attributes that the broker checks.
const ATTRIBUTES: [&str; 10] = [
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DeliveryPolicy",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "FilterPolicy",
    "MaximumMessageSize",
    "RedrivePolicy",
    "ReplayPolicy",
];

/// Whether a text tells of this attribute.
fn starts(what: &str, attribute: &str) -> bool {
    what.strip_prefix(attribute).is_some_and(|rest| rest.starts_with(':'))
}

/// A parameter that must be given is not.
pub(super) fn missing(member: &str) -> WireError {
    let what = format!("Value null at '{member}' failed to satisfy constraint: Member must not be null");
    WireError::sender("ValidationException", format!("1 validation error detected: {what}"))
        .with_code("ValidationError")
}

/// There is no such thing.
pub(super) fn not_found(message: &str) -> WireError {
    named("NotFoundException", message).with_status(404)
}

/// There is no such topic.
pub(super) fn no_topic() -> WireError {
    not_found("Topic does not exist")
}

/// There is no such subscription.
pub(super) fn no_subscription() -> WireError {
    not_found("Subscription does not exist")
}

/// There is nothing of this name that could have tags.
pub(super) fn no_resource() -> WireError {
    named("ResourceNotFoundException", "Resource does not exist").with_status(404)
}

/// The caller may not do this.
pub(super) fn not_authorized(message: impl Into<String>) -> WireError {
    named("AuthorizationErrorException", message).with_status(403)
}

/// An operation that SNS does not have, or that means nothing here.
pub(super) fn invalid_action(message: impl Into<String>) -> WireError {
    WireError::sender("InvalidAction", message)
}

/// What the broker refuses, or what went wrong in it.
pub(super) fn from_broker(error: &Error) -> WireError {
    match error {
        Error::TopicDoesNotExist { .. } => no_topic(),
        Error::SubscriptionDoesNotExist { .. } => no_subscription(),
        Error::TopicExists { attribute: "tags", .. } => {
            invalid("Tags Reason: Topic already exists with different tags")
        }
        Error::TopicExists { .. } => {
            invalid("Attributes Reason: Topic already exists with different attributes")
        }
        Error::SubscriptionExists { .. } => {
            invalid("Attributes Reason: Subscription already exists with different attributes")
        }
        Error::InvalidFilterPolicy(error) => invalid(format!("FilterPolicy: {error}")),
        Error::MessageTooLong { .. } => invalid("Message too long"),
        Error::InvalidState { reason, .. } => named("InvalidStateException", reason),
        Error::TooMany { what, max } => too_many(what, *max),
        Error::MissingParameter { field } => invalid(missing_text(field)),
        Error::InvalidParameter { field, value, reason } => invalid_parameter(field, value, reason, error),
        error => from_batch(error).unwrap_or_else(|| other(error)),
    }
}

/// What is wrong with a batch as a whole (rule N25).
fn from_batch(error: &Error) -> Option<WireError> {
    const ID: &str = "The Id of a batch entry in the batch request";
    Some(match error {
        Error::EmptyBatch => {
            named("EmptyBatchRequestException", "The batch request doesn't contain any entries.")
        }
        Error::TooManyEntriesInBatch { .. } => {
            let message = "The batch request contains more entries than permissible.";
            named("TooManyEntriesInBatchRequestException", message)
        }
        Error::BatchEntryIdsNotDistinct { .. } => {
            let message = "Two or more batch entries in the request have the same Id.";
            named("BatchEntryIdsNotDistinctException", message)
        }
        Error::InvalidBatchEntryId { id } => {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            // A long one is shown cut, with a mark that is none of its own characters.
            let message = if id.trim_end_matches('…').chars().all(allowed) && !id.is_empty() {
                format!("{ID} is too long: {id}")
            } else {
                format!("{ID} contains an impermissible character: {id}")
            };
            named("InvalidBatchEntryIdException", message)
        }
        Error::BatchTooLong { .. } => {
            let message = "The length of all the messages put together is more than the limit.";
            named("BatchRequestTooLongException", message)
        }
        _ => return None,
    })
}

fn too_many(what: &str, max: usize) -> WireError {
    let message = format!("There are {max} {what}, no more are allowed");
    let shape = match what {
        "topics of this type" => "TopicLimitExceededException",
        "subscriptions of the topic" => "SubscriptionLimitExceededException",
        _ => "FilterPolicyLimitExceededException",
    };
    named(shape, message).with_status(403)
}

fn missing_text(field: &str) -> String {
    match field {
        "body" => "Empty message".into(),
        "group_id" => "The MessageGroupId parameter is required for FIFO topics".into(),
        field => format!("{field} Reason: no value for required parameter"),
    }
}

/// A refused value, in the words of SNS where they are known.
fn invalid_parameter(field: &str, value: &str, reason: &str, error: &Error) -> WireError {
    match (field, reason) {
        ("name", _) => invalid("Topic Name"),
        ("subject", _) => invalid("Subject"),
        ("body_for", _) => invalid("Empty message"),
        ("protocol", _) => invalid(format!("{reason}: {value}")),
        // SNS says its prefix twice here.
        ("endpoint", reason) => invalid(format!("{PREFIX}Endpoint Reason: {reason}")),
        ("group_id", reason) => invalid(format!("MessageGroupId Reason: {reason}")),
        ("deduplication_id", "is not valid for this topic type") => invalid(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not \
             valid for this topic type",
        ),
        ("deduplication_id", reason) if reason.starts_with("must be given") => invalid(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly",
        ),
        ("deduplication_id", reason) => invalid(format!("MessageDeduplicationId Reason: {reason}")),
        // The parser says more than SNS does.
        ("message_structure", reason) => invalid(reason.split(": ").next().unwrap_or(reason)),
        ("attribute name" | "attribute type" | "attribute value", _) => invalid_value(error.to_string()),
        ("tags", _) => named("TagLimitExceededException", format!("Could not complete request: {error}")),
        ("tag key" | "tag value", _) => invalid(format!("Tags Reason: {error}")),
        ("dead_letter", reason) => invalid(format!("RedrivePolicy: {reason}")),
        (field, reason) => match attribute(field) {
            Some(attribute) => invalid(format!("{attribute}: Invalid value [{value}]: {reason}")),
            None => invalid(format!("{field} Reason: {reason}")),
        },
    }
}

/// The attribute that holds a setting of the broker.
fn attribute(field: &str) -> Option<&'static str> {
    Some(match field {
        "display_name" => "DisplayName",
        "max_message_size" => "MaximumMessageSize",
        "content_based_deduplication" => "ContentBasedDeduplication",
        "fifo_throughput_scope" => "FifoThroughputScope",
        "fifo" => "FifoTopic",
        "archive_policy" => "ArchivePolicy",
        "until" => "ReplayPolicy",
        "min_delay, max_delay" | "retries" | "retry policy" | "max_receives_per_second" | "content_type" => {
            "DeliveryPolicy"
        }
        _ => return None,
    })
}

fn other(error: &Error) -> WireError {
    if error.certainty() == Certainty::Rejected && !matches!(error, Error::Storage(_) | Error::Poisoned(_)) {
        return invalid(error.to_string());
    }
    let shape = "InternalErrorException";
    WireError { shape: shape.into(), code: "InternalError".into(), ..WireError::internal(error.to_string()) }
}
