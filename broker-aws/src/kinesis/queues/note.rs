//! What the broker has no place for: the stream that a queue is on (its name is the account's, not the stream's), where it began,
//! its tags and its policy.

use broker_core::StreamQueue;
use serde::{Deserialize, Serialize};

use crate::{
    call::Context,
    kinesis::{
        errors, extras,
        shapes::{QueueStart, TagMap},
        target::{self, shown},
    },
    wire::{
        arn::{Arn, arn},
        error::WireResult,
    },
};

/// What stands before the names of the notes.
pub(super) const PREFIX: &str = "aws/kinesis/queue/";

/// What is kept of a queue.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::kinesis) struct QueueNote {
    pub(in crate::kinesis) stream: String,
    pub(in crate::kinesis) stream_created_at_ms: u64,
    pub(in crate::kinesis) start: QueueStart,
    pub(in crate::kinesis) tags: TagMap,
    pub(in crate::kinesis) policy: Option<String>,
}

impl QueueNote {
    pub(in crate::kinesis) async fn keep(&self, context: &Context, name: &str) -> WireResult<()> {
        extras::write(context, &format!("{PREFIX}{name}"), self).await
    }

    /// The queue itself; `None` if it or its stream are gone.
    pub(super) async fn queue(&self, context: &Context, name: &str) -> Option<StreamQueue> {
        let stream = context.broker.open_stream(&self.stream).await.ok()?;
        let created_at = stream.attributes().await.ok()?.created_at;
        if created_at.as_millis() != self.stream_created_at_ms {
            return None;
        }
        stream.open_queue(name)
    }
}

/// The ARN of a queue.
pub(super) fn queue_arn(context: &Context, name: &str) -> String {
    arn("kinesis", &context.origin.realm, &format!("queue/{name}"))
}

/// The note of the queue that an ARN names, with its name.
pub(in crate::kinesis) async fn found(context: &Context, text: &str) -> WireResult<(String, QueueNote)> {
    let (name, note, _) = open(context, text).await?;
    Ok((name, note))
}

/// The same with the queue.
pub(super) async fn open(context: &Context, text: &str) -> WireResult<(String, QueueNote, StreamQueue)> {
    let parsed = Arn::parse(text).filter(|arn| arn.service == "kinesis");
    let name = parsed.and_then(|arn| arn.resource.strip_prefix("queue/"));
    let (Some(arn), Some(name)) = (parsed, name) else {
        return Err(errors::invalid(format!("{} is not the ARN of a queue.", shown(text))));
    };
    let mut checks = crate::kinesis::check::Checks::default();
    checks.name("queueName", Some(name));
    checks.done()?;
    let missing = || errors::not_found(format!("Queue {name} under account {} not found.", arn.account));
    if !arn.is_in(&context.origin.realm) {
        return Err(missing());
    }
    let note: Option<QueueNote> = extras::read(context, &format!("{PREFIX}{name}")).await?;
    let note = note.ok_or_else(missing)?;
    let queue = note.queue(context, name).await.ok_or_else(missing)?;
    Ok((name.to_owned(), note, queue))
}

/// The ARN of the stream that a queue is on.
pub(super) fn stream_arn(context: &Context, note: &QueueNote) -> String {
    target::stream_arn(context, &note.stream)
}
