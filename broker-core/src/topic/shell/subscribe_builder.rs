//! A subscription about to be made, and what should differ from the defaults.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::LocalTopic;
use crate::{
    error::Result,
    topic::{
        retry::DeliveryPolicy,
        subscription::{DeliveryOrder, Endpoint, Subscribed, SubscriptionSettings},
    },
};

/// A subscription about to be made: see [`LocalTopic::subscribe`]. Await it, after setting what should differ from the
/// defaults.
#[must_use = "a builder does nothing until it is awaited"]
pub struct SubscribeBuilder {
    topic: LocalTopic,
    endpoint: Endpoint,
    settings: SubscriptionSettings,
}

impl SubscribeBuilder {
    pub(super) fn new(topic: LocalTopic, endpoint: Endpoint) -> Self {
        Self { topic, endpoint, settings: SubscriptionSettings::new() }
    }

    /// All settings at once, in place of those given before.
    pub fn settings(self, settings: SubscriptionSettings) -> Self {
        Self { settings, ..self }
    }

    /// Messages come as they were published, with their attributes, instead of in a JSON envelope.
    pub fn raw_delivery(self, raw: bool) -> Self {
        Self { settings: self.settings.raw_delivery(raw), ..self }
    }

    /// Only messages whose attributes match this policy.
    pub fn filter_attributes(self, policy: impl std::fmt::Display) -> Self {
        Self { settings: self.settings.filter_attributes(policy), ..self }
    }

    /// Only messages whose body, which is JSON, matches this policy.
    pub fn filter_body(self, policy: impl std::fmt::Display) -> Self {
        Self { settings: self.settings.filter_body(policy), ..self }
    }

    /// What cannot be delivered goes to this queue.
    pub fn dead_letter(self, queue: impl Into<String>) -> Self {
        Self { settings: self.settings.dead_letter(queue), ..self }
    }

    /// How a push subscriber is delivered to.
    pub fn delivery_policy(self, policy: DeliveryPolicy) -> Self {
        Self { settings: self.settings.delivery_policy(policy), ..self }
    }

    /// In which order a push subscriber is delivered to.
    pub fn order(self, order: DeliveryOrder) -> Self {
        Self { settings: self.settings.order(order), ..self }
    }
}

impl IntoFuture for SubscribeBuilder {
    type Output = Result<Subscribed>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.topic.create_subscription(self.endpoint, &self.settings).await })
    }
}
