//! An error as clients see it, whatever the protocol.

use std::borrow::Cow;

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireError {
    /// The name of the shape in the service model: `__type` of the JSON protocols, without the namespace.
    pub(crate) shape: Cow<'static, str>,
    /// The code of the query protocol: `Code` of the XML, and of the header `x-amzn-query-error` of SQS.
    pub(crate) code: Cow<'static, str>,
    /// What to tell a human.
    pub(crate) message: String,
    /// The HTTP status.
    pub(crate) status: u16,
}

impl WireError {
    /// A fault of the sender with status 400, whose shape is also its code.
    pub(crate) fn sender(shape: &'static str, message: impl Into<String>) -> Self {
        Self { shape: shape.into(), code: shape.into(), message: message.into(), status: 400 }
    }

    /// The same with another code in the query protocol.
    pub(crate) fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), ..self }
    }

    /// The same with another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Something that is not the sender's fault: status 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            shape: "InternalFailure".into(),
            code: "InternalFailure".into(),
            message: message.into(),
            status: 500,
        }
    }

    /// Whether it is the sender's fault.
    pub(crate) fn is_sender(&self) -> bool {
        self.status < 500
    }
}

pub(crate) type WireResult<T> = Result<T, WireError>;
