//! Creating, finding, listing, deleting and purging queues.

use broker_core::LocalQueue;

use super::{
    attributes::Change,
    errors, extras,
    shapes::{
        CreateQueueRequest, CreateQueueResult, GetQueueUrlRequest, GetQueueUrlResult,
        ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult, ListQueuesRequest,
        ListQueuesResult, QueueRequest,
    },
    target,
};
use crate::{
    call::Context,
    wire::{
        error::WireResult,
        token::{self, Paged},
    },
};

pub(super) async fn create_queue(
    context: &Context,
    input: CreateQueueRequest,
) -> WireResult<CreateQueueResult> {
    let name = input.queue_name.ok_or_else(|| errors::missing("QueueName"))?;
    let change = Change::for_new(context, input.attributes.unwrap_or_default())?;
    let tags = input.tags.unwrap_or_default();
    let _kept = context.options.notes.lock().await;
    let existing = context.broker.open_queue(&name).await.ok();
    let created = context.broker.create_queue(&name, &change.settings, &tags).await;
    let queue = created.map_err(|error| change.refused(&name, &error))?;
    keep_extras(context, existing.as_ref(), &queue, &change).await?;
    Ok(CreateQueueResult { queue_url: target::url(context, &name) })
}

/// Keeps what the broker has no place for, or compares it with what is kept of a queue that there was (rule Q6).
async fn keep_extras(
    context: &Context,
    existing: Option<&LocalQueue>,
    queue: &LocalQueue,
    change: &Change,
) -> WireResult<()> {
    if change.extras.is_empty() {
        return Ok(());
    }
    let mut kept = extras::of(context, queue).await?;
    if existing.is_none() {
        kept.apply(&change.extras);
        return extras::keep(context, queue, &kept).await;
    }
    match change.extras.iter().find(|(name, value)| kept.differs(name, value)) {
        Some((name, _)) => Err(errors::queue_exists(name)),
        None => Ok(()),
    }
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
    Ok(GetQueueUrlResult { queue_url: target::url(context, &name) })
}

pub(super) async fn delete_queue(context: &Context, input: QueueRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    // Or the note of a queue created meanwhile could be forgotten.
    let _kept = context.options.notes.lock().await;
    context.broker.delete_queue(queue.name()).await.map_err(|error| errors::from_broker(&error))?;
    extras::forget(context, &queue).await
}

pub(super) async fn purge_queue(context: &Context, input: QueueRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    queue.purge().await.map_err(|error| errors::from_broker(&error))
}

pub(super) fn list_queues(context: &Context, input: ListQueuesRequest) -> WireResult<ListQueuesResult> {
    let names = context.broker.list_queues(&input.queue_name_prefix.unwrap_or_default());
    let Paged { items, next } = page(names, input.max_results, input.next_token.as_deref())?;
    let queue_urls = items.iter().map(|name| target::url(context, name)).collect();
    Ok(ListQueuesResult { queue_urls, next_token: next })
}

pub(super) async fn list_dead_letter_source_queues(
    context: &Context,
    input: ListDeadLetterSourceQueuesRequest,
) -> WireResult<ListDeadLetterSourceQueuesResult> {
    let name = target::name(context, input.queue_url.as_deref())?;
    let names = context.broker.dead_letter_source_queues(name).await;
    let names = names.map_err(|error| errors::from_broker(&error))?;
    let Paged { items, next } = page(names, input.max_results, input.next_token.as_deref())?;
    let queue_urls = items.iter().map(|name| target::url(context, name)).collect();
    Ok(ListDeadLetterSourceQueuesResult { queue_urls, next_token: next })
}

/// The most queues in one answer (rules Q9, Q85).
const LISTED_MAX: usize = 1_000;

/// A page of names. Who does not ask for pages gets the first thousand names, and no token.
fn page(names: Vec<String>, max: Option<i32>, token: Option<&str>) -> WireResult<Paged<String>> {
    let size = match max.map(usize::try_from) {
        None => LISTED_MAX,
        Some(Ok(size @ 1..=LISTED_MAX)) => size,
        Some(_) => {
            let reason = format!("MaxResults must be an integer between 1 and {LISTED_MAX}.");
            return Err(errors::invalid_value("MaxResults", max.unwrap_or_default(), &reason));
        }
    };
    let bad_token = || errors::invalid("Invalid or expired next token.");
    let after = match token {
        Some(_) if max.is_none() => {
            return Err(errors::invalid(
                "MaxResults is a mandatory parameter when you provide a value for NextToken.",
            ));
        }
        Some(token) => Some(token::decode(token).ok_or_else(bad_token)?),
        None => None,
    };
    let mut page = token::page(names, after.as_deref(), size, Clone::clone);
    page.next = page.next.filter(|_| max.is_some());
    Ok(page)
}
