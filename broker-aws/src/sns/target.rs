//! From ARNs to topics and subscriptions of a realm (rule N4).

use broker_core::{LocalTopic, SubscriptionId};

use super::{desk::Desk, errors};
use crate::wire::{
    arn::{Arn, arn},
    error::WireResult,
};

/// The parts that an ARN has at least.
const ARN_PARTS: usize = 6;

/// An ARN, taken apart. `parameter` is where it came from.
fn parse<'a>(text: &'a str, parameter: &str) -> WireResult<Arn<'a>> {
    let parts = text.split(':').count();
    if parts < ARN_PARTS {
        let reason = format!("An ARN must have at least {ARN_PARTS} elements, not {parts}");
        return Err(errors::invalid(format!("{parameter} Reason: {reason}")));
    }
    Arn::parse(text).ok_or_else(|| errors::invalid(parameter))
}

/// A subscription of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubscriptionName {
    pub(super) topic: String,
    pub(super) id: SubscriptionId,
}

impl Desk {
    /// The ARN of a topic.
    pub(super) fn topic_arn(&self, topic: &str) -> String {
        arn("sns", &self.names.realm, topic)
    }

    /// The ARN of a subscription.
    pub(super) fn subscription_arn(&self, topic: &str, id: SubscriptionId) -> String {
        arn("sns", &self.names.realm, &format!("{topic}:{id}"))
    }

    /// The name of the topic that an ARN is of; it need not exist.
    pub(super) fn topic_name<'a>(&self, arn: Option<&'a str>, parameter: &str) -> WireResult<&'a str> {
        let arn = parse(arn.unwrap_or_default(), parameter)?;
        let realm = &self.names.realm;
        if arn.service != "sns" || arn.region != realm.region() || arn.resource.contains(':') {
            return Err(errors::invalid(parameter));
        }
        if arn.account == realm.account() { Ok(arn.resource) } else { Err(errors::no_topic()) }
    }

    /// The topic that an ARN is of.
    pub(super) async fn topic(&self, arn: Option<&str>, parameter: &str) -> WireResult<LocalTopic> {
        let name = self.topic_name(arn, parameter)?;
        self.broker.open_topic(name).await.map_err(|error| errors::from_broker(&error))
    }

    /// The subscription that an ARN is of; it need not exist.
    pub(super) fn subscription_name(&self, arn: Option<&str>) -> WireResult<SubscriptionName> {
        const PARAMETER: &str = "SubscriptionArn";
        let text = arn
            .ok_or_else(|| errors::invalid(format!("{PARAMETER} Reason: no value for required parameter")))?;
        let arn = parse(text, PARAMETER)?;
        let Some((topic, id)) = arn.resource.split_once(':') else {
            return Err(errors::invalid("SubscriptionId"));
        };
        let id = id.parse().map_err(|_| errors::no_subscription())?;
        if arn.service != "sns" || !arn.is_in(&self.names.realm) {
            return Err(errors::no_subscription());
        }
        Ok(SubscriptionName { topic: topic.to_owned(), id })
    }

    /// The name of the queue of this realm that an ARN is of; it need not exist.
    pub(super) fn queue_name<'a>(&self, text: &'a str) -> Option<&'a str> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "sqs" && arn.is_in(&self.names.realm))?;
        Some(arn.resource)
    }

    /// The ARN of a queue.
    pub(super) fn queue_arn(&self, name: &str) -> String {
        arn("sqs", &self.names.realm, name)
    }
}
