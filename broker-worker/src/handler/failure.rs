//! What can go wrong in a handler.

use std::{any::Any, fmt, time::Duration};

use serde_json::{Value, json};

/// Any error that a handler may answer with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// In which way an invocation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The handler answered with an error.
    Error,
    /// The handler panicked.
    Panic,
    /// The handler took longer than it may. It was dropped (rule L2: a timeout is a function error).
    Timeout,
    /// The payload is not what the handler takes. The handler did not run.
    Payload,
    /// The transaction that the handler filled was rejected: nothing of it has happened.
    Rejected,
}

impl FailureKind {
    /// The kind in one word, as metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Payload => "payload",
            Self::Rejected => "rejected",
        }
    }
}

/// Why an invocation failed: a *function error* in the words of the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// In which way.
    pub kind: FailureKind,
    /// The type of the error.
    pub error_type: String,
    /// What it says.
    pub message: String,
}

impl Failure {
    /// The handler's own failure.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Error, error_type: "Error".into(), message: message.to_string() }
    }

    /// The failure that a handler's error is. A `Failure` stays as it is.
    pub fn of<E: Into<BoxError>>(error: E) -> Self {
        match error.into().downcast::<Self>() {
            Ok(failure) => *failure,
            Err(error) => {
                let error_type = std::any::type_name::<E>().to_owned();
                let rejected =
                    matches!(error.downcast_ref(), Some(broker_core::Error::TransactionRejected(_)));
                let kind = if rejected { FailureKind::Rejected } else { FailureKind::Error };
                Self { kind, error_type, message: chain(&*error) }
            }
        }
    }

    /// The failure that a panic is.
    pub fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = format!("the handler panicked: {}", text.unwrap_or("with something that is no text"));
        Self { kind: FailureKind::Panic, error_type: "Panic".into(), message }
    }

    /// The failure of an invocation that took longer than `timeout`.
    pub fn timeout(timeout: Duration) -> Self {
        let message = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
        Self { kind: FailureKind::Timeout, error_type: "Sandbox.Timedout".into(), message }
    }

    /// The failure of a payload that the handler does not take.
    pub fn payload(message: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Payload, error_type: "Payload".into(), message: message.to_string() }
    }

    /// As the response payload of a failed invocation (rule L18).
    pub fn to_json(&self) -> Value {
        json!({"errorMessage": self.message, "errorType": self.error_type})
    }
}

/// An error with its causes. As many as a reader bears: a cycle of causes must not hang the runtime.
fn chain(error: &dyn std::error::Error) -> String {
    const CAUSES_MAX: usize = 16;
    let mut message = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    for cause in causes.take(CAUSES_MAX) {
        message.push_str(": ");
        message.push_str(&cause.to_string());
    }
    message
}
