//! Which queue a request means.

use broker_core::LocalQueue;

use super::errors;
use crate::{
    call::Context,
    wire::{
        arn::{Arn, arn},
        error::{WireError, WireResult},
        queue_url,
    },
};

/// The queue of a request: the one that its parameter names, or the one to whose URL it went.
pub(super) async fn queue(context: &Context, url: Option<&str>) -> WireResult<LocalQueue> {
    let name = name(context, url)?;
    context.broker.open_queue(name).await.map_err(|error| errors::from_broker(&error))
}

/// The name of that queue, which may not exist. A queue of another account does not exist for this client: whether there is one is
/// not told either.
pub(super) fn name<'a>(context: &'a Context, url: Option<&'a str>) -> WireResult<&'a str> {
    let (account, name) = match (url, &context.origin.queue) {
        (Some(url), _) if !url.is_empty() => queue_url::queue_in_url(url).ok_or_else(|| {
            let message = format!("The address {url} is not valid for this endpoint.");
            WireError::sender("InvalidAddress", message)
        })?,
        (_, Some((account, name))) => (Some(account.as_str()), name.as_str()),
        _ => return Err(errors::missing("QueueUrl")),
    };
    if account.is_some_and(|account| account != context.origin.realm.account()) {
        return Err(errors::no_such_queue());
    }
    Ok(name)
}

/// The URL of a queue, for this client.
pub(super) fn url(context: &Context, name: &str) -> String {
    queue_url::queue_url(&context.origin.endpoint, &context.origin.realm, name)
}

/// The ARN of a queue.
pub(super) fn queue_arn(context: &Context, name: &str) -> String {
    arn("sqs", &context.origin.realm, name)
}

/// The queue that an ARN names; `None` if it names something else, or something of another realm.
pub(super) fn queue_of_arn<'a>(context: &Context, text: &'a str) -> Option<&'a str> {
    let arn = Arn::parse(text)?;
    (arn.service == "sqs" && arn.is_in(&context.origin.realm)).then_some(arn.resource)
}
