//! Filter criteria: which messages a handler wants (rules L70 to L75), in the language of filter policies.
//!
//! A pattern is matched against the record of a message as its handler sees it (rule L35), with the body parsed if it is
//! a JSON object or array. Mostly patterns speak of the body alone: then nothing else of the record is made.

use broker_core::{
    FilterPolicy, FilterPolicyError, FilterScope, Message,
    filter::{Document, FilterLimits, Scratch},
};
use serde_json::Value;

use crate::event::{Source, sqs::SqsRecord};

/// The most filters of a mapping.
const FILTERS_MAX: usize = 5;
/// The most that an account's quota can be raised to.
const FILTERS_QUOTA_MAX: usize = 10;
/// The longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 4_096;

/// Why criteria were refused. Nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// A pattern is not one (rule L74). The source says why, and where.
    #[error("Invalid filter pattern definition.")]
    Pattern {
        /// Which of the patterns, from zero.
        index: usize,
        /// What is wrong with it.
        source: FilterPolicyError,
    },
    /// A pattern is too long.
    #[error("filter {index} has {chars} characters, at most {max} are allowed")]
    TooLong {
        /// Which of the patterns, from zero.
        index: usize,
        /// How long it is.
        chars: usize,
        /// How long it may be.
        max: usize,
    },
    /// There are too many.
    #[error("there are {count} filters, at most {max} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}

/// The messages that a handler wants: those that match any of the patterns, or all if there are none.
///
/// ```
/// use broker_worker::queue::FilterCriteria;
///
/// let wanted = FilterCriteria::parse([r#"{"body": {"total": [{"numeric": [">=", 1000]}]}}"#])?;
/// assert!(!wanted.is_empty());
/// assert!(FilterCriteria::parse([r#"{"body": "socks"}"#]).is_err());
/// # Ok::<(), broker_worker::queue::FilterError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterCriteria {
    patterns: Vec<FilterPolicy>,
    /// Some pattern speaks of more than the body.
    of_metadata: bool,
}

impl FilterCriteria {
    /// Up to 5 patterns, each a JSON object of up to 4,096 characters.
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, FilterError> {
        Self::parse_up_to(FILTERS_MAX, patterns)
    }

    /// The same for an account whose quota was raised: up to `quota` patterns, and never more than 10.
    pub fn parse_up_to<'p>(
        quota: usize,
        patterns: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, FilterError> {
        let max = quota.min(FILTERS_QUOTA_MAX);
        let mut criteria = Self::default();
        for (index, text) in patterns.into_iter().enumerate() {
            if index == max {
                return Err(FilterError::TooMany { count: index + 1, max });
            }
            let chars = text.chars().count();
            if chars > PATTERN_CHARS_MAX {
                return Err(FilterError::TooLong { index, chars, max: PATTERN_CHARS_MAX });
            }
            let pattern = FilterPolicy::parse_with(text, FilterScope::MessageBody, &FilterLimits::most())
                .map_err(|source| FilterError::Pattern { index, source })?;
            criteria.of_metadata |= speaks_of_more_than_body(text);
            criteria.patterns.push(pattern);
        }
        Ok(criteria)
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the handler wants this message.
    pub(crate) fn wants(&self, message: &Message, queue: &str) -> bool {
        if self.patterns.is_empty() {
            return true;
        }
        self.matches_json(&self.record(message, queue))
    }

    /// Whether some pattern matches this JSON.
    pub(crate) fn matches_json(&self, record: &str) -> bool {
        let mut scratch = Scratch::default();
        let document = Document::parse(record.as_bytes(), &mut scratch);
        document
            .is_some_and(|document| self.patterns.iter().any(|pattern| pattern.matches_document(&document)))
    }

    /// What the patterns are matched against.
    fn record(&self, message: &Message, queue: &str) -> String {
        let body = body_json(message);
        if !self.of_metadata {
            return format!(r#"{{"body":{body}}}"#);
        }
        let record = SqsRecord { body: String::new(), ..SqsRecord::new(message, queue, &Source::default()) };
        let record = serde_json::to_string(&record).expect("text and lists of text can be written as JSON");
        // The last of two members of one name counts.
        format!(r#"{},"body":{body}}}"#, &record[..record.len() - 1])
    }
}

/// The body as a JSON value: itself if it is a JSON object or array, and otherwise a string.
fn body_json(message: &Message) -> String {
    bytes_json(&message.body)
}

/// Bytes as a JSON value: themselves if they are a JSON object or array, and otherwise a string.
pub(crate) fn bytes_json(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let opens = text.trim_start().starts_with(['{', '[']);
    if opens && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        return text.into_owned();
    }
    Value::String(text.into_owned()).to_string()
}

fn speaks_of_more_than_body(pattern: &str) -> bool {
    let members: Option<serde_json::Map<String, Value>> = serde_json::from_str(pattern).ok();
    members.is_none_or(|members| members.keys().any(|key| key != "body" && !key.starts_with("body.")))
}
