//! The committer's turn on a blocking thread, and what happens if it never comes.

use std::sync::Arc;

use super::Pipeline;
use crate::storage::StorageError;

/// The committer's turn on a thread. A runtime that has shut down drops it without running it: then, and if it panics,
/// those who wait for their commits are told, or they would wait for ever.
pub(super) struct CommitterTurn(pub(super) Option<Arc<Pipeline>>);

impl CommitterTurn {
    pub(super) fn take(mut self) {
        if let Some(pipeline) = &self.0 {
            pipeline.commit_groups();
        }
        self.0 = None;
    }
}

impl Drop for CommitterTurn {
    fn drop(&mut self) {
        if let Some(pipeline) = self.0.take() {
            let cause = "no thread commits any more: the runtime that the broker was opened in has shut down";
            let group = pipeline.forming.lock().group.clone();
            pipeline.poison(&group, &Arc::new(StorageError::Engine(cause.into())));
        }
    }
}
