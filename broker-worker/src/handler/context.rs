//! What every invocation is told.

use std::sync::{Arc, OnceLock};

use broker_core::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What an invocation is told beside its event. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: OnceLock<Uuid>,
    attempt: u32,
    deadline: Option<Timestamp>,
    cancelled: CancellationToken,
}

impl Context {
    /// The context of a first attempt without a deadline. The token tells the handler to stop.
    pub fn new(cancelled: CancellationToken) -> Self {
        Self(Arc::new(Inner { request_id: OnceLock::new(), attempt: 1, deadline: None, cancelled }))
    }

    /// The same with a deadline: when the invocation is given up.
    pub fn with_deadline(self, deadline: Option<Timestamp>) -> Self {
        self.map(|inner| inner.deadline = deadline)
    }

    /// The same for a retry: the request id is that of all attempts (rule L10), and this is attempt `attempt` of them,
    /// from 1.
    pub fn with_attempt(self, request_id: Uuid, attempt: u32) -> Self {
        self.map(|inner| (inner.request_id, inner.attempt) = (request_id.into(), attempt))
    }

    fn map(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
            return self;
        }
        let inner = &self.0;
        let mut inner = Inner {
            request_id: inner.request_id.clone(),
            attempt: inner.attempt,
            deadline: inner.deadline,
            cancelled: inner.cancelled.clone(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// The id of this invocation, the same for all its attempts.
    pub fn request_id(&self) -> Uuid {
        *self.0.request_id.get_or_init(Uuid::new_v4)
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When the invocation is given up and dropped, if ever.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline
    }

    /// Fires when what the handler does no longer counts: its lease was lost, its time is over, the runtime is stopping, or the
    /// invocation was dropped.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.0.cancelled
    }
}
