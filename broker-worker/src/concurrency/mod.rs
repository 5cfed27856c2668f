//! Concurrency: permits that handlers share, as reserved and provisioned concurrency (rules L100 to L105).
//!
//! | file | what it is for |
//! |---|---|
//! | `throttled` | why an invocation may not run now |
//! | `bucket`, `environments` | rates, and how fast a function grows; pure |
//! | `function`, `state` | who has how much, and who gets a permit; pure |
//! | `provisioned` | provisioned concurrency as it is described |
//! | `error` | what is refused, in the words of Lambda |
//! | `account` | the shell: an account, its functions, their gates |

mod account;
mod bucket;
mod environments;
mod error;
mod function;
mod provisioned;
mod state;
mod throttled;

use std::{any::Any, fmt};

pub use account::{Account, FunctionConcurrency, FunctionGate};
pub use error::ConcurrencyError;
pub use provisioned::{Provisioned, ProvisionedStatus};
pub use state::{AccountLimits, Usage};
pub use throttled::{ThrottleReason, Throttled};

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

/// The gate that lets everything in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

impl Gate for Open {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        Ok(Permit::uncounted())
    }
}
