//! What a mapping is told once, and what is refused (section E3, rules L30, L42, L43).

use std::time::Duration;

use broker_core::QueueAttributes;

use super::{filter::FilterCriteria, pollers::Pollers};
use crate::error::{Error, Result};

/// The most that the events of a batch may have as JSON: 6 MB (rule L31).
pub const BATCH_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The most messages in a batch of a standard queue.
const BATCH_MAX: usize = 10_000;
/// The most messages in a batch of a FIFO queue, and in one without a window: what one receive gives.
const RECEIVE_MAX: usize = 10;
/// The longest window.
const WINDOW_MAX: Duration = Duration::from_secs(300);
/// The longest run of a handler in Lambda (rule L3). Ours may take longer if its leases are kept alive.
const TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// What receives add to window and timeout if the queue's own visibility timeout is shorter than both (rule L43).
const VISIBILITY_MARGIN: Duration = Duration::from_secs(30);
/// No receive asks for more than SQS allows: 12 hours. A queue whose own timeout is longer has other limits.
const VISIBILITY_MAX: Duration = Duration::from_secs(43_200);

/// The settings of a mapping, as Lambda has them, and a few of ours.
#[derive(Debug, Clone)]
pub struct QueueMappingSettings {
    /// The most messages in a batch: 1 to 10,000, on a FIFO queue 1 to 10. By default 10. More than 10 need a window.
    pub batch_size: usize,
    /// How long to wait for a batch to fill up: 0 to 300 seconds, zero on a FIFO queue. By default zero: a batch is what one
    /// receive returns. It begins when the invocation before has ended, or a poll that found nothing.
    pub window: Duration,
    /// Whether a JSON answer may name the messages that failed (rule L50). A handler that decides on its messages, or
    /// answers with an [`Outcome`](crate::Outcome), needs no leave.
    pub report_batch_item_failures: bool,
    /// Which messages the handler wants. Others are deleted (rule L72). By default all.
    pub filters: FilterCriteria,
    /// How many workers poll.
    pub pollers: Pollers,
    /// How long an invocation may take: 1 millisecond to 15 minutes, and not longer than the queue's visibility timeout
    /// (rule L42). Without it: as long as the visibility timeout. With a heartbeat: any time, by default for ever.
    pub timeout: Option<Duration>,
    /// Whether the leases of messages are extended while the handler works on them. By default not, as in Lambda.
    pub heartbeat: bool,
}

impl Default for QueueMappingSettings {
    fn default() -> Self {
        Self {
            batch_size: 10,
            window: Duration::ZERO,
            report_batch_item_failures: false,
            filters: FilterCriteria::default(),
            pollers: Pollers::Automatic,
            timeout: None,
            heartbeat: false,
        }
    }
}

/// What follows from the settings and the queue.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How long a received message stays invisible.
    pub(crate) visibility: Duration,
    /// How long an invocation may take.
    pub(crate) timeout: Option<Duration>,
    pub(crate) fifo: bool,
}

impl QueueMappingSettings {
    /// Refuses what this queue cannot be mapped with.
    pub(crate) fn check(&self, queue: &QueueAttributes) -> Result<Terms> {
        let fifo = queue.fifo.is_some();
        let (batch_max, kind) = if fifo { (RECEIVE_MAX, "of a FIFO queue ") } else { (BATCH_MAX, "") };
        if !(1..=batch_max).contains(&self.batch_size) {
            let reason = format!("a batch {kind}has 1 to {batch_max} messages");
            return Err(Error::setting("batch_size", self.batch_size, reason));
        }
        let seconds = |duration: Duration| format!("{duration:?}");
        if self.window > WINDOW_MAX || (fifo && !self.window.is_zero()) {
            let reason = if fifo { "a FIFO queue has no window" } else { "must be between 0s and 300s" };
            return Err(Error::setting("window", seconds(self.window), reason));
        }
        if self.batch_size > RECEIVE_MAX && self.window < Duration::from_secs(1) {
            return Err(Error::WindowNeeded { batch_size: self.batch_size });
        }
        self.pollers.check()?;
        let terms = self.terms(queue.visibility_timeout, fifo);
        let timeout_max = if self.heartbeat { Duration::MAX } else { TIMEOUT_MAX };
        match self.timeout {
            Some(timeout) if timeout < Duration::from_millis(1) || timeout > timeout_max => {
                Err(Error::setting("timeout", seconds(timeout), "must be between 1ms and 900s"))
            }
            Some(timeout) if !self.heartbeat && timeout > queue.visibility_timeout => {
                Err(Error::TimeoutTooLong { visibility: queue.visibility_timeout, timeout })
            }
            _ if terms.visibility < Duration::from_millis(2) => {
                let reason = "a message must stay invisible for 2ms at least";
                Err(Error::setting("visibility_timeout", seconds(terms.visibility), reason))
            }
            _ => Ok(terms),
        }
    }

    fn terms(&self, visibility: Duration, fifo: bool) -> Terms {
        let timeout = self.timeout.or((!self.heartbeat).then_some(visibility));
        // A heartbeat extends leases as long as the handler works: only the window is on top then.
        let work = if self.heartbeat { visibility } else { timeout.unwrap_or(visibility) };
        let whole = self.window.saturating_add(work);
        let visibility = if whole > visibility && !self.window.is_zero() {
            whole.saturating_add(VISIBILITY_MARGIN).min(VISIBILITY_MAX.max(visibility))
        } else {
            visibility
        };
        Terms { visibility, timeout, fifo }
    }
}
