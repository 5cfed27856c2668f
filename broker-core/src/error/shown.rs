//! Refused values as they are shown in errors.

use std::fmt;

use super::Error;

/// At most this many characters of a refused value go into an error: it may be a megabyte.
const SHOWN_CHARS_MAX: usize = 100;

impl Error {
    /// An [`Error::InvalidParameter`], its value cut to a readable length.
    pub(crate) fn invalid(field: &'static str, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::InvalidParameter { field, value: shown(&value.to_string()), reason: reason.into() }
    }
}

/// A refused value, cut to a readable length.
pub(crate) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
