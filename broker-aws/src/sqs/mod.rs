//! SQS: dispatch of its operations.
//!
//! | file | what it is for |
//! |---|---|
//! | `shapes` | inputs and outputs |
//! | `errors` | from the broker's errors to those of SQS |
//! | `xml` | how its XML spells lists and maps |
//! | `queues` | creating, finding, listing, deleting, purging |

mod errors;
mod queues;
pub(crate) mod shapes;
mod xml;

pub(crate) use xml::{element_name, entry_names, is_map};

use crate::{call::Call, protocol::answer::Answer, wire::error::WireResult};

/// Answers a call.
pub(crate) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let context = call.context();
    match call.operation() {
        "CreateQueue" => call.answer(&queues::create_queue(context, call.input()?).await?),
        "GetQueueUrl" => call.answer(&queues::get_queue_url(context, call.input()?).await?),
        unknown => Err(errors::unknown_operation(unknown, call.protocol())),
    }
}
