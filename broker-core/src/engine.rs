//! What all that a broker has shares: the pipeline, the time, the limits, the ids.

use std::sync::Arc;

use crate::{
    clock::Timeline,
    codec::write_u64,
    ids::Seed,
    keys,
    limits::{Limits, MemoryBounds},
    pipeline::Pipeline,
    queue::observe::Observer,
    space::History,
    storage::Batch,
    sync::Mutex,
    topic::envelope::CurrentEnvelope,
};

/// The shared parts of one open broker.
pub(crate) struct Engine {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryBounds,
    pub(crate) envelope: CurrentEnvelope,
    /// Who is told what happens to messages.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) seed: Seed,
    /// Locked before any queue, so that it can be held until the batch that stores the ids is submitted.
    pub(crate) ids: Mutex<Ids>,
    /// An empty batch for the next commit of several queues, kept for its memory. Locked for a moment only.
    pub(crate) spare_batch: Mutex<Batch>,
    /// What has changed among the user keys. Locked after topics, streams and consumer groups, and before any queue.
    pub(crate) user_keys: Mutex<History>,
}

/// The ids of queues, topics, subscriptions, streams, shards, spaces and partitions: each is given out once in the life of the store.
pub(crate) struct Ids {
    next: u64,
}

impl Ids {
    pub(crate) fn new(next: u64) -> Self {
        Self { next }
    }

    /// A new id. Keep the lock until `batch` is submitted, or an older number could be stored over a newer one.
    pub(crate) fn take(&mut self, batch: &mut Batch) -> u64 {
        let id = self.next;
        self.next += 1;
        let mut stored = Vec::with_capacity(8);
        write_u64(&mut stored, self.next);
        batch.put_meta(keys::NEXT_ID, &stored);
        id
    }
}
