//! Creating, describing, changing, listing and deleting topics (rules N1 to N6).

use std::collections::BTreeMap;

use super::{
    desk::Desk,
    errors::{self, Via},
    extras::Owner,
    shapes::{
        AttributesResponse, CreateTopicInput, CreateTopicResponse, ListInput, ListTopicsResponse,
        SetTopicAttributesInput, Tag, Topic, TopicInput,
    },
    tags::distinct,
    topic_attributes::{self, Given},
};
use crate::wire::{error::WireResult, token};

/// Topics and subscriptions of a page (rule N6).
pub(super) const PAGE: usize = 100;
/// The parameter that most operations name a topic with.
pub(super) const TOPIC_ARN: &str = "TopicArn";

/// Where a list goes on; nothing at its beginning.
pub(super) fn after(next_token: Option<&str>) -> WireResult<Option<String>> {
    let Some(token) = next_token.filter(|token| !token.is_empty()) else { return Ok(None) };
    token::decode(token).map(Some).ok_or_else(|| errors::invalid("NextToken"))
}

pub(super) async fn create(desk: &Desk, input: CreateTopicInput) -> WireResult<CreateTopicResponse> {
    let name = input.name.ok_or_else(|| errors::missing("name"))?;
    let mut given = topic_attributes::read_all(input.attributes.unwrap_or_default())?;
    if let Some(policy) = input.data_protection_policy {
        given.extras.insert(topic_attributes::DATA_PROTECTION.into(), policy);
    }
    let tags = distinct(input.tags.unwrap_or_default())?;
    let _change = desk.changes.lock().await;
    let exists = desk.broker.list_topics().binary_search(&name).is_ok();
    let owner = Owner::Topic(name.clone());
    let refused = |error| errors::from_broker(&error);
    if exists {
        check_same(desk, &owner, &given)?;
    } else {
        // What a topic of this name has left behind does not come back.
        desk.names.extras.remove_topic(&desk.broker, &name).await.map_err(refused)?;
    }
    let created = desk.broker.create_topic(&name, &given.settings, &tags).await;
    created.map_err(|error| Via::Creation.refused(&error))?;
    if !exists {
        desk.names.extras.change(&desk.broker, owner, given.extras).await.map_err(refused)?;
    }
    Ok(CreateTopicResponse { topic_arn: desk.topic_arn(&name) })
}

/// Refuses attributes that the topic has with other values (rule N2).
fn check_same(desk: &Desk, owner: &Owner, given: &Given) -> WireResult<()> {
    let there = desk.names.extras.of(owner);
    let same = |(name, value): (&String, &String)| there.get(name).map_or("", String::as_str) == value;
    if given.extras.iter().all(same) {
        return Ok(());
    }
    Err(errors::invalid("Attributes Reason: Topic already exists with different attributes"))
}

pub(super) async fn delete(desk: &Desk, input: TopicInput) -> WireResult<()> {
    let name = match desk.topic_name(input.topic_arn.as_deref(), TOPIC_ARN) {
        Ok(name) => name,
        // There is none of another account here, and a missing one is no error (rule N3).
        Err(error) if error.status == 404 => return Ok(()),
        Err(error) => return Err(error),
    };
    let _change = desk.changes.lock().await;
    let refused = |error| errors::from_broker(&error);
    desk.broker.delete_topic(name).await.map_err(refused)?;
    desk.detach_topic(name);
    desk.names.extras.remove_topic(&desk.broker, name).await.map_err(refused)
}

pub(super) async fn get_attributes(desk: &Desk, input: TopicInput) -> WireResult<AttributesResponse> {
    let topic = desk.topic(input.topic_arn.as_deref(), TOPIC_ARN).await?;
    let attributes = topic.attributes().await.map_err(|error| errors::from_broker(&error))?;
    let extras = desk.names.extras.of(&Owner::Topic(topic.name().to_owned()));
    let (arn, account) = (desk.topic_arn(topic.name()), desk.names.realm.account());
    Ok(AttributesResponse { attributes: topic_attributes::show(&attributes, &arn, account, extras) })
}

pub(super) async fn set_attributes(desk: &Desk, input: SetTopicAttributesInput) -> WireResult<()> {
    let name = input.attribute_name.ok_or_else(|| errors::missing("attributeName"))?;
    let topic = desk.topic(input.topic_arn.as_deref(), TOPIC_ARN).await?;
    let given = topic_attributes::read_one(&name, input.attribute_value.unwrap_or_default())?;
    let _change = desk.changes.lock().await;
    topic.set_attributes(given.settings).await.map_err(|error| Via::Change.refused(&error))?;
    let changed = desk.names.extras.change(&desk.broker, Owner::Topic(topic.name().to_owned()), given.extras);
    changed.await.map_err(|error| errors::from_broker(&error))
}

pub(super) fn list(desk: &Desk, input: &ListInput) -> WireResult<ListTopicsResponse> {
    let after = after(input.next_token.as_deref())?;
    let page = token::page(desk.broker.list_topics(), after.as_deref(), PAGE, Clone::clone);
    let topics = page.items.iter().map(|name| Topic { topic_arn: desk.topic_arn(name) }).collect();
    Ok(ListTopicsResponse { topics, next_token: page.next })
}

/// Tags as the answers list them.
pub(super) fn listed(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}
