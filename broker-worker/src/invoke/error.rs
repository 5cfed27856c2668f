//! Why a call of a function, or a change of it, was refused. Nothing happened then.

/// Why a call of a function was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The event is too large (rule L1). Keep it elsewhere, and send where that is.
    #[error("Request must be smaller than {max} bytes for the InvokeFunction operation")]
    RequestTooLarge {
        /// The bytes of the event.
        bytes: usize,
        /// What the function takes.
        max: usize,
    },
    /// An event is JSON.
    #[error("Could not parse request body into json: {reason}")]
    NotJson {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A configuration says something (rule L17).
    #[error("You must specify at least one of error handling or destination setting.")]
    NothingConfigured,
    /// There is no configuration to be changed, shown or removed (rule L17). Put one.
    #[error("The function {function} doesn't have an EventInvokeConfig")]
    NoConfig {
        /// The function's ARN.
        function: String,
    },
    /// What a function says of itself would be said to itself, for ever (rule L17).
    #[error("You can't specify the function as a destination for itself.")]
    OwnDestination,
    /// A setting is outside what is allowed, or the queue refused a call.
    #[error(transparent)]
    Runtime(#[from] crate::Error),
}

impl From<broker_core::Error> for InvokeError {
    fn from(error: broker_core::Error) -> Self {
        Self::Runtime(error.into())
    }
}
