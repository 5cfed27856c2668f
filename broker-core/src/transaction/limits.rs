//! How large a transaction may be.

/// What transactions refuse: a part of [`Limits`](crate::Limits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionLimits {
    /// The most operations in a transaction, reads included.
    pub operations_max: usize,
    /// The most bytes in a transaction: bodies, records, keys and values together.
    pub bytes_max: usize,
    /// How often [`Broker::transact`](crate::Broker::transact) tries before it gives up, the first time included.
    pub tries_max: usize,
}

const MIB: usize = 1024 * 1024;

impl TransactionLimits {
    /// Room for a batch of ten messages with a hundred operations each, as large together as four batches of SQS, and ten times as
    /// many tries as tasks that get in each other's way are likely to need.
    pub const fn standard() -> Self {
        Self { operations_max: 1_000, bytes_max: 4 * MIB, tries_max: 100 }
    }

    /// As large as the other limits without limits allow.
    pub const fn unlimited() -> Self {
        Self { operations_max: 1_000_000, bytes_max: 256 * MIB, tries_max: 10_000 }
    }
}
