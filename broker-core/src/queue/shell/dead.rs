//! Giving messages up to the dead-letter queue.

use super::LocalQueue;
use crate::{error::Result, ids::ReceiptHandle, queue::options::DeadLettered};

impl LocalQueue {
    /// Gives the message of this receipt up to the queue's dead-letter queue, at once and however often it was received;
    /// `reason` (1 to 1,024 bytes) is kept with it there.
    pub async fn dead_letter(&self, receipt: ReceiptHandle, reason: impl Into<String>) -> Result<DeadLettered> {
        let _ = (receipt, reason.into());
        todo!()
    }
}
