//! Transactions: one commit across queues, topics, streams, checkpoints and user keys.
//!
//! What a transaction is to do is *staged*: checked as far as that needs no lock, and kept. The commit takes the locks of all that
//! has to do with it in one order, looks whether all of it can be done, and then does it, in one batch.
//!
//! | file | what it is for |
//! |---|---|
//! | `messages`, `streams`, `user_keys` | staging: what a transaction can do |
//! | `limits`, `rejection`, `outcome` | how large it may be; why it is rejected; what became of it |
//! | `retry` | doing it again after a conflict |
//! | `participant` | queues that take part, for code that takes any of them |
//! | `plan` | which queues it has to do with, and how durable it is |
//! | `commit` | reading what the decision needs, trying again until it is made |
//! | `attempt`, `owners` | the locks |
//! | `by_id` | a small map |
//! | `needs` | what must be read before it can be decided |
//! | `step` | under the locks: looking whether all can be done, and doing it |
//!
//! No lock is held while the caller thinks. So what a transaction has read may change meanwhile: then its commit is rejected
//! ([`Reason::KeyChanged`]). Each conflict means that somebody else has committed.

mod attempt;
mod by_id;
mod commit;
mod limits;
mod messages;
mod needs;
mod outcome;
mod owners;
mod participant;
mod plan;
mod rejection;
mod retry;
mod step;
mod streams;
mod user_keys;

use std::sync::Arc;

use by_id::ById;
use smallvec::SmallVec;

pub use limits::TransactionLimits;
pub use outcome::{Committed, Outcome};
pub use participant::TransactionalQueue;
pub use rejection::{OperationKind, Reason, Rejection};
use step::Staged;

use crate::{
    broker::Broker,
    engine::Engine,
    error::{Error, Result},
    queue::shell::QueueCell,
    space::{KeyWrites, Overtaken, ReadSet},
    storage::Durability,
    stream::shell::StreamCell,
    sync::{AtomicBool, Ordering},
    topic::shell::TopicPart,
};

/// What is to happen in one commit, or not at all: made by [`Broker::transaction`], or by [`Broker::transact`], which also begins
/// again after a conflict.
///
/// Calls stage operations and return their number; nothing of them is visible, and nothing is locked, before
/// [`commit`](Self::commit). Dropping it does nothing. A call that fails has staged nothing, and the others stand.
///
/// **All or nothing.** If one operation cannot be done, none is, and [`Error::TransactionRejected`] says which one and why: a receipt
/// that is stale, a message that is gone, a lease that is lost, a key that was changed since it was read, and so on.
///
/// **Serialisable.** What was read of user keys, scans included, is still so when it commits. Reads see what the transaction has
/// written itself.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let (orders, parcels) = (broker.queue("orders").await?, broker.queue("parcels").await?);
/// let totals = broker.space("totals").await?;
/// orders.send("two pairs of socks").await?;
///
/// for order in orders.receive(Default::default()).await? {
///     let mut tx = broker.transaction();
///     tx.ack(&orders, order.receipt)?;
///     tx.send(&parcels, "a parcel with socks")?;
///     let count = tx.get(&totals, "socks").await?.map_or(0, |value| value[0]);
///     tx.put(&totals, "socks", vec![count + 2])?;
///     tx.commit().await?; // the order is gone, the parcel is there and the total is right: or nothing of it
/// }
/// assert_eq!(totals.get("socks").await?.as_deref(), Some(&[2][..]));
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[must_use = "a transaction does nothing until it is committed"]
pub struct Transaction(Box<Inner>);

/// What is in a transaction: boxed, since it is large, and a transaction is handed about.
struct Inner {
    broker: Broker,
    /// By their numbers.
    kinds: SmallVec<[OperationKind; 16]>,
    bytes: usize,
    /// How many of those make the store larger.
    added: usize,
    durability: Option<Durability>,
    /// What is to be done, in the order of the calls, but for user keys.
    staged: Vec<Staged>,
    /// By their ids, and so in the order of their locks.
    queues: ById<Arc<QueueCell>>,
    topics: ById<TopicPart, 0>,
    streams: ById<Arc<StreamCell>>,
    reads: ReadSet,
    writes: KeyWrites,
    /// What was read does not hold any more, and so it cannot be committed.
    overtaken: Option<Error>,
    /// Tells whoever would begin it again that this is so.
    conflict: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("operations", &self.0.kinds).finish_non_exhaustive()
    }
}

impl Broker {
    /// A transaction with nothing in it yet.
    pub fn transaction(&self) -> Transaction {
        Transaction(Box::new(Inner {
            broker: self.clone(),
            kinds: SmallVec::new(),
            bytes: 0,
            added: 0,
            durability: None,
            staged: Vec::new(),
            queues: ById::default(),
            topics: ById::default(),
            streams: ById::default(),
            reads: ReadSet::new(self.engine().clone()),
            writes: KeyWrites::default(),
            overtaken: None,
            conflict: None,
        }))
    }
}

impl Transaction {
    /// What the commit survives when it returns. By default the most that anything in it asks for; user keys ask for
    /// [`Durability::Synced`].
    pub fn durability(&mut self, durability: Durability) {
        self.0.durability = Some(durability);
    }

    /// How many operations there are, reads included.
    pub fn operations(&self) -> usize {
        self.0.kinds.len()
    }

    /// Refuses what belongs to another broker: its commits are not this one's.
    fn check_own(&self, engine: &Arc<Engine>, field: &'static str, name: &str) -> Result<()> {
        if Arc::ptr_eq(engine, self.0.broker.engine()) {
            return Ok(());
        }
        Err(Error::invalid(field, name, "belongs to another broker than the transaction"))
    }

    /// The number of the next operation, of so many bytes, if there is room for it.
    fn room(&self, bytes: usize) -> Result<usize> {
        let TransactionLimits { operations_max, bytes_max, .. } = self.0.broker.engine().limits.transactions;
        if self.0.kinds.len() >= operations_max {
            return Err(Error::TooMany { what: "operations in the transaction", max: operations_max });
        }
        let bytes = self.0.bytes.saturating_add(bytes);
        if bytes > bytes_max {
            return Err(Error::BatchTooLong { bytes, max: bytes_max });
        }
        Ok(self.0.kinds.len())
    }

    /// Counts an operation for which there is [room](Self::room).
    fn count(&mut self, kind: OperationKind, bytes: usize) -> usize {
        self.0.kinds.push(kind);
        self.0.bytes += bytes;
        if kind.adds() {
            self.0.added += bytes;
        }
        self.0.kinds.len() - 1
    }

    /// Notes that what was read does not hold any more.
    fn overtaken_by(&mut self, Overtaken { operation, reason }: Overtaken) -> Error {
        let error = self.rejected(operation, reason);
        self.0.overtaken = Some(error.clone());
        if let Some(conflict) = &self.0.conflict {
            conflict.store(true, Ordering::Relaxed);
        }
        error
    }

    /// The error of an operation that cannot be done.
    fn rejected(&self, operation: usize, reason: impl Into<Reason>) -> Error {
        rejected(&self.0.kinds, operation, reason)
    }
}

/// The error of one of these operations, which cannot be done.
fn rejected(kinds: &[OperationKind], operation: usize, reason: impl Into<Reason>) -> Error {
    let reason = match reason.into() {
        // What concerns the whole broker is not the fault of one operation.
        Reason::Failed(
            error @ (Error::Storage(_) | Error::Closed | Error::Poisoned(_) | Error::Indeterminate(_)),
        ) => {
            return error;
        }
        reason => reason,
    };
    Error::TransactionRejected(Arc::new(Rejection { operation, kind: kinds[operation], reason }))
}
