//! Queues: the trait, the conveniences around it, and the queue of this broker.
//!
//! | file | what it is for |
//! |---|---|
//! | `settings`, `options` | what a queue is told once, and what each call is told and answers |
//! | `message`, `attributes`, `entries` | what goes in and comes out |
//! | `observe` | what an observer is told |
//! | `check` | what is refused |
//! | `row`, `lease`, `record` | what is stored |
//! | `state` | the decisions, pure |
//! | `recovery`, `fetch` | from what is stored to the state: at open, and page by page |
//! | `shell` | the asynchronous operations of [`LocalQueue`] |

pub(crate) mod attributes;
pub(crate) mod check;
pub(crate) mod entries;
mod ext;
pub(crate) mod fetch;
pub(crate) mod inspect;
pub(crate) mod lease;
pub(crate) mod message;
pub(crate) mod observe;
pub(crate) mod options;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod redrive;
pub(crate) mod row;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod state;

use std::{future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
pub use ext::{Delivery, Messages, QueueExt};
pub use shell::LocalQueue;

use self::{
    entries::{Entries, Outcomes},
    message::{Message, SendMessage, Sent},
    options::{ChangeVisibility, DeadLettered, Deleted, QueueAttributes, ReceiveOptions, VisibilityChanged},
    settings::QueueSettings,
};
use crate::{clock::Clock, error::Result, ids::ReceiptHandle};

/// What a row can add to the size of its message: its head, and lengths around each attribute.
pub(crate) const ROW_OVERHEAD_MAX: usize = 32 * 1024;

/// A queue, wherever it is: what code that takes any queue asks for, and what an implementor owes.
///
/// Implementors owe the semantics of SQS: a message that was accepted is delivered at least once; a received message
/// stays invisible for its timeout; a delete of its latest receipt ends it. Repeats are outcomes, not errors. An error
/// says whether something happened ([`Error::certainty`](crate::Error::certainty)). [`QueueExt`] adds the rest.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// The queue's name.
    fn name(&self) -> &str;

    /// The largest receive that this queue takes: the most messages, the longest wait.
    fn largest_receive(&self) -> ReceiveOptions;

    /// The clock by which visibility timeouts end: whoever holds a lease counts its time by this one.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Sends messages in one commit: see [`LocalQueue::send_batch`].
    async fn send_batch(&self, entries: Entries<SendMessage>) -> Result<Outcomes<Sent>>;

    /// Receives messages: see [`LocalQueue::receive`]. Must be cancel safe as that is.
    async fn receive(&self, options: ReceiveOptions) -> Result<Vec<Message>>;

    /// Deletes messages in one commit: see [`LocalQueue::delete_batch`].
    async fn delete_batch(&self, entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>>;

    /// Changes visibilities in one commit: see [`LocalQueue::change_visibility_batch`].
    async fn change_visibility_batch(
        &self,
        entries: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>>;

    /// Gives a message up to the dead-letter queue: see [`LocalQueue::dead_letter`].
    async fn dead_letter(&self, receipt: ReceiptHandle, reason: String) -> Result<DeadLettered>;

    /// Removes all messages: see [`LocalQueue::purge`].
    async fn purge(&self) -> Result<()>;

    /// Describes the queue: see [`LocalQueue::attributes`].
    async fn attributes(&self) -> Result<QueueAttributes>;

    /// Changes settings: see [`LocalQueue::set_attributes`].
    async fn set_attributes(&self, change: QueueSettings) -> Result<()>;
}

/// A receive that goes on, as [`Queue`] has it.
type Receiving<'a> = Pin<Box<dyn Future<Output = Result<Vec<Message>>> + Send + 'a>>;

#[async_trait]
impl Queue for LocalQueue {
    fn name(&self) -> &str {
        LocalQueue::name(self)
    }

    fn largest_receive(&self) -> ReceiveOptions {
        let limits = &self.cell.engine.limits;
        ReceiveOptions::up_to(limits.receive_max).wait_time(limits.wait_max)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.cell.engine.timeline.as_clock()
    }

    async fn send_batch(&self, entries: Entries<SendMessage>) -> Result<Outcomes<Sent>> {
        LocalQueue::send_batch(self, entries).await
    }

    // Without a future around the future: as it is, it fits where allocators are quick.
    fn receive<'life0, 'async_trait>(&'life0 self, options: ReceiveOptions) -> Receiving<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(LocalQueue::receive(self, options))
    }

    async fn delete_batch(&self, entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        LocalQueue::delete_batch(self, entries).await
    }

    async fn change_visibility_batch(
        &self,
        entries: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>> {
        LocalQueue::change_visibility_batch(self, entries).await
    }

    async fn dead_letter(&self, receipt: ReceiptHandle, reason: String) -> Result<DeadLettered> {
        LocalQueue::dead_letter(self, receipt, reason).await
    }

    async fn purge(&self) -> Result<()> {
        LocalQueue::purge(self).await
    }

    async fn attributes(&self) -> Result<QueueAttributes> {
        LocalQueue::attributes(self).await
    }

    async fn set_attributes(&self, change: QueueSettings) -> Result<()> {
        LocalQueue::set_attributes(self, change).await
    }
}
