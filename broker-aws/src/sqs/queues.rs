//! Creating, finding, listing, deleting and purging queues.

use broker_core::QueueSettings;

use super::{
    errors,
    shapes::{CreateQueueRequest, CreateQueueResult, GetQueueUrlRequest, GetQueueUrlResult},
};
use crate::{
    call::Context,
    wire::{error::WireResult, queue_url::queue_url},
};

pub(super) async fn create_queue(
    context: &Context,
    input: CreateQueueRequest,
) -> WireResult<CreateQueueResult> {
    let name = input.queue_name.ok_or_else(|| errors::missing("QueueName"))?;
    let tags = input.tags.unwrap_or_default();
    let created = context.broker.create_queue(&name, &QueueSettings::new(), &tags).await;
    created.map_err(|error| errors::from_broker(&error))?;
    Ok(CreateQueueResult { queue_url: queue_url(&context.origin.endpoint, &context.origin.realm, &name) })
}

pub(super) async fn get_queue_url(
    context: &Context,
    input: GetQueueUrlRequest,
) -> WireResult<GetQueueUrlResult> {
    let name = input.queue_name.ok_or_else(|| errors::missing("QueueName"))?;
    if input.queue_owner.is_some_and(|owner| owner != context.origin.realm.account()) {
        return Err(errors::no_such_queue());
    }
    context.broker.open_queue(&name).await.map_err(|error| errors::from_broker(&error))?;
    Ok(GetQueueUrlResult { queue_url: queue_url(&context.origin.endpoint, &context.origin.realm, &name) })
}
