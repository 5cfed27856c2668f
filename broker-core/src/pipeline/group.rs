//! Groups of batches that are committed together, and the right to wait for one.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    seeded::seeded,
    storage::StorageError,
    sync::{Notify, OnceLock},
};

/// Batches that are committed together.
pub(super) struct Group {
    pub(super) number: u64,
    done: Notify,
    outcome: OnceLock<Result<(), Arc<StorageError>>>,
}

impl Group {
    pub(super) fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, done: Notify::new(), outcome: OnceLock::new() })
    }

    pub(super) fn finish(&self, outcome: Result<(), Arc<StorageError>>) {
        // Only the committer finishes a group, and it takes each group once.
        let _ = self.outcome.set(outcome);
        self.done.notify_waiters();
    }
}

/// The right to wait for a submitted batch. Dropping it takes nothing back.
#[derive(Clone, Default)]
#[must_use = "an answer must wait for what it saw"]
pub(crate) struct Ticket(pub(super) Option<Arc<Group>>);

impl Ticket {
    /// The number of the group, or zero if the batch is already committed.
    pub(crate) fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |group| group.number)
    }

    /// Waits until the batch is committed, or for ever if there is none.
    pub(crate) async fn wait_if_any(ticket: Option<&Self>) -> Result<()> {
        match ticket {
            Some(ticket) => ticket.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the batch is committed.
    pub(crate) async fn wait(&self) -> Result<()> {
        let Some(group) = self.0.as_ref().filter(|_| !seeded("acknowledged-before-the-commit")) else {
            return Ok(());
        };
        // Made before the look, it hears of what comes after.
        let done = group.done.notified();
        if group.outcome.get().is_none() {
            done.await;
        }
        let outcome = group.outcome.get().expect("a group is finished before its waiters are notified");
        outcome.clone().map_err(Error::Indeterminate)
    }
}
