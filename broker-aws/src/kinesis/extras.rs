//! What the broker has no place for, because it means nothing in a process or belongs to the protocol: it is kept in notes, one
//! for each stream and each registered consumer. A note belongs to the stream that was created at the time in it: one created
//! later under the same name has none of it.

use broker_core::StreamAttributes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::errors;
use crate::{
    call::Context,
    wire::error::{WireError, WireResult},
};

/// The longest policy: what a note has room for beside the rest (AWS: 20 KB).
pub(super) const POLICY_BYTES_MAX: usize = 20 * 1024;
/// The most notes that are read at once.
const PAGE: usize = 1_000;

/// What a stream was told that the broker has no place for.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StreamExtras {
    created_at_ms: u64,
    /// Enhanced metrics that are on.
    pub(super) metrics: Vec<String>,
    /// The key of its encryption, if it is encrypted.
    pub(super) key_id: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) warm_throughput: Option<u64>,
    /// The second in the ARN of the newest consumer: the next one gets a greater one (rule K70).
    pub(super) last_consumer: u64,
}

/// A registered consumer.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ConsumerNote {
    pub(super) stream_created_at_ms: u64,
    /// The second of its creation, as its ARN has it.
    pub(super) second: u64,
    pub(super) tags: super::shapes::TagMap,
    pub(super) policy: Option<String>,
}

impl StreamExtras {
    /// What is kept of a stream.
    pub(super) async fn read(context: &Context, stream: &StreamAttributes) -> WireResult<Self> {
        let created_at_ms = stream.created_at.as_millis();
        let kept: Option<Self> = read(context, &stream_note(&stream.name)).await?;
        let kept = kept.filter(|kept| kept.created_at_ms == created_at_ms);
        Ok(kept.unwrap_or(Self { created_at_ms, ..Self::default() }))
    }

    /// Changes what is kept of a stream, and returns it as it is then. One change at a time.
    pub(super) async fn change(
        context: &Context,
        stream: &StreamAttributes,
        change: impl FnOnce(&mut Self),
    ) -> WireResult<Self> {
        let _held = context.options.notes.lock().await;
        Self::change_held(context, stream, change).await
    }

    /// The same for who holds the lock of the notes.
    pub(super) async fn change_held(
        context: &Context,
        stream: &StreamAttributes,
        change: impl FnOnce(&mut Self),
    ) -> WireResult<Self> {
        let mut extras = Self::read(context, stream).await?;
        let before = extras.clone();
        change(&mut extras);
        if extras != before {
            write(context, &stream_note(&stream.name), &extras).await?;
        }
        Ok(extras)
    }

    /// `KMS` or `NONE`.
    pub(super) fn encryption(&self) -> &'static str {
        if self.key_id.is_some() { "KMS" } else { "NONE" }
    }
}

/// The registered consumers of a stream with their names, in the order of names. Those of an earlier stream are none.
pub(super) async fn consumers(
    context: &Context,
    stream: &StreamAttributes,
) -> WireResult<Vec<(String, ConsumerNote)>> {
    let prefix = consumer_note(&stream.name, "");
    let refused = |error| errors::from_broker(context, &error);
    let notes = context.broker.notes(&prefix, None, PAGE).await.map_err(refused)?;
    let mut consumers = Vec::new();
    for (note, value) in notes {
        let consumer: ConsumerNote = parse(&note, &value)?;
        let name = note.strip_prefix(&prefix).unwrap_or_default().to_owned();
        if consumer.stream_created_at_ms == stream.created_at.as_millis() {
            consumers.push((name, consumer));
        }
    }
    Ok(consumers)
}

/// One of them.
pub(super) async fn consumer(
    context: &Context,
    stream: &StreamAttributes,
    name: &str,
) -> WireResult<Option<ConsumerNote>> {
    let kept: Option<ConsumerNote> = read(context, &consumer_note(&stream.name, name)).await?;
    Ok(kept.filter(|kept| kept.stream_created_at_ms == stream.created_at.as_millis()))
}

pub(super) async fn keep_consumer(
    context: &Context,
    stream: &str,
    name: &str,
    consumer: &ConsumerNote,
) -> WireResult<()> {
    write(context, &consumer_note(stream, name), consumer).await
}

pub(super) async fn forget_consumer(context: &Context, stream: &str, name: &str) -> WireResult<()> {
    remove(context, &consumer_note(stream, name)).await
}

/// Keeps nothing of a stream any more.
pub(super) async fn forget(context: &Context, stream: &StreamAttributes) -> WireResult<()> {
    for (name, _) in consumers(context, stream).await? {
        forget_consumer(context, &stream.name, &name).await?;
    }
    remove(context, &stream_note(&stream.name)).await
}

/// A stream's name has no slash, so no note is that of another stream.
fn stream_note(stream: &str) -> String {
    format!("aws/kinesis/stream/{stream}")
}

fn consumer_note(stream: &str, name: &str) -> String {
    format!("aws/kinesis/consumer/{stream}/{name}")
}

/// Reads a note.
pub(super) async fn read<T: DeserializeOwned>(context: &Context, note: &str) -> WireResult<Option<T>> {
    let value = context.broker.note(note).await.map_err(|error| errors::from_broker(context, &error))?;
    value.map(|value| parse(note, &value)).transpose()
}

pub(super) fn parse<T: DeserializeOwned>(note: &str, value: &[u8]) -> WireResult<T> {
    serde_json::from_slice(value).map_err(|error| WireError::internal(format!("the note {note:?}: {error}")))
}

pub(super) async fn write<T: Serialize>(context: &Context, note: &str, value: &T) -> WireResult<()> {
    let value = serde_json::to_vec(value).map_err(|error| WireError::internal(error.to_string()))?;
    context.broker.set_note(note, value).await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn remove(context: &Context, note: &str) -> WireResult<()> {
    context.broker.remove_note(note).await.map_err(|error| errors::from_broker(context, &error))
}
