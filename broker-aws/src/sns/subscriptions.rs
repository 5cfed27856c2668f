//! Subscribing, confirming, listing and unsubscribing (rules N10 to N15).

use broker_core::{Endpoint, Error, LocalTopic, SubscriptionInfo};

use super::{
    desk::Desk,
    errors::{self, Via},
    extras::Owner,
    http::{Confirmation, HttpDelivery, Kind, endpoint_url},
    shapes::{
        ConfirmSubscriptionInput, ListInput, ListSubscriptionsByTopicInput, ListSubscriptionsResponse,
        SubscribeInput, SubscribeResponse, Subscription, SubscriptionInput, Texts,
    },
    subscription_attributes::{AUTHENTICATE, AUTHENTICATED, Given, ReplayWish, replay_error},
    target::SubscriptionName,
    topics::{PAGE, TOPIC_ARN, after},
};
use crate::{
    call::Context,
    wire::{
        error::{WireError, WireResult},
        token::{self, Paged},
    },
};

/// What stands for the ARN of a subscription that waits to be confirmed: in the answer to Subscribe, and in lists.
const PENDING: &str = "pending confirmation";
const PENDING_LISTED: &str = "PendingConfirmation";
/// The digits of a token of ours are those of hexadecimal numbers, and at least so many.
const TOKEN_DIGITS_MIN: usize = 32;

pub(super) async fn subscribe(
    desk: &Desk,
    context: &Context,
    input: SubscribeInput,
) -> WireResult<SubscribeResponse> {
    let topic = desk.topic(input.topic_arn.as_deref(), TOPIC_ARN).await?;
    let protocol = input.protocol.ok_or_else(|| errors::missing("protocol"))?;
    let address = input.endpoint.filter(|address| !address.is_empty());
    let address = address.ok_or_else(|| errors::invalid("Endpoint"))?;
    let endpoint = desk.endpoint(&protocol, &address)?;
    let given = desk.read_all(input.attributes.unwrap_or_default())?;
    let _change = desk.changes.lock().await;
    let there = existing(&topic, &endpoint, &given).await?;
    if let Some(there) = &there {
        check_same(desk, there, &given)?;
    }
    let subscribed = topic.create_subscription(endpoint.clone(), &given.settings).await;
    let subscribed = subscribed.map_err(|error| endpoint_error(&error))?;
    if there.is_none() {
        let owner = Owner::Subscription(topic.name().to_owned(), subscribed.id);
        let extras = &desk.names.extras;
        extras
            .change(&desk.broker, owner, given.extras)
            .await
            .map_err(|error| errors::from_broker(&error))?;
        if let ReplayWish::Start(replay) = given.replay {
            let started = topic.start_replay(subscribed.id, replay).await;
            started.map_err(|error| replay_error(&error, Via::Creation))?;
        }
    }
    desk.expect_signatures(&topic, given.settings.raw_delivery == Some(true));
    desk.attach(&topic, subscribed.id, &endpoint).await.map_err(|error| errors::from_broker(&error))?;
    let name = SubscriptionName { topic: topic.name().to_owned(), id: subscribed.id };
    let arn = desk.subscription_arn(&name.topic, name.id);
    let Some(token) = subscribed.token else { return Ok(SubscribeResponse { subscription_arn: arn }) };
    desk.ask(context, Kind::Subscribe, &name, &endpoint, token);
    let shown = input.return_subscription_arn == Some(true);
    Ok(SubscribeResponse { subscription_arn: if shown { arn } else { PENDING.into() } })
}

/// The subscription of this endpoint, if there is one and it has to be compared.
async fn existing(
    topic: &LocalTopic,
    endpoint: &Endpoint,
    given: &Given,
) -> WireResult<Option<SubscriptionInfo>> {
    if given.extras.is_empty() && given.replay == ReplayWish::Nothing {
        return Ok(None);
    }
    let all = topic.subscriptions().await.map_err(|error| errors::from_broker(&error))?;
    Ok(all.into_iter().find(|one| one.endpoint == *endpoint))
}

/// Refuses attributes that the broker does not compare and that the subscription has with other values (rule N13).
fn check_same(desk: &Desk, there: &SubscriptionInfo, given: &Given) -> WireResult<()> {
    let extras = desk.names.extras.of(&Owner::Subscription(there.topic.clone(), there.id));
    let same = |(name, value): (&String, &String)| extras.get(name).map_or("", String::as_str) == value;
    let replay = there.replay.as_ref().map_or(ReplayWish::Stop, |replay| ReplayWish::Start(replay.replay));
    if given.extras.iter().all(same) && [ReplayWish::Nothing, replay].contains(&given.replay) {
        return Ok(());
    }
    let reason = "Subscription already exists with different attributes";
    Err(errors::invalid(format!("Attributes Reason: {reason}")))
}

/// A refused subscribe: the only name in it is that of the queue.
fn endpoint_error(error: &Error) -> WireError {
    match error {
        Error::InvalidParameter { field: "name", .. } => errors::invalid("SQS endpoint ARN"),
        error => Via::Creation.refused(error),
    }
}

impl Desk {
    /// The endpoint that a client means by protocol and address (rules N10, N15).
    fn endpoint(&self, protocol: &str, address: &str) -> WireResult<Endpoint> {
        match protocol {
            "sqs" => {
                if crate::wire::arn::Arn::parse(address).is_none_or(|arn| arn.service != "sqs") {
                    return Err(errors::invalid("SQS endpoint ARN"));
                }
                let elsewhere = "Endpoint Reason: the queue must be in the account and region of the topic";
                let name = self.queue_name(address).ok_or_else(|| errors::invalid(elsewhere))?;
                return Ok(Endpoint::queue(name));
            }
            "http" | "https" => {
                let url = endpoint_url(protocol, address)
                    .ok_or_else(|| errors::invalid("Endpoint must match the specified protocol"))?;
                let host = url.host().unwrap_or_default();
                check_host(self.http.as_deref(), host)?;
            }
            "sms" if !is_phone_number(address) => {
                return Err(errors::plain_invalid(format!("Invalid SMS endpoint: {address}")));
            }
            _ => {}
        }
        Ok(Endpoint::push(protocol, address))
    }

    /// Sends a message that asks the endpoint to confirm something, if it is one that requests can go to.
    fn ask(
        &self,
        context: &Context,
        kind: Kind,
        name: &SubscriptionName,
        endpoint: &Endpoint,
        token: String,
    ) {
        let Some(http) = &self.http else { return };
        let Some(url) = endpoint_url(endpoint.protocol(), endpoint.address()) else { return };
        let confirmation = Confirmation {
            kind,
            topic: name.topic.clone(),
            topic_arn: self.topic_arn(&name.topic),
            subscription_arn: self.subscription_arn(&name.topic, name.id),
            url,
            token,
            message_id: context.request_id.clone(),
            at: self.broker.now(),
        };
        self.errand(confirmation.send(http.clone(), self.names.clone()));
    }
}

/// Refuses a host that requests may not go to.
fn check_host(http: Option<&HttpDelivery>, host: &str) -> WireResult<()> {
    match http {
        None => {
            let reason = "this service delivers to no HTTP endpoints unless it is allowed to";
            Err(errors::not_authorized(format!("Not authorized to subscribe {host}: {reason}")))
        }
        Some(http) if !http.hosts.allow(host) => {
            let reason = "this service delivers to loopback and to the hosts that it was given only";
            Err(errors::not_authorized(format!("Not authorized to subscribe {host}: {reason}")))
        }
        Some(_) => Ok(()),
    }
}

/// Whether a text is a number in the form of E.164, with a plus or without.
fn is_phone_number(text: &str) -> bool {
    /// The most digits of such a number.
    const DIGITS_MAX: usize = 15;
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

pub(super) async fn confirm(
    desk: &Desk,
    context: &Context,
    input: ConfirmSubscriptionInput,
) -> WireResult<SubscribeResponse> {
    let no_such_token = || errors::invalid("Token");
    let topic = desk.topic_name(input.topic_arn.as_deref(), TOPIC_ARN);
    let topic = topic.map_err(|error| if error.status == 404 { no_such_token() } else { error })?;
    let token = input.token.ok_or_else(|| errors::missing("token"))?;
    if token.len() < TOKEN_DIGITS_MIN || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(errors::plain_invalid("Invalid token"));
    }
    let topic = desk.broker.open_topic(topic).await.map_err(|_| no_such_token())?;
    let _change = desk.changes.lock().await;
    let id = topic.confirm_subscription(&token).await.map_err(|error| match error {
        Error::InvalidParameter { field: "token", .. } | Error::TopicDoesNotExist { .. } => no_such_token(),
        error => errors::from_broker(&error),
    })?;
    let mut extras = Texts::new();
    if context.origin.signed {
        extras.insert(AUTHENTICATED.into(), "true".into());
        let authenticate =
            input.authenticate_on_unsubscribe.is_some_and(|it| it.eq_ignore_ascii_case("true"));
        extras.insert(AUTHENTICATE.into(), if authenticate { "true".into() } else { String::new() });
    }
    let owner = Owner::Subscription(topic.name().to_owned(), id);
    let changed = desk.names.extras.change(&desk.broker, owner, extras).await;
    changed.map_err(|error| errors::from_broker(&error))?;
    Ok(SubscribeResponse { subscription_arn: desk.subscription_arn(topic.name(), id) })
}

pub(super) async fn unsubscribe(desk: &Desk, context: &Context, input: SubscriptionInput) -> WireResult<()> {
    let name = match desk.subscription_name(input.subscription_arn.as_deref()) {
        Ok(name) => name,
        // One that does not exist is no error (rule N14).
        Err(error) if error.status == 404 => return Ok(()),
        Err(error) => return Err(error),
    };
    let _change = desk.changes.lock().await;
    let Ok(topic) = desk.broker.open_topic(&name.topic).await else { return Ok(()) };
    let Ok(info) = topic.subscription(name.id).await else { return Ok(()) };
    let owner = Owner::Subscription(name.topic.clone(), name.id);
    if desk.names.extras.get(&owner, AUTHENTICATE).is_some() && !context.origin.signed {
        return Err(errors::not_authorized("The subscription can be ended by a signed request only"));
    }
    let refused = |error| errors::from_broker(&error);
    topic.unsubscribe(name.id).await.map_err(refused)?;
    desk.detach(&name.topic, name.id);
    desk.names.extras.remove(&desk.broker, owner).await.map_err(refused)?;
    if info.confirmed {
        // The token of nothing: the subscription is gone for good.
        let token = "0".repeat(TOKEN_DIGITS_MIN);
        desk.ask(context, Kind::Unsubscribe, &name, &info.endpoint, token);
    }
    Ok(())
}

/// The endpoint as clients know it.
pub(super) fn endpoint_of(desk: &Desk, info: &SubscriptionInfo) -> String {
    match &info.endpoint {
        Endpoint::Queue(name) => desk.queue_arn(name),
        endpoint => endpoint.address().to_owned(),
    }
}

fn page(
    desk: &Desk,
    all: Vec<SubscriptionInfo>,
    next_token: Option<&str>,
) -> WireResult<ListSubscriptionsResponse> {
    let after = after(next_token)?;
    let key = |one: &SubscriptionInfo| format!("{}:{}", one.topic, one.id);
    let mut all = all;
    all.sort_by_cached_key(key);
    let Paged { items, next } = token::page(all, after.as_deref(), PAGE, key);
    let listed = |one: &SubscriptionInfo| Subscription {
        arn: if one.confirmed {
            desk.subscription_arn(&one.topic, one.id)
        } else {
            PENDING_LISTED.to_owned()
        },
        owner: desk.names.realm.account().to_owned(),
        protocol: one.endpoint.protocol().to_owned(),
        endpoint: endpoint_of(desk, one),
        topic_arn: desk.topic_arn(&one.topic),
    };
    Ok(ListSubscriptionsResponse { subscriptions: items.iter().map(listed).collect(), next_token: next })
}

pub(super) async fn list(desk: &Desk, input: ListInput) -> WireResult<ListSubscriptionsResponse> {
    let mut all = Vec::new();
    for name in desk.broker.list_topics() {
        // A topic that is gone meanwhile has none.
        let Ok(topic) = desk.broker.open_topic(&name).await else { continue };
        all.extend(topic.subscriptions().await.unwrap_or_default());
    }
    page(desk, all, input.next_token.as_deref())
}

pub(super) async fn list_by_topic(
    desk: &Desk,
    input: ListSubscriptionsByTopicInput,
) -> WireResult<ListSubscriptionsResponse> {
    let topic = desk.topic(input.topic_arn.as_deref(), TOPIC_ARN).await?;
    let all = topic.subscriptions().await.map_err(|error| errors::from_broker(&error))?;
    page(desk, all, input.next_token.as_deref())
}
