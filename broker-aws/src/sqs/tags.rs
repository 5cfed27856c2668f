//! Tags of queues (rule Q10).

use super::{
    errors,
    shapes::{ListQueueTagsResult, QueueRequest, TagQueueRequest, UntagQueueRequest},
    target,
};
use crate::{call::Context, wire::error::WireResult};

pub(super) async fn tag_queue(context: &Context, input: TagQueueRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let tags = input.tags.ok_or_else(|| errors::missing("Tags"))?;
    queue.tag(tags).await.map_err(|error| errors::from_broker(&error))
}

pub(super) async fn untag_queue(context: &Context, input: UntagQueueRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let keys = input.tag_keys.ok_or_else(|| errors::missing("TagKeys"))?;
    queue.untag(keys.iter().map(String::as_str)).await.map_err(|error| errors::from_broker(&error))
}

pub(super) async fn list_queue_tags(
    context: &Context,
    input: QueueRequest,
) -> WireResult<ListQueueTagsResult> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    Ok(ListQueueTagsResult { tags: queue.tags() })
}
