//! The leases of a batch: until when each message is ours, whether it still is, and what was decided of it.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker_core::{
    ChangeVisibility, Clock, Entries, Error, Message, MessageId, Queue, ReceiptHandle, Result, Timestamp,
    VisibilityChanged,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    handler::{Context, Failure, Outcome},
    telemetry::Telemetry,
};

/// The leases of one batch.
pub(crate) struct LeaseSet {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entries: Box<[Entry]>,
    /// How many are not lost. With the last one the invocation is cancelled.
    held: AtomicUsize,
    /// Of the invocation: its token is cancelled with the last lease.
    pub(crate) context: Context,
    /// Nothing more is settled: shutdown has given the messages back.
    released: AtomicBool,
    /// Tells the keeper that an end has changed.
    moved: Arc<Notify>,
    telemetry: Arc<Telemetry>,
}

/// A message and its lease.
pub(crate) struct Entry {
    message: Message,
    pub(crate) id: MessageId,
    pub(crate) receipt: ReceiptHandle,
    /// When the message becomes visible again, in milliseconds of the worker's clock.
    until: AtomicU64,
    /// It is not ours any more: lost, or settled.
    over: AtomicBool,
    /// Made when somebody asks for it.
    token: OnceLock<CancellationToken>,
    pub(crate) decided: Decided,
    /// What a transaction has made of it.
    pub(crate) settled: Decided,
}

/// What was decided of a message. Mostly that is to acknowledge it, which takes no memory.
#[derive(Default)]
pub(crate) struct Decided(OnceLock<Option<Box<Outcome>>>);

static ACK: Outcome = Outcome::Ack;

impl Decided {
    /// Decides, if nothing was decided before. Returns whether that is so.
    pub(crate) fn set(&self, outcome: Outcome) -> bool {
        let outcome = (outcome != Outcome::Ack).then(|| Box::new(outcome));
        self.0.set(outcome).is_ok()
    }

    pub(crate) fn get(&self) -> Option<&Outcome> {
        self.0.get().map(|outcome| outcome.as_deref().unwrap_or(&ACK))
    }
}

impl Entry {
    pub(crate) fn new(message: Message, until: u64) -> Self {
        let (id, receipt) = (message.id, message.receipt);
        let (until, over, token) = (AtomicU64::new(until), AtomicBool::new(false), OnceLock::new());
        let (decided, settled) = (Decided::default(), Decided::default());
        Self { message, id, receipt, until, over, token, decided, settled }
    }

    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Acquire)
    }

    pub(crate) fn set_until(&self, until: u64) {
        self.until.store(until, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn is_lost(&self) -> bool {
        self.is_over() && self.settled.get().is_none()
    }
}

impl LeaseSet {
    pub(crate) fn new(
        queue: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        entries: Box<[Entry]>,
        context: Context,
        moved: Arc<Notify>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let held = AtomicUsize::new(entries.len());
        Self { queue, clock, entries, held, context, released: AtomicBool::new(false), moved, telemetry }
    }

    /// Notes that a lease is lost, and tells it.
    pub(crate) fn lose(&self, entry: &Entry) {
        if self.end(entry) {
            self.telemetry.lease_lost(entry.id);
        }
    }

    /// Ends a lease. Returns whether that is news.
    fn end(&self, entry: &Entry) -> bool {
        // Before the look at the token: whoever makes one looks at this after it.
        if entry.over.swap(true, Ordering::SeqCst) {
            return false;
        }
        if let Some(token) = entry.token.get() {
            token.cancel();
        }
        if self.held.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.context.cancelled().cancel();
        }
        true
    }

    /// A transaction that settles so many messages was rejected.
    pub(crate) fn transaction_rejected(&self, messages: usize, why: &Failure) {
        self.telemetry.rejected(messages, why);
    }

    /// When the next lease that is not over ends.
    pub(crate) fn first_end(&self) -> Option<u64> {
        self.entries.iter().filter(|entry| !entry.is_over()).map(Entry::until).min()
    }

    /// From now on nothing of it is settled.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.entries.iter().for_each(|entry| {
            self.end(entry);
        });
        self.context.cancelled().cancel();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::SeqCst)
    }

    /// Makes leases end `timeout` from now. Notes which are lost; returns what the queue said of each.
    pub(crate) async fn extend(
        &self,
        entries: &[&Entry],
        timeout: Duration,
    ) -> Result<Vec<Result<VisibilityChanged>>> {
        let change = |entry: &&Entry| ChangeVisibility { receipt: entry.receipt, timeout };
        let now = self.clock.now();
        let changes: Entries<_> = entries.iter().map(change).collect();
        let outcomes = self.queue.change_visibility_batch(changes).await?.0;
        let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        for (entry, outcome) in entries.iter().zip(&outcomes) {
            match outcome {
                Ok(VisibilityChanged::Until(_)) => entry.set_until(after(now, timeout)),
                Ok(VisibilityChanged::Stale | VisibilityChanged::Gone)
                | Err(Error::ReceiptHandleExpired { .. }) => self.lose(entry),
                // The lease stays as it was: the time that it has is not used up.
                Err(_) => {}
            }
        }
        Ok(outcomes)
    }
}

/// The time `wait` after `now`, in milliseconds.
pub(crate) fn after(now: Timestamp, wait: Duration) -> u64 {
    now.as_millis().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// The lease of one message: the time in which nobody else gets it. Cheap to clone.
#[derive(Clone)]
pub struct Lease {
    pub(crate) set: Arc<LeaseSet>,
    pub(crate) at: usize,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry();
        f.debug_struct("Lease").field("until", &self.until()).field("lost", &entry.is_lost()).finish()
    }
}

impl Lease {
    fn entry(&self) -> &Entry {
        &self.set.entries[self.at]
    }

    /// Becomes the lease of another message of the batch.
    pub(crate) fn go_to(&mut self, other: &Self) {
        debug_assert!(Arc::ptr_eq(&self.set, &other.set));
        self.at = other.at;
    }

    pub(crate) fn message(&self) -> &Message {
        &self.entry().message
    }

    /// When the message becomes visible to others unless the lease is extended, on the worker's clock.
    pub fn until(&self) -> Timestamp {
        Timestamp::from_millis(self.entry().until())
    }

    /// Whether somebody else may have the message: what is done for it now is done twice.
    pub fn is_lost(&self) -> bool {
        let entry = self.entry();
        let ended = || entry.settled.get().is_none() && entry.until() <= self.set.clock.now().as_millis();
        entry.is_lost() || ended()
    }

    /// Fires when the lease is lost: it ended, the message was received by somebody else, or it is gone.
    pub fn lost(&self) -> &CancellationToken {
        let entry = self.entry();
        let token = entry.token.get_or_init(CancellationToken::new);
        if entry.is_lost() {
            token.cancel();
        }
        token
    }

    /// Keeps the message for `timeout` from now: up to 12 hours, and up to 12 hours since it was received. With a
    /// heartbeat this is not needed. Cancel safe in this sense: a dropped call has extended the lease or not. The lease says so only
    /// if the call has returned.
    pub async fn extend(&self, timeout: Duration) -> Result<VisibilityChanged> {
        let outcomes = self.set.extend(&[self.entry()], timeout).await?;
        self.set.moved.notify_one();
        outcomes.into_iter().next().expect("one outcome for one change")
    }

    /// What was decided of the message, and its id.
    pub(crate) fn decided(&self) -> (MessageId, Option<&Outcome>) {
        let entry = self.entry();
        (entry.id, entry.decided.get())
    }

    /// A transaction has made this of the message: nothing is left to be done for it.
    pub(crate) fn settled(&self, outcome: Outcome) {
        let entry = self.entry();
        entry.decided.set(outcome.clone());
        entry.settled.set(outcome);
        if !entry.over.swap(true, Ordering::SeqCst) {
            self.set.held.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(crate) fn decide(&self, outcome: Outcome) -> bool {
        self.entry().decided.set(outcome)
    }
}
