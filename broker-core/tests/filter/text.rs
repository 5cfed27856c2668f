//! Generated policies and messages as text.

use std::fmt::{Display, Formatter, Result};

use crate::naive::{Json, Pattern, Policy, Rule, Scalar};

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Items between brackets.
fn list<T>(f: &mut Formatter<'_>, items: &[T], each: impl Fn(&mut Formatter<'_>, &T) -> Result) -> Result {
    items.iter().enumerate().try_for_each(|(at, item)| {
        f.write_str(if at == 0 { "" } else { ", " })?;
        each(f, item)
    })
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::Array(values) => {
                f.write_str("[")?;
                list(f, values, |f, value| value.fmt(f))?;
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                list(f, members, |f, (name, value)| write!(f, "{}: {value}", quoted(name)))?;
                f.write_str("}")
            }
        }
    }
}

impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("{")?;
        list(f, &self.0, |f, (name, rule)| write!(f, "{}: {rule}", quoted(name)))?;
        f.write_str("}")
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Nested(policy) => return policy.fmt(f),
            Self::Or(branches) => {
                f.write_str("[")?;
                list(f, branches, |f, branch| branch.fmt(f))?;
            }
            Self::Values(patterns) => {
                f.write_str("[")?;
                list(f, patterns, |f, pattern| pattern.fmt(f))?;
            }
        }
        f.write_str("]")
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Exact(scalar) => scalar.fmt(f),
            Self::Prefix(text) => write!(f, r#"{{"prefix": {}}}"#, quoted(text)),
            Self::Suffix(text) => write!(f, r#"{{"suffix": {}}}"#, quoted(text)),
            Self::AnyCase(text) => write!(f, r#"{{"equals-ignore-case": {}}}"#, quoted(text)),
            Self::Above(bottom) => write!(f, r#"{{"numeric": [">", {bottom}]}}"#),
            Self::Between(bottom, top) => write!(f, r#"{{"numeric": [">=", {bottom}, "<=", {top}]}}"#),
            Self::AnythingBut(listed) => {
                f.write_str(r#"{"anything-but": ["#)?;
                list(f, listed, |f, scalar| scalar.fmt(f))?;
                f.write_str("]}")
            }
            Self::NoPrefix(prefixes) => {
                f.write_str(r#"{"anything-but": {"prefix": ["#)?;
                list(f, prefixes, |f, prefix| f.write_str(&quoted(prefix)))?;
                f.write_str("]}}")
            }
            Self::Exists(exists) => write!(f, r#"{{"exists": {exists}}}"#),
        }
    }
}
