//! Receiving (rules Q50 to Q61, F30 to F39).

use std::time::Duration;

use broker_core::ReceiveOptions;

use super::{
    attributes, errors,
    message::{self, Wanted},
    shapes::{ReceiveMessageRequest, ReceiveMessageResult},
    target,
};
use crate::{call::Context, wire::error::WireResult};

/// System attributes that a message can have.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    message::TRACE_HEADER,
    "DeadLetterQueueSourceArn",
];

pub(super) async fn receive_message(
    context: &Context,
    input: ReceiveMessageRequest,
) -> WireResult<ReceiveMessageResult> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let options = options(context, &input)?;
    let mut system = input.message_system_attribute_names.unwrap_or_default();
    system.extend(input.attribute_names.unwrap_or_default());
    // The older parameter takes the names of a queue's attributes too, which no message has.
    let known = |name: &str| SYSTEM_ATTRIBUTES.contains(&name) || attributes::is_known(name);
    if let Some(unknown) = system.iter().find(|name| !known(name)) {
        return Err(errors::unknown_attribute(unknown));
    }
    let wanted = Wanted { system, attributes: input.message_attribute_names.unwrap_or_default() };
    let received = queue.receive(options).await.map_err(|error| errors::from_broker(&error))?;
    let messages = received.into_iter().map(|received| message::incoming(context, &received, &wanted));
    Ok(ReceiveMessageResult { messages: messages.collect() })
}

fn options(context: &Context, input: &ReceiveMessageRequest) -> WireResult<ReceiveOptions> {
    let limits = context.broker.limits();
    let max = input.max_number_of_messages.unwrap_or(1);
    let count = usize::try_from(max).ok().filter(|count| (1..=limits.receive_max).contains(count));
    let reason = || format!("Must be between 1 and {}, if provided.", limits.receive_max);
    let count = count.ok_or_else(|| errors::invalid_value("MaxNumberOfMessages", max, &reason()))?;
    let mut options = ReceiveOptions::up_to(count);
    if let Some(wait) = input.wait_time_seconds {
        let max = limits.wait_max.as_secs();
        let reason = format!("Must be >= 0 and <= {max}, if provided.");
        options.wait_time = Some(seconds("WaitTimeSeconds", wait, max, &reason)?);
    }
    if let Some(timeout) = input.visibility_timeout {
        options.visibility_timeout = Some(visibility_timeout(context, timeout)?);
    }
    options.attempt_id.clone_from(&input.receive_request_attempt_id);
    Ok(options)
}

/// A visibility timeout as it was given.
pub(super) fn visibility_timeout(context: &Context, timeout: i32) -> WireResult<Duration> {
    let max = context.broker.limits().visibility_timeout_max.as_secs();
    let reason = format!("VisibilityTimeout must be an integer between 0 and {max}.");
    seconds("VisibilityTimeout", timeout, max, &reason)
}

fn seconds(parameter: &str, given: i32, max: u64, reason: &str) -> WireResult<Duration> {
    let seconds = u64::try_from(given).ok().filter(|seconds| *seconds <= max);
    let seconds = seconds.ok_or_else(|| errors::invalid_value(parameter, given, reason))?;
    Ok(Duration::from_secs(seconds))
}
