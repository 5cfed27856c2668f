//! Every way in which the runtime can refuse or fail a call.

use std::fmt;

/// Why a call of the runtime failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside what is allowed. Correct it; nothing was started.
    #[error("{field} is {value}: {reason}")]
    InvalidSetting {
        /// The setting, as the builder spells it.
        field: &'static str,
        /// The refused value.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// The queue or stream refused a call.
    #[error(transparent)]
    Broker(#[from] broker_core::Error),
}

impl Error {
    /// An [`Error::InvalidSetting`].
    pub(crate) fn setting(field: &'static str, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::InvalidSetting { field, value: value.to_string(), reason: reason.into() }
    }
}

/// The result of a call of the runtime.
pub type Result<T, E = Error> = std::result::Result<T, E>;
