//! Every way in which the runtime can refuse or fail a call.

use std::{fmt, time::Duration};

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
    /// A batch of more than 10 messages needs a window to fill up in (rule L30). Set one of a second or more.
    #[error(
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    )]
    WindowNeeded {
        /// The batch size that was asked for.
        batch_size: usize,
    },
    /// A handler that may run longer than its messages stay invisible would have them handled twice (rule L42). Shorten
    /// the timeout, lengthen the queue's visibility timeout, or switch the heartbeat on.
    #[error(
        "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
        visibility.as_secs_f64(),
        timeout.as_secs_f64()
    )]
    TimeoutTooLong {
        /// The queue's visibility timeout.
        visibility: Duration,
        /// The timeout that was asked for.
        timeout: Duration,
    },
    /// The thread that keeps leases alive could not be started.
    #[error("the thread that keeps leases alive could not be started: {reason}")]
    NoThread {
        /// What the system says.
        reason: String,
    },
    /// Another version is being deployed. Wait for its end.
    #[error("the version {version:?} is still being deployed")]
    Deploying {
        /// The other version.
        version: String,
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
