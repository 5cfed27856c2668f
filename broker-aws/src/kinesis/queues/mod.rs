//! Queues on streams (section D10).
//!
//! | file | what it is for |
//! |---|---|
//! | `note` | what the broker has no place for; which stream a queue is on |
//! | `manage` | creating, describing, changing, listing and deleting queues |
//! | `records` | receiving records, and what is done with them |

mod manage;
mod note;
mod records;

pub(super) use note::{QueueNote, found};

use crate::{
    call::Call,
    protocol::answer::Answer,
    wire::error::{WireError, WireResult},
};

/// Answers a call, if it is one of these operations.
pub(super) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let context = call.context();
    macro_rules! answer {
        ($operation:path) => {
            call.answer(&$operation(context, call.input()?).await?)
        };
    }
    match call.operation() {
        "CreateQueue" => answer!(manage::create),
        "DeleteQueue" => answer!(manage::delete),
        "DescribeQueue" => answer!(manage::describe),
        "ListQueues" => answer!(manage::list),
        "UpdateQueue" => answer!(manage::update),
        "ReceiveQueueRecords" => answer!(records::receive),
        "ReceiveDeadLetterQueueRecords" => answer!(records::receive_dead_letters),
        "AcknowledgeQueueRecords" => answer!(records::acknowledge),
        "AcknowledgeDeadLetterQueueRecords" => answer!(records::acknowledge_dead_letters),
        "UpdateQueueRecordsVisibility" => answer!(records::update_visibility),
        "UpdateDeadLetterQueueRecordsVisibility" => answer!(records::update_dead_letter_visibility),
        "RestoreDeadLetterQueueRecords" => answer!(records::restore_dead_letters),
        unknown => {
            let unknown: String = unknown.chars().take(128).collect();
            let message = format!("The operation {unknown} is unknown.");
            Err(WireError::sender("UnknownOperationException", message))
        }
    }
}
