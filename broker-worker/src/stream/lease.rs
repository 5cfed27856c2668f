//! What the batches of a shard share: its lease, and how far it is consumed. And sums of times.

use std::{sync::Arc, time::Duration};

use broker_core::{Record, Result, ShardLease, Timestamp};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{mapping::Shared, progress::Progress};

/// What all batches of a shard share.
pub(super) struct ShardWork {
    pub(super) mapping: Arc<Shared>,
    pub(super) lease: Box<dyn ShardLease>,
    /// Held while the checkpoint is moved, so that it does not go back.
    pub(super) progress: Mutex<Progress>,
    /// No new batch, and no other attempt.
    pub(super) stop: CancellationToken,
    /// What handlers do no longer counts.
    pub(super) lost: CancellationToken,
}

impl std::fmt::Debug for ShardWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardWork").field("shard", &self.lease.shard()).finish_non_exhaustive()
    }
}

impl ShardWork {
    pub(super) fn new(
        mapping: Arc<Shared>,
        lease: Box<dyn ShardLease>,
        stop: CancellationToken,
        lost: CancellationToken,
    ) -> Self {
        Self { mapping, lease, progress: Mutex::new(Progress::default()), stop, lost }
    }

    /// Whether all before a batch is done, and the checkpoint moves when it is.
    pub(super) fn moves_with_each_batch(&self) -> bool {
        let settings = &self.mapping.settings;
        settings.parallelization_factor == 1 && settings.tumbling_window.is_zero()
    }

    /// These records are done or given up. Moves the checkpoint, if it may be moved now.
    pub(super) async fn done(&self, records: &[Record]) -> Result<()> {
        let mut progress = self.progress.lock().await;
        for record in records {
            progress.done(record.number);
        }
        // With tumbling windows it moves when one is closed.
        if self.mapping.settings.tumbling_window.is_zero() {
            self.checkpoint(&mut progress).await
        } else {
            Ok(())
        }
    }

    /// Moves the checkpoint.
    pub(super) async fn checkpoint(&self, progress: &mut Progress) -> Result<()> {
        match progress.checkpoint() {
            Some(last) => self.lease.checkpoint(last).await,
            None => Ok(()),
        }
    }
}

/// A time after another one.
pub(super) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(millis(wait)))
}

/// Whole milliseconds; what does not fit is for ever.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
