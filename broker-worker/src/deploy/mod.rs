//! Replacing a handler while it runs: shifting work to a new version, watching it, and going back if it is not well.
//!
//! | file | what it is for |
//! |---|---|
//! | `plan` | how to shift, and what is refused |
//! | `health`, `tally` | whether a version is well, by what became of its invocations; pure |
//! | `rollout` | how much goes to the new version when; pure |
//! | `judge` | how much of an invocation failed |
//! | `versions` | a handler that is several versions of one: all at once, canary and linear |
//! | `deployment` | a deployment that is going on, as its caller sees it |
//!
//! Whatever happens, an invocation ends on the version that took it. A rolling deployment replaces workers, so it is
//! done by a [`pool`](crate::pool::RunningPool::deploy).

mod deployment;
mod health;
mod judge;
mod plan;
mod rollout;
mod tally;
mod versions;

pub(crate) use deployment::Telling;
pub use deployment::{Deployment, Progress};
pub use health::{Health, Verdict};
pub use judge::{Judge, Judgement};
pub use plan::{Deploy, Strategy};
pub use rollout::{Rollout, Stage};
pub use tally::{Invoked, Tally};
pub use versions::Versions;
