//! What users of a queue on a stream say and see.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::ReceiptHandle,
    limits::Limits,
    queue::settings::check_duration,
    stream::number::RecordNumber,
};

/// What becomes of a record that was received too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterTarget {
    /// It is set aside in the queue itself, after so many receives: 1 to 1,000.
    BuiltIn {
        /// How often it is received at most.
        max_receive_count: u32,
    },
    /// It is received until somebody acknowledges it, or it expires.
    None,
}

/// Settings of a queue on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamQueueSettings {
    /// How long a received record stays invisible: 0 to 12 hours, by default 30 seconds.
    pub visibility_timeout: Duration,
    /// What becomes of a record that was received too often: by default it is set aside after 6 receives.
    pub dead_letter: DeadLetterTarget,
}

impl Default for StreamQueueSettings {
    fn default() -> Self {
        let dead_letter = DeadLetterTarget::BuiltIn { max_receive_count: 6 };
        Self { visibility_timeout: Duration::from_secs(30), dead_letter }
    }
}

impl StreamQueueSettings {
    pub(super) fn check(&self, limits: &Limits) -> Result<()> {
        let given = Some(self.visibility_timeout);
        check_duration("visibility_timeout", given, Duration::ZERO, limits.visibility_timeout_max)?;
        match self.dead_letter {
            DeadLetterTarget::BuiltIn { max_receive_count: count @ (0 | 1_001..) } => {
                Err(Error::invalid("max_receive_count", count, "must be between 1 and 1000"))
            }
            _ => Ok(()),
        }
    }
}

/// A record received from a queue on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamMessage {
    /// The record, the same in every queue and at every delivery.
    pub record: RecordNumber,
    /// Proof of this delivery.
    pub receipt: ReceiptHandle,
    /// The record's partition key.
    pub partition_key: String,
    /// The record's data.
    pub data: Bytes,
    /// When it was put.
    pub arrived_at: Timestamp,
    /// When this queue gave it out for the first time.
    pub first_received_at: Timestamp,
    /// How often this queue has given it out, this time included.
    pub receive_count: u32,
}

/// How many records a queue on a stream holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamQueueCounters {
    /// Records that were received before and are visible again, or were just pulled.
    pub visible: u64,
    /// Records that were received and are neither acknowledged nor visible again.
    pub in_flight: u64,
    /// Records in the stream that the queue has not come to.
    pub behind: u64,
    /// Dead letters.
    pub dead: u64,
}
