//! Topics: the trait, and the topic of this broker.
//!
//! | file | what it is for |
//! |---|---|
//! | `settings`, `subscription`, `retry`, `replay` | what a topic and its subscriptions are told once |
//! | `message`, `notification`, `envelope` | what goes in, and what comes out in which form |
//! | `attributes` | a topic described |
//! | `check`, `limits` | what is refused |
//! | `definition`, `stored` | subscriptions and topics as they are kept |
//! | `state` | the decisions, pure |
//! | `backlog` | where the messages of push subscribers wait |
//! | `recovery` | from what is stored to the topics in memory |
//! | `shell` | the asynchronous operations of [`LocalTopic`] |
//!
//! Which messages a subscription wants is decided in [`filter`](crate::filter).

pub(crate) mod attributes;
pub(crate) mod backlog;
pub(crate) mod check;
mod definition;
pub(crate) mod envelope;
mod limits;
pub(crate) mod message;
pub(crate) mod notification;
pub(crate) mod recovery;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod state;
pub(crate) mod stored;
pub(crate) mod subscription;

use async_trait::async_trait;
pub use limits::TopicLimits;
pub use shell::LocalTopic;

use self::message::{PublishMessage, Published};
use crate::{
    error::Result,
    queue::entries::{Entries, Outcomes},
};

/// A topic, wherever it is: what code that publishes to any topic asks for.
///
/// Implementors owe: what was accepted is delivered to every subscription whose filter wanted it at that moment, at least
/// once, and does not wait for any of them. An error says whether something happened
/// ([`Error::certainty`](crate::Error::certainty)).
#[async_trait]
pub trait Topic: Send + Sync + 'static {
    /// The topic's name.
    fn name(&self) -> &str;

    /// Publishes messages in one commit: see [`LocalTopic::publish_batch`].
    async fn publish_batch(&self, entries: Entries<PublishMessage>) -> Result<Outcomes<Published>>;
}

#[async_trait]
impl Topic for LocalTopic {
    fn name(&self) -> &str {
        LocalTopic::name(self)
    }

    async fn publish_batch(&self, entries: Entries<PublishMessage>) -> Result<Outcomes<Published>> {
        LocalTopic::publish_batch(self, entries).await
    }
}
