//! SNS: dispatch of its operations.

use crate::{
    call::Call,
    protocol::answer::Answer,
    wire::error::{WireError, WireResult},
};

/// Answers a call.
pub(crate) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let message = format!("The action {} is not valid for this endpoint.", call.operation());
    Err(WireError::sender("InvalidAction", message))
}

/// Whether a member of an output is a map, by its name: the XML writes those differently from structures.
pub(crate) fn is_map(_member: &str) -> bool {
    false
}
