//! Which messages of a dead-letter queue a move task takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    queue::{attributes::AttributeValue, row::RowContent},
};

/// Which messages a move task takes: those for which all that is given holds. An empty filter takes all.
///
/// ```
/// use broker_core::MoveFilter;
///
/// let filter = MoveFilter::new().source("orders").reason_contains("timeout").attribute("tenant", "acme");
/// assert_eq!(filter.source.as_deref(), Some("orders"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MoveFilter {
    /// It was moved from this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// It is of this message group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The consumer that gave it up gave a reason that contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_contains: Option<String>,
    /// Its body contains this, as bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// It has these attributes, each a text or a number with this value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// It was moved here at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_after: Option<Timestamp>,
    /// It was moved here before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_before: Option<Timestamp>,
}

/// The largest filter, as JSON: it is stored with its task.
const FILTER_BYTES_MAX: usize = 16 * 1024;

impl MoveFilter {
    /// A filter that takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was moved from this queue.
    pub fn source(self, queue: impl Into<String>) -> Self {
        Self { source: Some(queue.into()), ..self }
    }

    /// Takes messages of this group.
    pub fn group_id(self, group_id: impl Into<String>) -> Self {
        Self { group_id: Some(group_id.into()), ..self }
    }

    /// Takes what was given up for a reason that contains this.
    pub fn reason_contains(self, part: impl Into<String>) -> Self {
        Self { reason_contains: Some(part.into()), ..self }
    }

    /// Takes messages whose body contains this.
    pub fn body_contains(self, part: impl Into<String>) -> Self {
        Self { body_contains: Some(part.into()), ..self }
    }

    /// Takes messages with this attribute; several must all be there.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Takes what was moved here at this time or later.
    pub fn moved_after(self, time: Timestamp) -> Self {
        Self { moved_after: Some(time), ..self }
    }

    /// Takes what was moved here before this time.
    pub fn moved_before(self, time: Timestamp) -> Self {
        Self { moved_before: Some(time), ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        if bytes > FILTER_BYTES_MAX {
            let reason = format!("must have at most {FILTER_BYTES_MAX} bytes as JSON");
            return Err(Error::invalid("filter", bytes, reason));
        }
        Ok(())
    }

    /// Whether it takes this message. Of one that was not moved here, nothing is known that a move would tell.
    pub(super) fn takes(&self, content: &RowContent) -> bool {
        let Self { source, group_id, reason_contains, body_contains, attributes, moved_after, moved_before } =
            self;
        let why = content.origin.as_ref().map(|origin| &origin.why);
        let moved_at = why.map(|why| why.moved_at);
        let reason = why.and_then(|why| why.reason.as_deref());
        let has = |(name, value): (&String, &String)| {
            content.attributes.get(name).and_then(AttributeValue::text) == Some(value)
        };
        source.as_ref().is_none_or(|source| why.is_some_and(|why| why.source == *source))
            && group_id.as_ref().is_none_or(|group| content.group_id.as_ref() == Some(group))
            && reason_contains
                .as_ref()
                .is_none_or(|part| reason.is_some_and(|reason| reason.contains(part.as_str())))
            && body_contains.as_ref().is_none_or(|part| contains(&content.body, part.as_bytes()))
            && attributes.iter().all(has)
            && moved_after.is_none_or(|after| moved_at.is_some_and(|moved_at| moved_at >= after))
            && moved_before.is_none_or(|before| moved_at.is_some_and(|moved_at| moved_at < before))
    }
}

/// Whether `part` occurs in the bytes.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
