//! Why an invocation may not run now (rule L1).

use std::time::Duration;

/// Why an invocation may not run now. Nothing ran; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Rate Exceeded.")]
pub struct Throttled {
    /// Which limit was reached.
    pub reason: ThrottleReason,
    /// When trying again makes sense, if that is known.
    pub retry_after: Option<Duration>,
}

/// Which limit keeps an invocation from running. Lambda's other reasons speak of callers and of snapshots, which a process does
/// not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThrottleReason {
    /// The concurrency that functions without a reservation share is in use, or the function grows too fast.
    Concurrency,
    /// The requests per second of functions without a reservation are used up.
    Rate,
    /// The reserved concurrency is in use.
    ReservedConcurrency,
    /// The requests per second of the reservation are used up.
    ReservedRate,
    /// The reserved concurrency is zero: nothing runs until it is raised.
    ZeroReserved,
}

impl ThrottleReason {
    /// As Lambda spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Concurrency => "ConcurrentInvocationLimitExceeded",
            Self::Rate => "FunctionInvocationRateLimitExceeded",
            Self::ReservedConcurrency | Self::ZeroReserved => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::ReservedRate => "ReservedFunctionInvocationRateLimitExceeded",
        }
    }
}

impl Throttled {
    /// Throttled for this reason, nobody knows for how long.
    pub fn because(reason: ThrottleReason) -> Self {
        Self { reason, retry_after: None }
    }
}
