//! The tags of topics (rule N6).

use std::collections::BTreeMap;

use broker_core::LocalTopic;

use super::{
    desk::Desk,
    errors,
    shapes::{
        ListTagsForResourceResponse, ResourceInput, Tag, TagResourceRequest, TagResourceResponse,
        UntagResourceRequest,
    },
    topics::listed,
};
use crate::wire::error::WireResult;

/// The parameter that names what has tags.
const RESOURCE_ARN: &str = "ResourceArn";

/// Tags by their keys, which have to differ.
pub(super) fn distinct(tags: Vec<Tag>) -> WireResult<BTreeMap<String, String>> {
    let count = tags.len();
    let distinct: BTreeMap<_, _> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if distinct.len() == count {
        return Ok(distinct);
    }
    Err(errors::invalid("Duplicated keys are not allowed."))
}

async fn resource(desk: &Desk, arn: Option<&str>) -> WireResult<LocalTopic> {
    let topic = desk.topic(arn, RESOURCE_ARN).await;
    topic.map_err(|error| if error.status == 404 { errors::no_resource() } else { error })
}

pub(super) async fn tag(desk: &Desk, input: TagResourceRequest) -> WireResult<TagResourceResponse> {
    let tags = distinct(input.tags.ok_or_else(|| errors::missing("tags"))?)?;
    let topic = resource(desk, input.resource_arn.as_deref()).await?;
    topic.tag(tags).await.map_err(|error| errors::from_broker(&error))?;
    Ok(TagResourceResponse {})
}

pub(super) async fn untag(desk: &Desk, input: UntagResourceRequest) -> WireResult<TagResourceResponse> {
    let keys = input.tag_keys.ok_or_else(|| errors::missing("tagKeys"))?;
    let topic = resource(desk, input.resource_arn.as_deref()).await?;
    let untagged = topic.untag(keys.iter().map(String::as_str)).await;
    untagged.map_err(|error| errors::from_broker(&error))?;
    Ok(TagResourceResponse {})
}

pub(super) async fn list(desk: &Desk, input: ResourceInput) -> WireResult<ListTagsForResourceResponse> {
    let topic = resource(desk, input.resource_arn.as_deref()).await?;
    Ok(ListTagsForResourceResponse { tags: listed(topic.tags()) })
}
