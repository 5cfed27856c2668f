//! Tags of streams, consumers and queues (rule K90).

use std::collections::BTreeMap;

use super::{
    check::Checks,
    errors, extras, policies,
    policies::Resource,
    shapes::{
        AddTagsInput, ListTagsForStreamInput, ListTagsForStreamOutput, ListTagsOutput, RemoveTagsInput,
        ResourceInput, Tag, TagMap, TagResourceInput, UntagResourceInput,
    },
    target,
};
use crate::{call::Context, wire::error::WireResult};

/// The most tags of something.
const TAGS_MAX: usize = 50;
/// The longest key and value, in characters.
const KEY_CHARS: (usize, usize) = (1, 128);
const VALUE_CHARS: (usize, usize) = (0, 256);

/// Refuses tags that cannot be.
pub(super) fn check(tags: &TagMap) -> WireResult<()> {
    let mut checks = Checks::default();
    for (key, value) in tags {
        checks.length("tags.key", key, key.chars().count(), KEY_CHARS);
        checks.length("tags.value", value, value.chars().count(), VALUE_CHARS);
    }
    checks.done()?;
    if tags.len() > TAGS_MAX {
        return Err(errors::invalid(format!("There can be no more than {TAGS_MAX} tags.")));
    }
    Ok(())
}

fn shown(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

pub(super) async fn add_tags_to_stream(context: &Context, input: AddTagsInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let tags = checks.required("tags", input.tags.clone());
    checks.done()?;
    let stream = target::stream(context, &input).await?;
    let mut all = stream.tags();
    all.extend(tags.clone());
    check(&all)?;
    stream.tag(tags).await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn remove_tags_from_stream(context: &Context, input: RemoveTagsInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let keys = checks.required("tagKeys", input.keys.clone());
    checks.length("tagKeys", format!("[{} keys]", keys.len()), keys.len(), (1, TAGS_MAX));
    checks.done()?;
    let stream = target::stream(context, &input).await?;
    stream.untag(keys.iter().map(String::as_str)).await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn list_tags_for_stream(
    context: &Context,
    input: ListTagsForStreamInput,
) -> WireResult<ListTagsForStreamOutput> {
    const LIMIT: (i32, i32) = (1, 50);
    let mut checks = Checks::default();
    checks.within("limit", input.limit, LIMIT);
    checks.done()?;
    let stream = target::stream(context, &input).await?;
    let limit = usize::try_from(input.limit.unwrap_or(LIMIT.1)).unwrap_or(0);
    let after = input.after.as_ref();
    let mut rest = stream.tags().into_iter().filter(|(key, _)| Some(key) > after);
    let tags = shown(rest.by_ref().take(limit).collect());
    Ok(ListTagsForStreamOutput { tags, has_more: rest.next().is_some() })
}

pub(super) async fn tag_resource(context: &Context, input: TagResourceInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    let added = checks.required("tags", input.tags);
    checks.done()?;
    change(context, &arn, |tags| tags.extend(added)).await
}

pub(super) async fn untag_resource(context: &Context, input: UntagResourceInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    let keys = checks.required("tagKeys", input.keys);
    checks.done()?;
    change(context, &arn, |tags| tags.retain(|key, _| !keys.contains(key))).await
}

async fn change(context: &Context, arn: &str, change: impl FnOnce(&mut TagMap)) -> WireResult<()> {
    let _held = context.options.notes.lock().await;
    match policies::resource(context, arn).await? {
        Resource::Stream(target) => {
            let mut tags = target.stream.tags();
            change(&mut tags);
            check(&tags)?;
            let gone: Vec<_> =
                target.stream.tags().into_keys().filter(|key| !tags.contains_key(key)).collect();
            let refused = |error| errors::from_broker(context, &error);
            target.stream.untag(gone.iter().map(String::as_str)).await.map_err(refused)?;
            target.stream.tag(tags).await.map_err(refused)
        }
        Resource::Consumer(name, mut consumer) => {
            change(&mut consumer.tags);
            check(&consumer.tags)?;
            extras::keep_consumer(context, &name.stream, &name.name, &consumer).await
        }
        Resource::Queue(name, mut queue) => {
            change(&mut queue.tags);
            check(&queue.tags)?;
            queue.keep(context, &name).await
        }
    }
}

pub(super) async fn list_tags_for_resource(
    context: &Context,
    input: ResourceInput,
) -> WireResult<ListTagsOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    checks.done()?;
    let tags = match policies::resource(context, &arn).await? {
        Resource::Stream(target) => target.stream.tags(),
        Resource::Consumer(_, consumer) => consumer.tags,
        Resource::Queue(_, queue) => queue.tags,
    };
    Ok(ListTagsOutput { tags: shown(tags) })
}
