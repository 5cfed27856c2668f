//! How a subscription is defined and changed; `stored` has how that is stored.

use super::{
    retry::{DeliveryPolicy, RetryPolicy},
    settings::Settings,
    stored::SubscriptionDefinition,
    subscription::{DeliveryOrder, Endpoint, SubscriptionSettings},
};
use crate::{
    error::{Error, Result},
    filter::{FilterPolicy, FilterScope},
    limits::Limits,
};

impl SubscriptionDefinition {
    pub(super) fn new(endpoint: Endpoint, now: u64) -> Self {
        Self {
            confirmed: !endpoint.needs_confirmation(),
            endpoint,
            created_at: now,
            raw_delivery: false,
            filter_scope: FilterScope::MessageAttributes,
            filter_policy: None,
            dead_letter: None,
            delivery_policy: None,
            push: None,
            replay: None,
        }
    }

    /// In which order a push subscriber is delivered to, if this is one.
    pub(super) fn push_order(&self, given: Option<DeliveryOrder>) -> Option<DeliveryOrder> {
        /// So many deliveries at once an endpoint gets by default.
        const AT_ONCE: u32 = 10;
        match self.endpoint {
            Endpoint::Queue(_) => None,
            Endpoint::Handler(_) => Some(given.unwrap_or(DeliveryOrder::InOrder)),
            Endpoint::Push { .. } => Some(given.unwrap_or(DeliveryOrder::Independent(AT_ONCE))),
        }
    }

    /// Changes what is given, if it goes together.
    pub(super) fn change(&mut self, change: &SubscriptionSettings, limits: &Limits) -> Result<()> {
        self.raw_delivery = change.raw_delivery.unwrap_or(self.raw_delivery);
        let scope = change.filter_scope.unwrap_or(self.filter_scope);
        let text = match &change.filter_policy {
            Some(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            None => self.filter_policy.as_ref().map(FilterPolicy::as_str),
        };
        let parse = |text| FilterPolicy::parse_with(text, scope, &limits.topics.filter);
        self.filter_policy = text.map(parse).transpose().map_err(Error::InvalidFilterPolicy)?;
        self.filter_scope = scope;
        if let Some(name) = &change.dead_letter {
            self.dead_letter = Some(name.clone()).filter(|name| !name.is_empty());
        }
        if let Some(policy) = &change.delivery_policy {
            policy.check(limits)?;
            self.delivery_policy = Some(policy.clone());
        }
        Ok(())
    }

    /// The delivery policy that holds (rule N52).
    pub(crate) fn effective_policy(&self, topic: &Settings) -> DeliveryPolicy {
        let own = self.delivery_policy.as_ref().filter(|_| !topic.disable_subscription_overrides);
        own.or(topic.delivery_policy.as_ref()).cloned().unwrap_or_else(|| {
            DeliveryPolicy::new(match self.endpoint.protocol() {
                "http" | "https" => RetryPolicy::http(),
                "email" | "email-json" | "sms" | "application" => RetryPolicy::customer_managed(),
                _ => RetryPolicy::aws_managed(),
            })
        })
    }
}
