//! What is refused, in the words of Lambda. Nothing has changed then.

/// Why a change of concurrency was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConcurrencyError {
    /// Too little would be left for functions without a reservation. Reserve less, or raise the account's limit (rule L100).
    #[error(
        "Specified {what} for function decreases account's UnreservedConcurrentExecution below its minimum value of [{min}]."
    )]
    TooLittleUnreserved {
        /// What was to be set.
        what: &'static str,
        /// How much was asked for.
        asked: u32,
        /// How much must be left.
        min: u32,
    },
    /// A reservation belongs to a function as a whole (rule L101).
    #[error(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."
    )]
    Qualified {
        /// The name that was given.
        name: String,
    },
    /// `$LATEST` has no provisioned concurrency (rule L103). Publish a version.
    #[error("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")]
    Unpublished,
    /// At least one must be provisioned.
    #[error("provisioned_concurrency is {asked}: must be at least 1")]
    NothingProvisioned {
        /// How much was asked for.
        asked: u32,
    },
    /// The reservation is smaller.
    #[error("Specified ConcurrentExecutions for function is greater than function's reserved concurrency.")]
    MoreThanReserved {
        /// How much would be provisioned.
        provisioned: u32,
        /// How much is reserved.
        reserved: u32,
    },
    /// The version has provisioned concurrency already.
    #[error(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    )]
    VersionIsProvisioned,
    /// An alias of this version has provisioned concurrency already.
    #[error("Version is pointed by a Provisioned Concurrency alias")]
    AliasIsProvisioned,
    /// There is none.
    #[error("No Provisioned Concurrency Config found for this function")]
    NotProvisioned,
    /// The function has no such version or alias.
    #[error("Function not found: {function}:{qualifier}")]
    UnknownQualifier {
        /// The function.
        function: String,
        /// What was asked for.
        qualifier: String,
    },
}
