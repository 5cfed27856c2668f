//! What a scaler answers: a count, and why.

use std::fmt;

use broker_core::Timestamp;

/// How many workers there should be, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// So many should be.
    pub desired: u32,
    /// So many should have been, up to now.
    pub was: u32,
    /// Why the count is another one; or why it is the same, if something is held back.
    pub reason: Reason,
    /// What each policy says, by its name, in the order in which they were given.
    pub policies: Vec<(String, Reason)>,
}

impl Decision {
    /// Nothing is to be changed, or one reason says it all.
    pub(crate) fn new(was: u32, desired: u32, reason: Reason) -> Self {
        Self { desired, was, reason, policies: Vec::new() }
    }

    /// Whether the count is another one.
    pub fn is_change(&self) -> bool {
        self.desired != self.was
    }
}

/// As a sentence: `15 workers instead of 10: backlog is 150 with a limit of 100`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_change() {
            write!(f, "{} workers instead of {}: {}", self.desired, self.was, self.reason)
        } else {
            write!(f, "{} workers: {}", self.desired, self.reason)
        }
    }
}

/// Why a count is what it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Everything is as it should be.
    Content,
    /// A metric is above what a policy was set to.
    Above {
        /// The policy, or the metric of a scaler without policies.
        policy: String,
        /// The metric.
        value: f64,
        /// What it was set to.
        limit: f64,
    },
    /// A metric is below what a policy was set to.
    Below {
        /// The policy, or the metric of a scaler without policies.
        policy: String,
        /// The metric.
        value: f64,
        /// What it was set to.
        limit: f64,
    },
    /// A scheduled action.
    Scheduled {
        /// Its name.
        name: String,
    },
    /// The count was outside the bounds.
    PulledIntoBounds,
    /// The metric is not known, so nothing is done.
    NoData,
    /// The bounds allow no more, or no fewer; so many were wanted.
    AtBound {
        /// What was wanted.
        wanted: u32,
    },
    /// An earlier change is given time to show its effect.
    Damped {
        /// Until when, if nothing else happens.
        until: Timestamp,
    },
    /// A simple policy waits until the workers that it asked for are there.
    InProgress,
    /// Another target tracking policy does not agree to take workers away.
    Disagreement,
    /// Another policy wants more workers.
    Outbid,
    /// The policy may not take workers away.
    ScaleInDisabled,
    /// Scaling in this direction is suspended.
    Suspended,
    /// Scaling is paused.
    Paused,
    /// There is something to do, and no worker.
    Activated,
    /// There has been nothing to do for the whole cooldown.
    Inactive,
    /// The metric could not be read too often: the count is that of the fallback.
    Fallback,
    /// A recommendation of the last minutes holds this one back.
    Stabilized {
        /// What was wanted.
        wanted: u32,
    },
    /// The policies of the behaviour allow no faster change.
    RateLimited {
        /// What was wanted.
        wanted: u32,
    },
    /// Switched off by hand: there are no workers although there must be some.
    Disabled,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => write!(f, "nothing to change"),
            Self::Above { policy, value, limit } | Self::Below { policy, value, limit } => {
                write!(f, "{policy} is {value} with a limit of {limit}")
            }
            Self::Scheduled { name } => write!(f, "scheduled by {name}"),
            Self::PulledIntoBounds => write!(f, "the count was outside the bounds"),
            Self::NoData => write!(f, "the metric is not known"),
            Self::AtBound { wanted } => write!(f, "{wanted} were wanted, the bounds do not allow it"),
            Self::Damped { until } => write!(f, "the last change is given until {until}"),
            Self::InProgress => write!(f, "the last change is still going on"),
            Self::Disagreement => write!(f, "not every target is met with fewer"),
            Self::Outbid => write!(f, "another policy wants more"),
            Self::ScaleInDisabled => write!(f, "the policy takes no workers away"),
            Self::Suspended => write!(f, "scaling in this direction is suspended"),
            Self::Paused => write!(f, "scaling is paused"),
            Self::Activated => write!(f, "there is something to do"),
            Self::Inactive => write!(f, "there was nothing to do for the whole cooldown"),
            Self::Fallback => write!(f, "the metric cannot be read, this is the fallback"),
            Self::Stabilized { wanted } => write!(f, "{wanted} were wanted, an earlier recommendation holds"),
            Self::RateLimited { wanted } => write!(f, "{wanted} were wanted, which is too fast"),
            Self::Disabled => write!(f, "switched off by hand"),
        }
    }
}
