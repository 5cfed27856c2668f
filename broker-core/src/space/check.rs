//! What spaces refuse. Pure.

use super::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::error::{Error, Result};

/// The longest name of a space, in characters: those of streams are no longer.
const NAME_CHARS_MAX: usize = 128;

/// Refuses a name that is not 1 to 128 letters, digits, underscores, dots and hyphens.
pub(crate) fn space_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let reason = format!("must be 1 to {NAME_CHARS_MAX} letters, digits, underscores, dots and hyphens");
        return Err(Error::invalid("name", name, reason));
    }
    Ok(())
}

pub(super) fn key(key: &[u8]) -> Result<()> {
    if key.is_empty() {
        return Err(Error::MissingParameter { field: "key" });
    }
    at_most("key", key, KEY_BYTES_MAX)
}

pub(super) fn value(value: &[u8]) -> Result<()> {
    if value.len() > VALUE_BYTES_MAX {
        let reason = format!("must have at most {VALUE_BYTES_MAX} bytes");
        return Err(Error::invalid("value", format!("{} bytes", value.len()), reason));
    }
    Ok(())
}

/// Refuses a prefix, or a key to begin behind, that no key can have.
pub(super) fn at_most(field: &'static str, bytes: &[u8], max: usize) -> Result<()> {
    if bytes.len() > max {
        let reason = format!("has {} bytes, at most {max} are allowed", bytes.len());
        return Err(Error::invalid(field, bytes.escape_ascii(), reason));
    }
    Ok(())
}
