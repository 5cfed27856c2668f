//! Filter policies: which messages of a topic a subscription wants (rules N60 to N73).
//!
//! A [`FilterPolicy`] is parsed once into a checked form, and then asked about one message after the other. It looks at
//! the attributes of a message or at its body, as its [`FilterScope`] says. Matching allocates nothing, and takes time in
//! proportion to the message, whatever policy and message are: both may come from somebody who means harm.
//!
//! The module knows nothing of topics. It reads JSON where it lies, and whoever has many policies for one body
//! parses that body once, as a [`Document`].
//!
//! ```
//! use broker_core::filter::{Document, FilterPolicy, FilterScope, Scratch};
//!
//! let late = r#"{"carrier": ["AA", "UA"], "delay": [{"numeric": [">", 15]}]}"#;
//! let late = FilterPolicy::parse(late, FilterScope::MessageBody)?;
//!
//! let mut scratch = Scratch::default();
//! let body = br#"{"flight": 7, "carrier": "UA", "delay": 44.5}"#;
//! let document = Document::parse(body, &mut scratch).expect("a JSON object");
//! assert!(late.matches_document(&document));
//!
//! let error = FilterPolicy::parse(r#"{"delay": 15}"#, FilterScope::MessageBody).unwrap_err();
//! assert_eq!(error.to_string(), "\"delay\" must be an object or an array\n at line 1, column 11");
//! # Ok::<(), broker_core::filter::FilterPolicyError>(())
//! ```

mod address;
mod attributes;
mod body;
mod document;
mod error;
mod expression;
mod family;
mod json;
mod limits;
mod number;
mod patterns;
mod plan;
mod rules;
mod stored;
mod strings;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use document::{Document, Scratch};
pub use error::FilterPolicyError;
use error::Flaw;
pub use limits::FilterLimits;

use crate::MessageAttributes;
use plan::{Group, Plan};

/// What a policy is matched against (`FilterPolicyScope`, rule N16).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FilterScope {
    /// The message attributes.
    #[default]
    MessageAttributes,
    /// The body, which has to be a JSON object.
    MessageBody,
}

impl FilterScope {
    /// The scope as `FilterPolicyScope` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageAttributes => "MessageAttributes",
            Self::MessageBody => "MessageBody",
        }
    }
}

impl fmt::Display for FilterScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A parsed, checked policy. Cheap to clone; it keeps its text, and two policies are equal if text and scope are.
///
/// Stored by serde as its text and scope.
#[derive(Clone)]
pub struct FilterPolicy(Arc<Inner>);

struct Inner {
    text: String,
    scope: FilterScope,
    plan: Plan,
}

impl FilterPolicy {
    /// Parses and checks a policy, within the limits of SNS.
    ///
    /// An error says where the text is not a policy, in the words of SNS.
    pub fn parse(text: &str, scope: FilterScope) -> Result<Self, FilterPolicyError> {
        Self::parse_with(text, scope, &FilterLimits::aws())
    }

    /// Parses and checks a policy within other limits. None can be raised above [`FilterLimits::most`].
    pub fn parse_with(
        text: &str,
        scope: FilterScope,
        limits: &FilterLimits,
    ) -> Result<Self, FilterPolicyError> {
        let limits = limits.clamped();
        if text.len() > limits.bytes_max {
            return Err(FilterPolicyError::at(text, limits.bytes_max, "Filter policy is too complex"));
        }
        let mut scratch = Scratch::default();
        let policy = Document::any(text, &mut scratch).map_err(|fault| {
            FilterPolicyError::at(text, fault.at, format!("failed to parse JSON. {}", fault.what))
        })?;
        let plan = rules::rules(policy, scope, &limits)
            .and_then(|rules| Plan::new(rules, scope).ok_or_else(|| Flaw::too_complex(Document::ROOT)))
            .map_err(|flaw| FilterPolicyError::at(text, policy.offset(flaw.node), flaw.message))?;
        Ok(Self(Arc::new(Inner { text: text.to_owned(), scope, plan })))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What the policy is matched against.
    pub fn scope(&self) -> FilterScope {
        self.0.scope
    }

    /// Whether a message with these attributes matches. With a policy for bodies, never.
    pub fn matches_attributes(&self, attributes: &MessageAttributes) -> bool {
        let group = |group: &Group| match group {
            Group::Single(key) => attributes::matches(attributes, key),
            Group::Joined(joined) => joined.keys.iter().all(|key| attributes::matches(attributes, key)),
        };
        self.scope() == FilterScope::MessageAttributes && self.0.plan.matches(group)
    }

    /// Whether a message with this body matches. With a policy for attributes, never.
    pub fn matches_document(&self, document: &Document<'_>) -> bool {
        let group = |group: &Group| body::matches(*document, group);
        self.scope() == FilterScope::MessageBody && self.0.plan.matches(group)
    }

    /// Whether a message with this body matches: parses it, and is never true of what is not a JSON object (rule N61).
    /// Who has several policies for a body, or many bodies, parses each once into the same memory and uses
    /// [`matches_document`](Self::matches_document).
    pub fn matches_body(&self, body: &[u8]) -> bool {
        Document::parse(body, &mut Scratch::default())
            .is_some_and(|document| self.matches_document(&document))
    }
}

impl fmt::Debug for FilterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterPolicy").field("scope", &self.scope()).field("text", &self.as_str()).finish()
    }
}

impl PartialEq for FilterPolicy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.scope() == other.scope() && self.as_str() == other.as_str())
    }
}

impl Eq for FilterPolicy {}
