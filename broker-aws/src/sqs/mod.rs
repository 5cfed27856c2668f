//! SQS: dispatch of its operations.
//!
//! | file | what it is for |
//! |---|---|
//! | `shapes` | inputs and outputs |
//! | `errors` | from the broker's errors to those of SQS |
//! | `xml` | how its XML spells lists and maps |
//! | `target` | which queue a request means |
//! | `queues`, `tags` | creating, finding, listing, deleting, purging; tags |
//! | `attributes`, `extras`, `permissions` | attributes as strings; those that the broker has no place for; the access policy |
//! | `message`, `digest` | messages between their two forms; MD5 |
//! | `send`, `receive`, `settle`, `batch` | operations on messages; what batches share |
//! | `moves` | move tasks |

mod attributes;
mod batch;
mod digest;
mod errors;
mod extras;
mod message;
mod moves;
mod permissions;
mod queues;
mod receive;
mod send;
mod settle;
pub(crate) mod shapes;
mod tags;
mod target;
mod xml;

pub(crate) use xml::{element_name, entry_names, is_map};

use crate::{call::Call, protocol::answer::Answer, wire::error::WireResult};

/// Answers a call.
pub(crate) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let context = call.context();
    match call.operation() {
        "AddPermission" => call.answer(&permissions::add_permission(context, call.input()?).await?),
        "CancelMessageMoveTask" => {
            call.answer(&moves::cancel_message_move_task(context, call.input()?).await?)
        }
        "ChangeMessageVisibility" => {
            call.answer(&settle::change_message_visibility(context, call.input()?).await?)
        }
        "ChangeMessageVisibilityBatch" => {
            call.answer(&settle::change_message_visibility_batch(context, call.input()?).await?)
        }
        "CreateQueue" => call.answer(&queues::create_queue(context, call.input()?).await?),
        "DeleteMessage" => call.answer(&settle::delete_message(context, call.input()?).await?),
        "DeleteMessageBatch" => call.answer(&settle::delete_message_batch(context, call.input()?).await?),
        "DeleteQueue" => call.answer(&queues::delete_queue(context, call.input()?).await?),
        "GetQueueAttributes" => call.answer(&attributes::get_queue_attributes(context, call.input()?).await?),
        "GetQueueUrl" => call.answer(&queues::get_queue_url(context, call.input()?).await?),
        "ListDeadLetterSourceQueues" => {
            call.answer(&queues::list_dead_letter_source_queues(context, call.input()?).await?)
        }
        "ListMessageMoveTasks" => call.answer(&moves::list_message_move_tasks(context, call.input()?).await?),
        "ListQueueTags" => call.answer(&tags::list_queue_tags(context, call.input()?).await?),
        "ListQueues" => call.answer(&queues::list_queues(context, call.input()?)?),
        "PurgeQueue" => call.answer(&queues::purge_queue(context, call.input()?).await?),
        "ReceiveMessage" => call.answer(&receive::receive_message(context, call.input()?).await?),
        "RemovePermission" => call.answer(&permissions::remove_permission(context, call.input()?).await?),
        "SendMessage" => call.answer(&send::send_message(context, call.input()?).await?),
        "SendMessageBatch" => call.answer(&send::send_message_batch(context, call.input()?).await?),
        "SetQueueAttributes" => call.answer(&attributes::set_queue_attributes(context, call.input()?).await?),
        "StartMessageMoveTask" => call.answer(&moves::start_message_move_task(context, call.input()?).await?),
        "TagQueue" => call.answer(&tags::tag_queue(context, call.input()?).await?),
        "UntagQueue" => call.answer(&tags::untag_queue(context, call.input()?).await?),
        unknown => Err(errors::unknown_operation(unknown, call.protocol())),
    }
}
