//! Provisioned concurrency as it is described (rule L103).

use crate::handler::Failure;

/// The provisioned concurrency of a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// How much was asked for.
    pub requested: u32,
    /// How much of it is initialised.
    pub allocated: u32,
    /// How much of that is not in use.
    pub available: u32,
    /// How it is with it.
    pub status: ProvisionedStatus,
}

/// How it is with provisioned concurrency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvisionedStatus {
    /// It is being initialised; invocations run without it meanwhile.
    InProgress,
    /// It can be used.
    Ready,
    /// It could not be initialised, and takes no concurrency from anybody.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl ProvisionedStatus {
    /// As Lambda spells it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Failed { .. } => "FAILED",
        }
    }

    /// Why it failed, as Lambda spells it.
    pub fn reason(&self) -> Option<&'static str> {
        matches!(self, Self::Failed { .. }).then_some("FUNCTION_ERROR_INIT_FAILURE")
    }
}
