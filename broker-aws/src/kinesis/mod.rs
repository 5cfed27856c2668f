//! Kinesis: dispatch of its operations.

use crate::{
    call::Call,
    protocol::answer::Answer,
    wire::error::{WireError, WireResult},
};

/// Answers a call.
pub(crate) async fn dispatch(call: &Call) -> WireResult<Answer> {
    let message = format!("The operation {} is unknown.", call.operation());
    Err(WireError::sender("UnknownOperationException", message))
}
