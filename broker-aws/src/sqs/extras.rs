//! Attributes of queues that the broker has no place for: access policies and encryption keys mean nothing in a process, but come back
//! as they were set. They are kept in a note beside the queue.

use std::collections::BTreeMap;

use broker_core::LocalQueue;
use serde::{Deserialize, Serialize};

use super::{errors, shapes::Texts};
use crate::{
    call::Context,
    wire::error::{WireError, WireResult},
};

pub(super) const POLICY: &str = "Policy";
pub(super) const KMS_KEY: &str = "KmsMasterKeyId";
pub(super) const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";
pub(super) const MANAGED_SSE: &str = "SqsManagedSseEnabled";
/// All of them.
pub(super) const NAMES: [&str; 4] = [POLICY, KMS_KEY, KMS_REUSE, MANAGED_SSE];

/// What SQS says of a queue with a key of its own that was told no period.
const KMS_REUSE_DEFAULT: &str = "300";

/// The extra attributes of one queue.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extras {
    /// When the queue was created that they belong to: one created later under its name has none.
    created_at_ms: u64,
    set: Texts,
}

impl Extras {
    /// The value that was set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// Sets what is given; an empty value removes. A key ends the encryption by SQS itself, and the other way round.
    pub(super) fn apply(&mut self, change: &Texts) {
        for (name, value) in change {
            if value.is_empty() {
                self.set.remove(name);
            } else {
                self.set.insert(name.clone(), value.clone());
            }
        }
        if change.get(MANAGED_SSE).is_some_and(|on| on == "true") {
            self.set.remove(KMS_KEY);
            self.set.remove(KMS_REUSE);
        } else if change.get(KMS_KEY).is_some_and(|key| !key.is_empty()) {
            self.set.insert(MANAGED_SSE.into(), "false".into());
        }
    }

    /// Whether the queue says something else of this attribute.
    pub(super) fn differs(&self, name: &str, value: &str) -> bool {
        self.shown().get(name).map_or("", String::as_str) != value
    }

    /// What the queue says of itself: what was set, and the defaults.
    pub(super) fn shown(&self) -> BTreeMap<&'static str, String> {
        let mut shown: BTreeMap<_, _> =
            NAMES.iter().filter_map(|name| Some((*name, self.get(name)?.to_owned()))).collect();
        shown.entry(MANAGED_SSE).or_insert_with(|| "true".into());
        if shown.contains_key(KMS_KEY) {
            shown.entry(KMS_REUSE).or_insert_with(|| KMS_REUSE_DEFAULT.into());
        }
        shown
    }
}

/// The note of a queue's extra attributes. A name has at most 80 characters.
fn note(queue: &LocalQueue) -> String {
    format!("aws/sqs/queue/{}", queue.name())
}

/// What is kept of a queue.
pub(super) async fn of(context: &Context, queue: &LocalQueue) -> WireResult<Extras> {
    let refused = |error| errors::from_broker(&error);
    let created_at_ms = queue.attributes().await.map_err(refused)?.created_at.as_millis();
    let nothing = Extras { created_at_ms, set: Texts::new() };
    let Some(note) = context.broker.note(&note(queue)).await.map_err(refused)? else { return Ok(nothing) };
    let damaged = |error| WireError::internal(format!("the note of {:?}: {error}", queue.name()));
    let kept: Extras = serde_json::from_slice(&note).map_err(damaged)?;
    Ok(if kept.created_at_ms == created_at_ms { kept } else { nothing })
}

/// Keeps the extra attributes of a queue.
pub(super) async fn keep(context: &Context, queue: &LocalQueue, extras: &Extras) -> WireResult<()> {
    let value = serde_json::to_vec(extras).map_err(|error| WireError::internal(error.to_string()))?;
    context.broker.set_note(&note(queue), value).await.map_err(|error| errors::from_broker(&error))
}

/// Keeps nothing of a queue any more.
pub(super) async fn forget(context: &Context, queue: &LocalQueue) -> WireResult<()> {
    context.broker.remove_note(&note(queue)).await.map_err(|error| errors::from_broker(&error))
}
