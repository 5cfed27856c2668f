//! Sending (rules Q20 to Q46, F10 to F15).

use broker_core::{Entries, Error, LocalQueue, SendMessage, Sent};

use super::{
    batch, errors,
    message::{self, Digests, Outgoing},
    shapes::{
        BatchResult, SendMessageBatchRequest, SendMessageBatchResultEntry, SendMessageRequest,
        SendMessageResult,
    },
    target,
};
use crate::{
    call::Context,
    wire::{
        error::{WireError, WireResult},
        is_fifo,
    },
};

pub(super) async fn send_message(
    context: &Context,
    input: SendMessageRequest,
) -> WireResult<SendMessageResult> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let outgoing = Outgoing::from(input);
    let message = message::outgoing(context, is_fifo(queue.name()), &outgoing)?;
    let digests = Digests::of(&message, &outgoing.system_attributes);
    let Sent { id, sequence_number, .. } =
        queue.send(message).await.map_err(|error| errors::from_broker(&error))?;
    Ok(SendMessageResult {
        md5_of_message_body: digests.body,
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system_attributes,
        message_id: id.to_string(),
        sequence_number: sequence_number.map(|number| number.to_string()),
    })
}

pub(super) async fn send_message_batch(
    context: &Context,
    input: SendMessageBatchRequest,
) -> WireResult<BatchResult<SendMessageBatchResultEntry>> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let fifo = is_fifo(queue.name());
    let mut entries = Entries::new();
    let mut outcomes = Vec::new();
    let mut without_deduplication_id = false;
    for mut entry in input.entries.unwrap_or_default() {
        let id = entry.id.take().unwrap_or_default();
        let outgoing = Outgoing::from(entry);
        without_deduplication_id |= fifo && outgoing.deduplication_id.is_none();
        match message::outgoing(context, fifo, &outgoing) {
            Ok(message) => {
                outcomes.push(Ok(Digests::of(&message, &outgoing.system_attributes)));
                entries.push_named(id, message);
            }
            Err(error) => {
                outcomes.push(Err(error));
                entries.push_named(id, stand_in(outgoing.group_id));
            }
        }
    }
    if without_deduplication_id {
        check_content_ids(&queue).await?;
    }
    let sent = queue.send_batch(entries).await.map_err(|error| match error {
        // Rule F10: another code than for one message.
        Error::MissingParameter { field: "group_id" } => {
            errors::invalid(errors::missing("MessageGroupId").message)
        }
        error => errors::from_broker(&error),
    })?;
    let refused: Vec<Option<WireError>> = outcomes.iter().map(|outcome| outcome.clone().err()).collect();
    let digests: Vec<Digests> = outcomes.into_iter().map(Result::unwrap_or_default).collect();
    Ok(batch::result(
        sent,
        |position| refused[position].clone(),
        |position, id, sent| Ok(entry_sent(id, &sent, &digests[position])),
    ))
}

/// What is sent in place of an entry that was refused: the broker refuses it too, so that the ids of all entries are checked, and
/// all are answered in their order.
fn stand_in(group_id: Option<String>) -> SendMessage {
    SendMessage { group_id, ..SendMessage::default() }
}

fn entry_sent(id: String, sent: &Sent, digests: &Digests) -> SendMessageBatchResultEntry {
    SendMessageBatchResultEntry {
        id,
        message_id: sent.id.to_string(),
        md5_of_message_body: digests.body.clone(),
        md5_of_message_attributes: digests.attributes.clone(),
        md5_of_message_system_attributes: digests.system_attributes.clone(),
        sequence_number: sent.sequence_number.map(|number| number.to_string()),
    }
}

/// Refuses a whole batch if the queue does not compute deduplication ids (rule F11).
async fn check_content_ids(queue: &LocalQueue) -> WireResult<()> {
    let described = queue.attributes().await.map_err(|error| errors::from_broker(&error))?;
    if described.fifo.is_some_and(|fifo| fifo.content_based_deduplication) {
        Ok(())
    } else {
        Err(errors::invalid(errors::NO_DEDUPLICATION_ID))
    }
}
