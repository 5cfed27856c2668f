//! Errors and panics of sled, as the broker knows them.

use std::{any::Any, path::Path};

use broker_core::storage::StorageError;

/// What sled says, in the broker's terms.
pub(crate) fn engine_error(action: &str, error: sled::Error, file: &Path) -> StorageError {
    let file = file.display();
    match error {
        sled::Error::Io(source) => StorageError::io(format!("{action}, in {file},"), source),
        sled::Error::Corruption { at: Some(at), .. } => {
            StorageError::corrupt(file.to_string(), format!("sled found a bad record at {at} while {action}"))
        }
        // Without a place in the log it is one of the small files next to it.
        sled::Error::Corruption { .. } => StorageError::corrupt(
            file.to_string(),
            format!("sled rejects it, or `conf` or `snap.*` next to it, while {action}"),
        ),
        other => StorageError::Engine(format!("{action}: {other}")),
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("sled panicked: {}", text.unwrap_or_default())
}
