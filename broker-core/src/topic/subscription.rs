//! Subscriptions: who gets what is published, in which form, and what happens if that does not work.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{replay::ReplayInfo, retry::DeliveryPolicy};
use crate::{
    clock::Timestamp,
    filter::{FilterPolicy, FilterScope},
    ids::{MessageId, Seed},
    queue::LocalQueue,
};

/// Where the messages of a subscription go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A queue of this broker, by its name. It need not exist: while it does not, messages go to the subscription's
    /// dead-letter queue, or nowhere (rules N15, N54).
    Queue(String),
    /// A handler in this process, by a name of its own. Its messages wait until it is attached.
    Handler(String),
    /// Something that a [`Deliver`](crate::Deliver) of a protocol reaches: its messages wait as those of a handler do.
    Push {
        /// The protocol: `http`, `https`, `lambda`, `email`, `email-json`, `sms`, `application` or `firehose`.
        protocol: String,
        /// The address in that protocol, 1 to 2,048 bytes.
        address: String,
    },
}

impl Endpoint {
    /// A queue of this broker.
    pub fn queue(name: impl Into<String>) -> Self {
        Self::Queue(name.into())
    }

    /// A handler in this process.
    pub fn handler(name: impl Into<String>) -> Self {
        Self::Handler(name.into())
    }

    /// An endpoint of a protocol.
    pub fn push(protocol: impl Into<String>, address: impl Into<String>) -> Self {
        Self::Push { protocol: protocol.into(), address: address.into() }
    }

    /// The protocol: that of a queue is `sqs`.
    pub fn protocol(&self) -> &str {
        match self {
            Self::Queue(_) => "sqs",
            Self::Handler(_) => "handler",
            Self::Push { protocol, .. } => protocol,
        }
    }

    /// The name or address.
    pub fn address(&self) -> &str {
        match self {
            Self::Queue(name) | Self::Handler(name) => name,
            Self::Push { address, .. } => address,
        }
    }

    /// Whether somebody has to say yes before it gets anything (rule N11).
    pub(crate) fn needs_confirmation(&self) -> bool {
        let own = ["lambda", "firehose", "application", "sms"];
        matches!(self, Self::Push { protocol, .. } if !own.contains(&protocol.as_str()))
    }
}

impl From<&LocalQueue> for Endpoint {
    fn from(queue: &LocalQueue) -> Self {
        Self::queue(queue.name())
    }
}

/// The id of a subscription: a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(MessageId);

impl SubscriptionId {
    pub(crate) fn new(seed: Seed, topic: u64, number: u64) -> Self {
        Self(MessageId::new(seed, topic, number))
    }

    /// The number of the subscription, if it is one of this topic.
    pub(crate) fn open(self, seed: Seed, topic: u64) -> Option<u64> {
        let (of, number) = self.0.origin(seed);
        (of == topic).then_some(number)
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for SubscriptionId {
    type Err = crate::ParseMessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// In which order a push subscriber is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOrder {
    /// One message at a time, the oldest first: what keeps failing holds up what is behind it, until its retries are used
    /// up. After an outage everything comes in order.
    InOrder,
    /// Up to so many at once, 1 to 1,000, each with retries of its own, as SNS does: what fails holds up nothing, and
    /// comes later than what was published after it.
    Independent(u32),
}

/// Settings to subscribe with, or to change on a subscription. What is `None` stays as it is, or takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// Whether messages come as they were published, with their attributes, instead of in a JSON envelope; by default not.
    /// Handlers get the parts of the envelope as such.
    pub raw_delivery: Option<bool>,
    /// Which messages are wanted, as a filter policy in JSON; an empty text: all of them, which is the default.
    pub filter_policy: Option<String>,
    /// What the filter policy looks at, by default the attributes.
    pub filter_scope: Option<FilterScope>,
    /// The queue that gets what cannot be delivered; an empty name: none, which is the default.
    pub dead_letter: Option<String>,
    /// How a push subscriber is delivered to, in place of the topic's policy.
    pub delivery_policy: Option<DeliveryPolicy>,
    /// In which order a push subscriber is delivered to: handlers in order by default, others 10 at once. Settled when
    /// it is subscribed.
    pub order: Option<DeliveryOrder>,
}

impl SubscriptionSettings {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`raw_delivery`](Self::raw_delivery).
    pub fn raw_delivery(self, raw: bool) -> Self {
        Self { raw_delivery: Some(raw), ..self }
    }

    /// Sets a [`filter_policy`](Self::filter_policy) over attributes.
    pub fn filter_attributes(self, policy: impl fmt::Display) -> Self {
        let (policy, scope) = (policy.to_string(), FilterScope::MessageAttributes);
        Self { filter_policy: Some(policy), filter_scope: Some(scope), ..self }
    }

    /// Sets a [`filter_policy`](Self::filter_policy) over the body, which is JSON.
    pub fn filter_body(self, policy: impl fmt::Display) -> Self {
        let (policy, scope) = (policy.to_string(), FilterScope::MessageBody);
        Self { filter_policy: Some(policy), filter_scope: Some(scope), ..self }
    }

    /// Sets [`dead_letter`](Self::dead_letter).
    pub fn dead_letter(self, queue: impl Into<String>) -> Self {
        Self { dead_letter: Some(queue.into()), ..self }
    }

    /// Sets [`delivery_policy`](Self::delivery_policy).
    pub fn delivery_policy(self, policy: DeliveryPolicy) -> Self {
        Self { delivery_policy: Some(policy), ..self }
    }

    /// Sets [`order`](Self::order).
    pub fn order(self, order: DeliveryOrder) -> Self {
        Self { order: Some(order), ..self }
    }
}

/// What a subscribe came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The subscription's id: that of the one there is, if it was there already.
    pub id: SubscriptionId,
    /// What somebody has to give to [`LocalTopic::confirm_subscription`](crate::LocalTopic::confirm_subscription), for two
    /// days, before anything is delivered; `None` if the subscription is confirmed.
    pub token: Option<String>,
}

/// How long the token of a subscription is taken (rule N11).
pub(crate) const TOKEN_VALID: Duration = Duration::from_secs(2 * 86_400);

/// A subscription described.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionInfo {
    /// Its id.
    pub id: SubscriptionId,
    /// The topic's name.
    pub topic: String,
    /// Where its messages go.
    pub endpoint: Endpoint,
    /// Whether it gets messages, as far as confirmation is concerned.
    pub confirmed: bool,
    /// When it was subscribed.
    pub created_at: Timestamp,
    /// Whether messages come as they were published.
    pub raw_delivery: bool,
    /// Which messages it gets, if not all.
    pub filter_policy: Option<FilterPolicy>,
    /// The queue that gets what cannot be delivered.
    pub dead_letter: Option<String>,
    /// Its own delivery policy.
    pub delivery_policy: Option<DeliveryPolicy>,
    /// The delivery policy that holds, if it is a push subscriber (rule N52).
    pub effective_delivery_policy: Option<DeliveryPolicy>,
    /// In which order it is delivered to, if it is a push subscriber.
    pub order: Option<DeliveryOrder>,
    /// Its last replay.
    pub replay: Option<ReplayInfo>,
    /// What became of its messages.
    pub counters: SubscriptionCounters,
}

/// What became of the messages of a subscription since the broker was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubscriptionCounters {
    /// Delivered, or stored in its queue.
    pub delivered: u64,
    /// Not wanted by its filter policy.
    pub filtered_out: u64,
    /// Not deliverable, and moved to its dead-letter queue.
    pub dead_lettered: u64,
    /// Not deliverable, and there is no dead-letter queue.
    pub dropped: u64,
    /// A push subscriber's messages that wait to be delivered, or delivered again.
    pub waiting: u64,
}
