//! From a description of a queue to the strings of its attributes.

use std::time::Duration;

use broker_core::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, Timestamp};

use super::redrive;
use crate::{
    call::Context,
    sqs::{extras::Extras, shapes::Texts, target},
};

/// The name that stands for all.
pub(super) const ALL: &str = "All";

/// Every attribute of SQS.
pub(super) const KNOWN: [&str; 21] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// All attributes of a queue.
pub(super) fn shown(context: &Context, queue: &QueueAttributes, extras: &Extras) -> Texts {
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let time = |time: Timestamp| (time.as_millis() / 1_000).to_string();
    let mut shown = Texts::new();
    let mut show = |name: &str, value: String| {
        shown.insert(name.to_owned(), value);
    };
    show("ApproximateNumberOfMessages", queue.counters.visible.to_string());
    show("ApproximateNumberOfMessagesDelayed", queue.counters.delayed.to_string());
    show("ApproximateNumberOfMessagesNotVisible", queue.counters.in_flight.to_string());
    show("CreatedTimestamp", time(queue.created_at));
    show("LastModifiedTimestamp", time(queue.last_modified_at));
    show("DelaySeconds", seconds(queue.delay));
    show("MaximumMessageSize", queue.max_message_size.to_string());
    show("MessageRetentionPeriod", seconds(queue.retention));
    show("ReceiveMessageWaitTimeSeconds", seconds(queue.receive_wait_time));
    show("VisibilityTimeout", seconds(queue.visibility_timeout));
    show("QueueArn", target::queue_arn(context, &queue.name));
    for (name, value) in extras.shown() {
        show(name, value);
    }
    if let Some(policy) = redrive::shown(context, &queue.redrive_policy) {
        show("RedrivePolicy", policy);
    }
    if let Some(policy) = redrive::allow_shown(context, &queue.redrive_allow_policy) {
        show("RedriveAllowPolicy", policy);
    }
    if let Some(fifo) = &queue.fifo {
        show("FifoQueue", true.to_string());
        show("ContentBasedDeduplication", fifo.content_based_deduplication.to_string());
        show("DeduplicationScope", scope(fifo.deduplication_scope).to_owned());
        show("FifoThroughputLimit", limit(fifo.throughput_limit).to_owned());
    }
    shown
}

fn scope(scope: DeduplicationScope) -> &'static str {
    match scope {
        DeduplicationScope::Queue => "queue",
        DeduplicationScope::MessageGroup => "messageGroup",
    }
}

fn limit(limit: FifoThroughputLimit) -> &'static str {
    match limit {
        FifoThroughputLimit::PerQueue => "perQueue",
        FifoThroughputLimit::PerMessageGroupId => "perMessageGroupId",
    }
}
