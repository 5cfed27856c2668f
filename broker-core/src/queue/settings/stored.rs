//! The settings in force.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DeduplicationScope, FifoThroughputLimit, QueueSettings};
use crate::{
    clock::millis,
    error::{Error, Result},
    limits::Limits,
    queue::redrive::{RedriveAllowPolicy, RedrivePolicy},
    storage::Durability,
};

/// The settings in force, in the form that the queue's state works with and the catalog stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) visibility_timeout_ms: u64,
    pub(crate) delay_ms: u64,
    pub(crate) retention_ms: u64,
    pub(crate) max_message_size: usize,
    pub(crate) receive_wait_time_ms: u64,
    pub(crate) durability: StoredDurability,
    pub(crate) redrive_policy: RedrivePolicy,
    pub(crate) redrive_allow_policy: RedriveAllowPolicy,
    /// `None`: a standard queue.
    pub(crate) fifo: Option<Fifo>,
}

/// What only a FIFO queue has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    pub(crate) content_based_deduplication: bool,
    /// As the queue was told last.
    pub(crate) deduplication_scope: DeduplicationScope,
    /// As it was when the queue was created (rule F24).
    pub(crate) scope_in_force: DeduplicationScope,
    pub(crate) throughput_limit: FifoThroughputLimit,
}

impl Fifo {
    fn with(self, change: &QueueSettings) -> Self {
        Self {
            content_based_deduplication: change
                .content_based_deduplication
                .unwrap_or(self.content_based_deduplication),
            deduplication_scope: change.deduplication_scope.unwrap_or(self.deduplication_scope),
            throughput_limit: change.fifo_throughput_limit.unwrap_or(self.throughput_limit),
            ..self
        }
    }

    /// The one combination that SQS refuses.
    fn check(self) -> Result<()> {
        if self.throughput_limit == FifoThroughputLimit::PerMessageGroupId
            && self.deduplication_scope == DeduplicationScope::Queue
        {
            let reason = "needs the deduplication scope MessageGroup";
            return Err(Error::invalid("fifo_throughput_limit", "PerMessageGroupId", reason));
        }
        Ok(())
    }
}

/// [`Durability`] as the catalog spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredDurability {
    Memory,
    Buffered,
    Synced,
}

impl From<Durability> for StoredDurability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Memory => Self::Memory,
            Durability::Buffered => Self::Buffered,
            Durability::Synced => Self::Synced,
        }
    }
}

impl From<StoredDurability> for Durability {
    fn from(durability: StoredDurability) -> Self {
        match durability {
            StoredDurability::Memory => Self::Memory,
            StoredDurability::Buffered => Self::Buffered,
            StoredDurability::Synced => Self::Synced,
        }
    }
}

impl Settings {
    /// The defaults of SQS, as far as the limits allow them.
    fn defaults(limits: &Limits, value_bytes_max: usize) -> Self {
        Self {
            visibility_timeout_ms: 30_000.min(millis(limits.visibility_timeout_max)),
            delay_ms: 0,
            // Not `clamp`, which panics if somebody sets the minimum above the maximum.
            retention_ms: 345_600_000.min(millis(limits.retention_max)).max(millis(limits.retention_min)),
            max_message_size: limits.message_bytes_max.min(value_bytes_max),
            receive_wait_time_ms: 0,
            durability: StoredDurability::Synced,
            redrive_policy: RedrivePolicy::None,
            redrive_allow_policy: RedriveAllowPolicy::AllowAll,
            fifo: None,
        }
    }

    /// The settings of a new queue.
    pub(crate) fn new(limits: &Limits, value_bytes_max: usize, given: &QueueSettings) -> Result<Self> {
        let fifo = given.fifo.unwrap_or(false);
        given.check_type(fifo)?;
        let scope_in_force = given.deduplication_scope.unwrap_or_default();
        let fifo = fifo.then(|| Fifo { scope_in_force, ..Fifo::default() });
        Self { fifo, ..Self::defaults(limits, value_bytes_max) }.changed(given)
    }

    /// The settings with the given ones changed, if they go together.
    pub(crate) fn changed(&self, change: &QueueSettings) -> Result<Self> {
        change.check_type(self.fifo.is_some())?;
        let changed = self.with(change);
        changed.fifo.map_or(Ok(()), Fifo::check)?;
        Ok(changed)
    }

    fn with(&self, change: &QueueSettings) -> Self {
        let ms = |given: Option<Duration>, old| given.map_or(old, millis);
        Self {
            visibility_timeout_ms: ms(change.visibility_timeout, self.visibility_timeout_ms),
            delay_ms: ms(change.delay, self.delay_ms),
            retention_ms: ms(change.retention, self.retention_ms),
            max_message_size: change.max_message_size.unwrap_or(self.max_message_size),
            receive_wait_time_ms: ms(change.receive_wait_time, self.receive_wait_time_ms),
            durability: change.durability.map_or(self.durability, Into::into),
            redrive_policy: change.redrive_policy.clone().unwrap_or_else(|| self.redrive_policy.clone()),
            redrive_allow_policy: (change.redrive_allow_policy.clone())
                .unwrap_or_else(|| self.redrive_allow_policy.clone()),
            fifo: self.fifo.map(|fifo| fifo.with(change)),
        }
    }

    /// The first of the given settings that differs from these (rule Q6).
    pub(crate) fn first_difference(&self, given: &QueueSettings) -> Option<&'static str> {
        let wanted = self.with(given);
        let fifo = |of: fn(Fifo) -> bool| self.fifo.map(of) == wanted.fifo.map(of);
        [
            ("fifo", given.check_type(self.fifo.is_some()).is_ok()),
            ("visibility_timeout", self.visibility_timeout_ms == wanted.visibility_timeout_ms),
            ("delay", self.delay_ms == wanted.delay_ms),
            ("retention", self.retention_ms == wanted.retention_ms),
            ("max_message_size", self.max_message_size == wanted.max_message_size),
            ("receive_wait_time", self.receive_wait_time_ms == wanted.receive_wait_time_ms),
            ("durability", self.durability == wanted.durability),
            ("content_based_deduplication", fifo(|fifo| fifo.content_based_deduplication)),
            (
                "deduplication_scope",
                fifo(|fifo| fifo.deduplication_scope == DeduplicationScope::MessageGroup),
            ),
            (
                "fifo_throughput_limit",
                fifo(|fifo| fifo.throughput_limit == FifoThroughputLimit::PerMessageGroupId),
            ),
            ("redrive_policy", self.redrive_policy == wanted.redrive_policy),
            ("redrive_allow_policy", self.redrive_allow_policy == wanted.redrive_allow_policy),
        ]
        .into_iter()
        .find_map(|(name, same)| (!same).then_some(name))
    }
}
