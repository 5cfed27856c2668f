//! The attributes of subscriptions: from texts to the broker's settings, and back (rules N16, N17, N55, N84).

use broker_core::{
    DeliveryPolicy, FilterScope, Replay, ReplayStatus, SubscriptionInfo, SubscriptionSettings,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    desk::Desk,
    errors::{self, Via},
    extras::Owner,
    policy,
    shapes::{AttributesResponse, SetSubscriptionAttributesInput, SubscriptionInput, Texts},
    subscriptions::endpoint_of,
    topic_attributes::flag,
};
use crate::wire::{error::WireResult, queue_url::queue_in_path};

/// Whether the subscription can be ended with a signature only.
pub(super) const AUTHENTICATE: &str = "AuthenticateOnUnsubscribe";
/// Whether the request that confirmed it was signed.
pub(super) const AUTHENTICATED: &str = "ConfirmationWasAuthenticated";
const ROLE: &str = "SubscriptionRoleArn";

/// What the attributes of a subscription say.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// To the broker.
    pub(super) settings: SubscriptionSettings,
    pub(super) replay: ReplayWish,
    /// What the broker has no use for.
    pub(super) extras: Texts,
}

/// What is said of a replay.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplayWish {
    #[default]
    Nothing,
    /// To begin with this one.
    Start(Replay),
    /// To give up what there is.
    Stop,
}

impl Desk {
    /// Reads the attributes that a subscription is made with.
    pub(super) fn read_all(&self, attributes: Texts) -> WireResult<Given> {
        let mut given = Given::default();
        for (name, value) in attributes {
            self.read_one(&mut given, &name, value, Via::Creation)?;
        }
        Ok(given)
    }

    fn read_one(&self, given: &mut Given, name: &str, value: String, via: Via) -> WireResult<()> {
        let settings = &mut given.settings;
        match name {
            "DeliveryPolicy" => {
                settings.delivery_policy = Some(policy::delivery_of_subscription(&value, via)?);
            }
            "FilterPolicy" => settings.filter_policy = Some(value),
            "FilterPolicyScope" => {
                settings.filter_scope = Some(match value.as_str() {
                    "MessageAttributes" => FilterScope::MessageAttributes,
                    "MessageBody" => FilterScope::MessageBody,
                    _ => {
                        let allowed = "Please use either MessageBody or MessageAttributes";
                        return Err(via.invalid(format!("{name}: Invalid value [{value}]. {allowed}")));
                    }
                });
            }
            "RawMessageDelivery" => settings.raw_delivery = Some(flag(name, &value, via)?),
            "RedrivePolicy" => settings.dead_letter = Some(self.dead_letter(&value, via)?),
            "ReplayPolicy" => {
                given.replay = policy::replay(&value, via)?.map_or(ReplayWish::Stop, ReplayWish::Start);
            }
            ROLE => drop(given.extras.insert(name.to_owned(), value)),
            _ => return Err(via.invalid("AttributeName")),
        }
        Ok(())
    }

    /// The queue that a redrive policy names. An empty text: none.
    fn dead_letter(&self, text: &str, via: Via) -> WireResult<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Document {
            #[serde(default)]
            dead_letter_target_arn: String,
        }
        if text.is_empty() {
            return Ok(String::new());
        }
        let Document { dead_letter_target_arn: arn } = policy::read("RedrivePolicy", text, via)?;
        let name = self.queue_name(&arn).filter(|name| is_queue_name(name));
        let invalid = || via.invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn");
        name.map(str::to_owned).ok_or_else(invalid)
    }
}

/// Whether a queue could have this name: it could stand in a queue URL, and be created.
fn is_queue_name(name: &str) -> bool {
    /// The longest name of a queue.
    const CHARS_MAX: usize = 80;
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let path = format!("/000000000000/{name}");
    queue_in_path(&path).is_some() && name.len() <= CHARS_MAX && !stem.is_empty() && stem.bytes().all(allowed)
}

pub(super) async fn get(desk: &Desk, input: SubscriptionInput) -> WireResult<AttributesResponse> {
    let arn = input.subscription_arn.as_deref();
    let name = desk.subscription_name(arn)?;
    let refused = |error| subscription_error(&error);
    let topic = desk.broker.open_topic(&name.topic).await.map_err(refused)?;
    let info = topic.subscription(name.id).await.map_err(refused)?;
    Ok(AttributesResponse { attributes: show(desk, &info) })
}

/// With its topic, a subscription is gone.
fn subscription_error(error: &broker_core::Error) -> crate::wire::error::WireError {
    match error {
        broker_core::Error::TopicDoesNotExist { .. } => errors::no_subscription(),
        error => Via::Change.refused(error),
    }
}

/// A subscription's attributes as SNS shows them.
fn show(desk: &Desk, info: &SubscriptionInfo) -> Texts {
    let realm = &desk.names.realm;
    let owner = Owner::Subscription(info.topic.clone(), info.id);
    let mut shown = desk.names.extras.of(&owner);
    shown.remove(AUTHENTICATE);
    let mut put = |name: &str, value: String| {
        shown.entry(name.to_owned()).or_insert(value);
    };
    put("SubscriptionArn", desk.subscription_arn(&info.topic, info.id));
    put("TopicArn", desk.topic_arn(&info.topic));
    put("Owner", realm.account().to_owned());
    put("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", realm.account()));
    put("Protocol", info.endpoint.protocol().to_owned());
    put("Endpoint", endpoint_of(desk, info));
    put("PendingConfirmation", (!info.confirmed).to_string());
    // What nobody had to confirm counts as confirmed by its owner.
    let by_owner = info.confirmed && !asks_its_endpoint(info);
    put(AUTHENTICATED, by_owner.to_string());
    put("RawMessageDelivery", info.raw_delivery.to_string());
    if let Some(policy) = &info.filter_policy {
        put("FilterPolicy", policy.as_str().to_owned());
        put("FilterPolicyScope", policy.scope().to_string());
    }
    if let Some(name) = &info.dead_letter {
        put("RedrivePolicy", json!({ "deadLetterTargetArn": desk.queue_arn(name) }).to_string());
    }
    if let Some(policy) = info.delivery_policy.as_ref().filter(|own| **own != DeliveryPolicy::http()) {
        put("DeliveryPolicy", policy::show_of_subscription(policy));
    }
    let http = matches!(info.endpoint.protocol(), "http" | "https");
    if let Some(policy) = info.effective_delivery_policy.as_ref().filter(|_| http) {
        put("EffectiveDeliveryPolicy", policy::show_of_subscription(policy));
    }
    if let Some(replay) = &info.replay {
        put("ReplayPolicy", policy::show_replay(&replay.replay));
        let status = match replay.status {
            ReplayStatus::Pending => "Pending",
            ReplayStatus::InProgress => "In progress",
            ReplayStatus::Completed => "Completed",
            ReplayStatus::Failed(_) => "Failed",
        };
        put("ReplayStatus", status.into());
    }
    shown
}

/// Whether the endpoint has to say yes (rule N11).
fn asks_its_endpoint(info: &SubscriptionInfo) -> bool {
    matches!(info.endpoint.protocol(), "http" | "https" | "email" | "email-json")
}

pub(super) async fn set(desk: &Desk, input: SetSubscriptionAttributesInput) -> WireResult<()> {
    let name = input.attribute_name.ok_or_else(|| errors::missing("attributeName"))?;
    let subscription = desk.subscription_name(input.subscription_arn.as_deref())?;
    let topic = desk.broker.open_topic(&subscription.topic).await;
    let topic = topic.map_err(|error| subscription_error(&error))?;
    // A missing subscription is told before a bad attribute.
    topic.subscription(subscription.id).await.map_err(|error| subscription_error(&error))?;
    let mut given = Given::default();
    desk.read_one(&mut given, &name, input.attribute_value.unwrap_or_default(), Via::Change)?;
    let _change = desk.changes.lock().await;
    let refused = |error| subscription_error(&error);
    topic.set_subscription(subscription.id, &given.settings).await.map_err(refused)?;
    if given.settings.raw_delivery == Some(false) {
        desk.expect_signatures(&topic, false);
    }
    match given.replay {
        ReplayWish::Nothing => Ok(()),
        ReplayWish::Start(replay) => topic.start_replay(subscription.id, replay).await,
        ReplayWish::Stop => topic.stop_replay(subscription.id).await,
    }
    .map_err(|error| replay_error(&error, Via::Change))?;
    let owner = Owner::Subscription(subscription.topic, subscription.id);
    desk.names
        .extras
        .change(&desk.broker, owner, given.extras)
        .await
        .map_err(|error| errors::from_broker(&error))
}

/// Why there is no replay.
pub(super) fn replay_error(error: &broker_core::Error, via: Via) -> crate::wire::error::WireError {
    match error {
        broker_core::Error::InvalidState { reason, .. } => via.invalid(format!("ReplayPolicy: {reason}")),
        error => via.refused(error),
    }
}
