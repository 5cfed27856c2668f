//! Short ways to ask whether a policy matches.

use broker_core::{
    AttributeValue, MessageAttributes,
    filter::{FilterPolicy, FilterPolicyError, FilterScope},
};

/// A policy for bodies.
#[track_caller]
pub(crate) fn for_body(policy: &str) -> FilterPolicy {
    parsed(policy, FilterScope::MessageBody)
}

/// A policy for attributes.
#[track_caller]
pub(crate) fn for_attributes(policy: &str) -> FilterPolicy {
    parsed(policy, FilterScope::MessageAttributes)
}

#[track_caller]
fn parsed(policy: &str, scope: FilterScope) -> FilterPolicy {
    FilterPolicy::parse(policy, scope).unwrap_or_else(|error| panic!("{policy}: {error}"))
}

/// Why a policy is refused.
#[track_caller]
pub(crate) fn refusal(policy: &str, scope: FilterScope) -> FilterPolicyError {
    FilterPolicy::parse(policy, scope).err().unwrap_or_else(|| panic!("{policy} is taken"))
}

/// Checks which bodies match a policy.
#[track_caller]
pub(crate) fn bodies(policy: &str, matching: &[&str], others: &[&str]) {
    let parsed = for_body(policy);
    for body in matching {
        assert!(parsed.matches_body(body.as_bytes()), "{policy} should match {body}");
    }
    for body in others {
        assert!(!parsed.matches_body(body.as_bytes()), "{policy} should not match {body}");
    }
}

/// Attributes by name, type and text.
pub(crate) fn attributes(of: &[(&str, &str, &str)]) -> MessageAttributes {
    let value = |data_type: &str, text: &str| AttributeValue::from_text(data_type.into(), text.into());
    of.iter().map(|(name, data_type, text)| (*name, value(data_type, text))).collect()
}

/// Checks which values of an attribute `a`, given by type and text, match a policy.
#[track_caller]
pub(crate) fn values(policy: &str, matching: &[(&str, &str)], others: &[(&str, &str)]) {
    let parsed = for_attributes(policy);
    let matches =
        |(data_type, text): &(&str, &str)| parsed.matches_attributes(&attributes(&[("a", data_type, text)]));
    for value in matching {
        assert!(matches(value), "{policy} should match {value:?}");
    }
    for value in others {
        assert!(!matches(value), "{policy} should not match {value:?}");
    }
}
