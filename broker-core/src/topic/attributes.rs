//! A topic described.

use std::collections::BTreeMap;

use super::{
    retry::DeliveryPolicy,
    settings::{ArchivePolicy, FifoThroughputScope},
};
use crate::{clock::Timestamp, storage::Durability};

/// A topic described: its settings, times, tags and counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicAttributes {
    /// The topic's name.
    pub name: String,
    /// A name to show.
    pub display_name: String,
    /// The largest message in bytes, attributes included.
    pub max_message_size: usize,
    /// What a publish survives before it is answered.
    pub durability: Durability,
    /// Whether it is FIFO. What follows up to the archive policy means nothing if it is not.
    pub fifo: bool,
    /// Whether the SHA-256 of the body is the deduplication id of a message that has none.
    pub content_based_deduplication: bool,
    /// Among which messages a deduplication id counts as the same.
    pub fifo_throughput_scope: FifoThroughputScope,
    /// Whether messages are kept, so that they can be replayed.
    pub archive_policy: ArchivePolicy,
    /// How push subscribers are delivered to that have no policy of their own.
    pub delivery_policy: Option<DeliveryPolicy>,
    /// The same, with what holds for HTTP endpoints if nothing is set (rule N52).
    pub effective_delivery_policy: DeliveryPolicy,
    /// Whether that holds also for subscribers with a policy of their own.
    pub disable_subscription_overrides: bool,
    /// When the topic was created.
    pub created_at: Timestamp,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Subscriptions that get messages, as far as confirmation is concerned.
    pub subscriptions_confirmed: usize,
    /// Subscriptions that wait to be confirmed.
    pub subscriptions_pending: usize,
}
