//! Attributes of queues, as the strings that SQS makes of them (rules Q1 to Q6, section A2).
//!
//! | file | what it is for |
//! |---|---|
//! | `change` | from strings to settings |
//! | `shown` | from a description of a queue to strings |
//! | `redrive` | the two policies about dead letters, which are JSON in a string |

mod change;
mod redrive;
mod shown;

pub(super) use change::Change;
use shown::{ALL, KNOWN};

use super::{
    errors, extras,
    shapes::{GetQueueAttributesRequest, GetQueueAttributesResult, SetQueueAttributesRequest, Texts},
    target,
};
use crate::{
    call::Context,
    wire::{error::WireResult, is_fifo},
};

/// Whether a queue can have an attribute of this name.
pub(super) fn is_known(name: &str) -> bool {
    name == ALL || KNOWN.contains(&name)
}

pub(super) async fn get_queue_attributes(
    context: &Context,
    input: GetQueueAttributesRequest,
) -> WireResult<GetQueueAttributesResult> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let wanted = input.attribute_names.unwrap_or_default();
    if let Some(unknown) = wanted.iter().find(|name| !is_known(name)) {
        return Err(errors::unknown_attribute(unknown));
    }
    if wanted.is_empty() {
        return Ok(GetQueueAttributesResult { attributes: Texts::new() });
    }
    let description = queue.attributes().await.map_err(|error| errors::from_broker(&error))?;
    let extras = extras::of(context, &queue).await?;
    let all = wanted.iter().any(|name| name == ALL);
    let mut attributes = shown::shown(context, &description, &extras);
    attributes.retain(|name, _| all || wanted.iter().any(|wanted| wanted == name));
    Ok(GetQueueAttributesResult { attributes })
}

pub(super) async fn set_queue_attributes(
    context: &Context,
    input: SetQueueAttributesRequest,
) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let attributes = input.attributes.ok_or_else(|| errors::missing("Attributes"))?;
    let change = Change::for_existing(context, is_fifo(queue.name()), attributes)?;
    if change.settings != broker_core::QueueSettings::new() {
        queue
            .set_attributes(change.settings.clone())
            .await
            .map_err(|error| change.refused(queue.name(), &error))?;
    }
    if change.extras.is_empty() {
        return Ok(());
    }
    let _kept = context.options.notes.lock().await;
    let mut kept = extras::of(context, &queue).await?;
    kept.apply(&change.extras);
    extras::keep(context, &queue, &kept).await
}
