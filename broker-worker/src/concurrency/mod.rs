//! Concurrency: permits that handlers share, as reserved and provisioned concurrency (rules L100 to L105).

use std::{any::Any, fmt, time::Duration};

/// Decides whether one more invocation may run now.
pub trait Gate: Send + Sync + 'static {
    /// Lets an invocation in, or says why not. Does not wait.
    fn try_enter(&self) -> Result<Permit, Throttled>;
}

/// The right to run one invocation, which ends when this is dropped.
#[must_use = "the right ends when this is dropped"]
pub struct Permit(#[expect(dead_code, reason = "held to be dropped")] Option<Box<dyn Any + Send>>);

impl Permit {
    /// A permit that gives something back when it is dropped.
    pub fn holding(guard: impl Send + 'static) -> Self {
        Self(Some(Box::new(guard)))
    }

    /// A permit that nobody counts.
    pub fn uncounted() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// Why an invocation may not run now (rule L1). Nothing ran; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Rate Exceeded.")]
pub struct Throttled {
    /// When trying again makes sense, if that is known.
    pub retry_after: Option<Duration>,
}

/// The gate that lets everything in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

impl Gate for Open {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        Ok(Permit::uncounted())
    }
}
