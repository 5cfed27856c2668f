//! The checks on what comes into a topic (rules N1, N10, N20 to N33, N80). Pure; they change nothing.

use super::{
    message::PublishMessage,
    subscription::{DeliveryOrder, Endpoint},
};
use crate::{
    error::{Error, Result},
    limits::Limits,
    queue::check,
};

/// Refuses a topic name that is not 1 to 256 letters, digits, hyphens and underscores; that of a FIFO topic ends with
/// `.fifo`, which counts (rule N1).
pub(crate) fn topic_name(name: &str, fifo: bool, limits: &Limits) -> Result<()> {
    let stem = match (name.strip_suffix(".fifo"), fifo) {
        (Some(stem), true) => stem,
        (Some(_), false) => {
            return Err(Error::invalid("name", name, "the suffix .fifo is for FIFO topics only"));
        }
        (None, true) => return Err(Error::invalid("name", name, "that of a FIFO topic must end with .fifo")),
        (None, false) => name,
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let max = limits.topics.name_chars_max.min(check::NAME_CHARS_CEILING);
    if stem.is_empty() || name.len() > max || !stem.bytes().all(allowed) {
        let reason = format!("must be 1 to {max} letters, digits, hyphens and underscores");
        return Err(Error::invalid("name", name, reason));
    }
    Ok(())
}

/// The protocols of SNS besides `sqs`.
const PROTOCOLS: [&str; 8] =
    ["http", "https", "email", "email-json", "sms", "application", "lambda", "firehose"];
const ADDRESS_BYTES_MAX: usize = 2_048;
const AT_ONCE_MAX: u32 = 1_000;

/// Refuses an endpoint that cannot be, or not on this topic (rule N10).
pub(crate) fn endpoint(endpoint: &Endpoint, fifo: bool, limits: &Limits) -> Result<()> {
    match endpoint {
        Endpoint::Queue(name) => {
            let fifo_queue = name.strip_suffix(".fifo").is_some();
            check::queue_name(name, fifo_queue, limits)?;
            if fifo_queue && !fifo {
                let reason = "FIFO SQS Queues can not be subscribed to standard SNS topics";
                return Err(Error::invalid("endpoint", name, reason));
            }
            return Ok(());
        }
        Endpoint::Push { protocol, .. } if !PROTOCOLS.contains(&protocol.as_str()) => {
            return Err(Error::invalid(
                "protocol",
                protocol,
                "Amazon SNS does not support this protocol string",
            ));
        }
        Endpoint::Handler(_) | Endpoint::Push { .. } => {}
    }
    let address = endpoint.address();
    if fifo {
        return Err(Error::invalid("endpoint", address, "FIFO topics deliver to queues only"));
    }
    if address.is_empty() || address.len() > ADDRESS_BYTES_MAX {
        let reason = format!("must have 1 to {ADDRESS_BYTES_MAX} bytes");
        return Err(Error::invalid("endpoint", address, reason));
    }
    Ok(())
}

/// Refuses a number of deliveries at once that is out of bounds.
pub(crate) fn order(order: Option<DeliveryOrder>) -> Result<()> {
    match order {
        Some(DeliveryOrder::Independent(at_once)) if !(1..=AT_ONCE_MAX).contains(&at_once) => {
            Err(Error::invalid("order", at_once, format!("must be 1 to {AT_ONCE_MAX} deliveries at once")))
        }
        _ => Ok(()),
    }
}

/// What fails an entry of a batch alone: its body and subject (rules N20, N21).
pub(crate) fn entry(message: &PublishMessage) -> Result<()> {
    if message.body.is_empty() {
        return Err(Error::MissingParameter { field: "body" });
    }
    if let Some((protocol, _)) = message.body_for.iter().find(|(_, body)| body.is_empty()) {
        return Err(Error::invalid("body_for", protocol, "must not be empty"));
    }
    let Some(subject) = &message.subject else { return Ok(()) };
    let chars = subject.chars().count();
    if !(1..SUBJECT_CHARS_BELOW).contains(&chars) || subject.chars().any(char::is_control) {
        let reason = format!("must have 1 to {} characters, none for control", SUBJECT_CHARS_BELOW - 1);
        return Err(Error::invalid("subject", subject, reason));
    }
    Ok(())
}

const SUBJECT_CHARS_BELOW: usize = 100;

/// What fails a whole batch: attributes, group and deduplication id (rules N24, N25, N30 to N32, N80).
pub(crate) fn whole_call(message: &PublishMessage, fifo: bool, limits: &Limits) -> Result<()> {
    for (name, value) in message.attributes.iter() {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            let reason = "may hold letters, digits, underscores, hyphens and dots of ASCII";
            return Err(Error::invalid("attribute name", name, reason));
        }
        check::attribute_name(name, limits)?;
        check::attribute_value(name, value, limits)?;
    }
    if let Some(group_id) = &message.group_id {
        check::id_of_128("group_id", group_id)?;
    }
    if fifo && message.group_id.is_none() {
        return Err(Error::MissingParameter { field: "group_id" });
    }
    match &message.deduplication_id {
        Some(id) if fifo => check::id_of_128("deduplication_id", id),
        Some(id) => Err(Error::invalid("deduplication_id", id, "is not valid for this topic type")),
        None => Ok(()),
    }
}
