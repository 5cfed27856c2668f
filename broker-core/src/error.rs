//! Every way in which a call can fail, what is certain afterwards, and what the caller should do.

mod certainty;
mod shown;

use std::{sync::Arc, time::Duration};

pub use certainty::Certainty;
pub(crate) use shown::shown;

use crate::{
    clock::Timestamp, filter::FilterPolicyError, storage::StorageError, stream::shard::ShardId,
    topic::subscription::SubscriptionId, transaction::Rejection,
};

/// Why a call failed. [`certainty`](Error::certainty) says what is known of its effect.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value is outside what is allowed. Correct it; nothing happened.
    #[error("{field} is {value}: {reason}")]
    InvalidParameter {
        /// The parameter, as the builder or the struct spells it.
        field: &'static str,
        /// The refused value, cut to a readable length.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// A value that must not be empty is. Supply it; nothing happened.
    #[error("{field} is missing or empty")]
    MissingParameter {
        /// The parameter.
        field: &'static str,
    },
    /// The body holds a character that SQS does not take. Encode it, or allow any bytes
    /// ([`BodyRule`](crate::BodyRule)); nothing happened.
    #[error("the body holds {what} at byte {position}, which is not allowed")]
    InvalidMessageContents {
        /// Where in the body.
        position: usize,
        /// The character, or that it is not UTF-8.
        what: String,
    },
    /// The message is larger than its queue takes. Shorten it or raise the queue's maximum; nothing happened.
    #[error("the message has {bytes} bytes with its attributes, the queue takes at most {max}")]
    MessageTooLong {
        /// Body and attributes together.
        bytes: usize,
        /// The queue's maximum message size.
        max: usize,
    },
    /// There is no such queue, or no longer. Create it; nothing happened.
    #[error("the queue {name:?} does not exist")]
    QueueDoesNotExist {
        /// The queue's name.
        name: String,
    },
    /// The queue exists with another value for a setting that was given. Open it without, or change it.
    #[error("the queue {name:?} exists already with a different value for {attribute}")]
    QueueNameExists {
        /// The queue's name.
        name: String,
        /// The first setting that differs.
        attribute: &'static str,
    },
    /// The name is still taken, because its queue was deleted a moment ago ([`Limits`](crate::Limits)). Wait.
    #[error("the queue {name:?} was deleted recently, its name is free again in {wait:?}")]
    QueueDeletedRecently {
        /// The queue's name.
        name: String,
        /// How long until the name is free.
        wait: Duration,
    },
    /// The queue was purged a moment ago ([`Limits`](crate::Limits)). Wait; nothing happened.
    #[error("the queue {name:?} was purged recently, it can be purged again in {wait:?}")]
    PurgeQueueInProgress {
        /// The queue's name.
        name: String,
        /// How long until another purge is taken.
        wait: Duration,
    },
    /// A batch has no entries. Nothing happened.
    #[error("the batch has no entries")]
    EmptyBatch,
    /// A batch has too many entries. Split it; nothing happened.
    #[error("the batch has {count} entries, at most {max} are allowed")]
    TooManyEntriesInBatch {
        /// The entries given.
        count: usize,
        /// The most that are taken.
        max: usize,
    },
    /// Two entries of a batch have the same id. Nothing happened.
    #[error("two entries of the batch have the id {id:?}")]
    BatchEntryIdsNotDistinct {
        /// The id that occurs twice.
        id: String,
    },
    /// The id of an entry is not made of 1 to 80 letters, digits, hyphens and underscores. Nothing happened.
    #[error("the batch entry id {id:?} is not made of 1 to 80 letters, digits, hyphens and underscores")]
    InvalidBatchEntryId {
        /// The refused id, cut to a readable length.
        id: String,
    },
    /// The entries of a batch are too large together. Split it; nothing happened.
    #[error("the batch has {bytes} bytes, at most {max} are allowed")]
    BatchTooLong {
        /// All bodies and attributes together.
        bytes: usize,
        /// The most that is taken.
        max: usize,
    },
    /// The receipt handle is not of this queue. Use the one of the latest delivery; nothing happened.
    #[error("the receipt handle {receipt} is not one of this queue")]
    ReceiptHandleIsInvalid {
        /// The refused handle.
        receipt: String,
    },
    /// The receipt handle is of a delivery to a FIFO queue whose visibility timeout is over, or that was taken back: the
    /// message is in the queue and may be delivered again. Nothing happened; do the work again when it is.
    #[error("the receipt handle {receipt} has expired")]
    ReceiptHandleExpired {
        /// The refused handle.
        receipt: String,
    },
    /// The queue has no dead-letter queue to give a message up to, or it was deleted. Set a
    /// [`RedrivePolicy`](crate::RedrivePolicy), or create the queue that it names; nothing happened.
    #[error("the queue {name:?} has no dead-letter queue")]
    NoDeadLetterQueue {
        /// The queue whose policy names none.
        name: String,
    },
    /// The queue is the dead-letter queue of no other queue, so there is nothing to redrive. Nothing happened.
    #[error("the queue {name:?} must be configured as a dead-letter queue")]
    NotADeadLetterQueue {
        /// The queue that messages were to be moved from.
        name: String,
    },
    /// A move task is running for this source queue. Wait for it or cancel it; nothing happened.
    #[error("there is already a task running for the queue {name:?}, only one at a time is allowed")]
    MoveTaskRunning {
        /// The source queue.
        name: String,
    },
    /// Too many move tasks are running. Wait for one or cancel one; nothing happened.
    #[error("{max} move tasks are running, no more are allowed")]
    TooManyMoveTasks {
        /// The most that may run.
        max: usize,
    },
    /// There is no such move task, or it is not running. Nothing happened.
    #[error("the move task {task} does not exist or is not running")]
    MoveTaskDoesNotExist {
        /// The task's handle.
        task: String,
    },
    /// There is no such topic, or no longer. Create it; nothing happened.
    #[error("the topic {name:?} does not exist")]
    TopicDoesNotExist {
        /// The topic's name.
        name: String,
    },
    /// The topic exists with another value for a setting that was given, or other tags. Open it without, or change it.
    #[error("the topic {name:?} exists already with a different value for {attribute}")]
    TopicExists {
        /// The topic's name.
        name: String,
        /// The first setting that differs.
        attribute: &'static str,
    },
    /// The topic or stream is in a state in which this cannot be done, as the reason says. Change that; nothing happened.
    #[error("{name:?} does not allow it: {reason}")]
    InvalidState {
        /// The name of the topic or stream.
        name: String,
        /// What is in the way.
        reason: String,
    },
    /// There is no such subscription, or no longer. Subscribe; nothing happened.
    #[error("the topic {topic:?} has no subscription {id}")]
    SubscriptionDoesNotExist {
        /// The topic's name.
        topic: String,
        /// The id.
        id: SubscriptionId,
    },
    /// The endpoint is subscribed already, with other settings. Subscribe without, or change the subscription.
    #[error("a subscription of the topic {topic:?} exists already with different settings: {id}")]
    SubscriptionExists {
        /// The topic's name.
        topic: String,
        /// The subscription that there is.
        id: SubscriptionId,
    },
    /// There is no such stream, or no longer. Create it; nothing happened.
    #[error("the stream {name:?} does not exist")]
    StreamDoesNotExist {
        /// The stream's name.
        name: String,
    },
    /// There is a stream of this name. Open it; nothing happened.
    #[error("the stream {name:?} exists already")]
    StreamExists {
        /// The stream's name.
        name: String,
    },
    /// A shard of a throttled stream has had as much as it takes in a second. Try again a little later; nothing happened.
    #[error("rate exceeded for {shard} in stream {stream:?}")]
    ProvisionedThroughputExceeded {
        /// The stream's name.
        stream: String,
        /// The shard.
        shard: ShardId,
    },
    /// The lease of a shard is somebody else's now, or nobody's: the checkpoint was not moved. Stop working on the shard; its
    /// new holder gets again what was not checkpointed.
    #[error("the lease of {shard} was lost")]
    LeaseLost {
        /// The shard.
        shard: ShardId,
    },
    /// There is no such space of user keys, or no longer. Create it; nothing happened.
    #[error("the space {name:?} does not exist")]
    SpaceDoesNotExist {
        /// The space's name.
        name: String,
    },
    /// A transaction was rejected as a whole, because of one of its operations. Nothing happened; the rejection says which
    /// operation, and why.
    #[error("the transaction was rejected, {0}")]
    TransactionRejected(#[source] Arc<Rejection>),
    /// The iterator was given out too long ago. Get a new one; nothing happened.
    #[error("the iterator was given out at {issued_at}, which at {now} is too long ago")]
    ExpiredIterator {
        /// When it was given out.
        issued_at: Timestamp,
        /// The broker's time.
        now: Timestamp,
    },
    /// There are as many of something as the limits allow. Remove some, or raise the limit; nothing happened.
    #[error("there are {max} {what}, no more are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most that there may be.
        max: usize,
    },
    /// The text is not a filter policy, or not one within the limits. Correct it; nothing happened.
    #[error("FilterPolicy: {0}")]
    InvalidFilterPolicy(#[source] FilterPolicyError),
    /// Too many messages are in flight for another short poll. Delete what is done; nothing happened.
    #[error("{in_flight} messages are in flight, at most {max} are allowed")]
    OverLimit {
        /// How many are in flight.
        in_flight: usize,
        /// The most that may be.
        max: usize,
    },
    /// The broker was opened outside a tokio runtime, which it needs for timers and blocking calls.
    #[error("the broker must be opened inside a tokio runtime")]
    NoRuntime,
    /// The operating system gave no random number for the store's seed. Give one with `BrokerBuilder::seed`.
    #[error("the operating system gave no random seed")]
    NoRandomness,
    /// The broker was closed. Nothing happened.
    #[error("the broker is closed")]
    Closed,
    /// Reading the store failed, or it is full ([`StorageError::Full`]: then try again when there is room). Nothing was changed;
    /// for damage, see the place named.
    #[error("{0}")]
    Storage(#[source] Arc<StorageError>),
    /// The commit that this call waited for failed: it may have happened or not. Drop the broker and reopen the
    /// store; a retry after that is safe where the operation is idempotent.
    #[error("it is uncertain whether this took effect, drop the broker and reopen the store: {0}")]
    Indeterminate(#[source] Arc<StorageError>),
    /// An earlier commit failed and the broker has stopped. Nothing happened: drop the broker and reopen the store.
    #[error("the broker has stopped, drop it and reopen the store: {0}")]
    Poisoned(#[source] Arc<StorageError>),
}

impl From<StorageError> for Error {
    fn from(cause: StorageError) -> Self {
        Self::Storage(Arc::new(cause))
    }
}

/// The result of a broker call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests;
