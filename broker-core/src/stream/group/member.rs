//! A worker of a consumer group: says that it is there, takes its share, waits, gives back.

use std::sync::Arc;

use super::{cell::GroupCell, state::Held};
use crate::{
    error::Result,
    storage::Durability,
    stream::{LocalStream, shard::ShardId, shell::StreamInner},
};

/// A worker of a group. It leaves the group when it is dropped.
pub(crate) struct Member {
    pub(crate) stream: LocalStream,
    pub(crate) group: Arc<GroupCell>,
    pub(crate) worker: u64,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.group.state.lock().leave(self.worker);
        self.group.news.notify_waiters();
    }
}

impl Member {
    /// Joins a group. A worker that ends shards says when it is done with one; otherwise its last checkpoint says so.
    pub(super) fn join(stream: LocalStream, group: Arc<GroupCell>, lease_ms: u64, ends_shards: bool) -> Self {
        let now = stream.cell.engine.timeline.now();
        let worker = group.state.lock().join(lease_ms, ends_shards, now);
        Self { stream, group, worker }
    }

    /// Says that the worker is there. Returns whether what it learnt from [`sync`](Self::sync) still holds.
    pub(super) fn is_in_sync(&self, with: &InSync) -> bool {
        let now = self.stream.cell.engine.timeline.now();
        let mut state = self.group.state.lock();
        state.hear(self.worker, false, now);
        state.changes() == with.changes && with.until.is_none_or(|until| now < until)
    }

    /// Says that the worker is there, and takes its share. Returns what it holds, and how long that is to be believed.
    ///
    /// What ends or begins a shard is committed with the stream's durability in the background: it is found again.
    pub(super) fn sync(&self) -> Result<(Vec<Held>, InSync)> {
        let cell = &*self.stream.cell;
        let group = &*self.group;
        let (known, tell) = {
            let durability = Durability::Buffered;
            let step = |inner: &mut StreamInner, now: u64| {
                let StreamInner { state: stream, batch, .. } = inner;
                let mut state = group.state.lock();
                state.follow(stream, batch);
                // First of all it is there: what nobody has taken meanwhile it keeps.
                state.hear(self.worker, false, now);
                let tell = state.take_share(self.worker, stream, now);
                let until = state.next_expiry(self.worker, now);
                let in_sync = InSync { changes: state.changes(), until };
                Ok(((state.held_by(self.worker), in_sync), tell))
            };
            cell.operate(durability, step)?.0
        };
        if tell {
            group.news.notify_waiters();
        }
        Ok(known)
    }

    /// Says that the worker waits, as long as what is returned lives: nothing of what it holds expires meanwhile.
    pub(super) fn wait(&self) -> Waiting {
        Waiting { stream: self.stream.clone(), group: self.group.clone(), worker: self.worker }
    }

    /// Says that the worker is there, until it leaves or says otherwise. Returns when something of others expires, or has since it
    /// learnt `with`: what expires between a look and the wait behind it is not missed.
    pub(super) fn stay(&self, with: &InSync) -> Option<u64> {
        let now = self.stream.cell.engine.timeline.now();
        let mut state = self.group.state.lock();
        state.hear(self.worker, true, now);
        [with.until, state.next_expiry(self.worker, now)].into_iter().flatten().min()
    }

    /// Gives a lease back.
    pub(super) fn give_back(&self, shard: ShardId, token: u64) {
        self.group.state.lock().give_back(shard, token);
        self.group.news.notify_waiters();
    }
}

/// Until when a worker can rely on what it knows of its group.
#[derive(Debug, Default)]
pub(super) struct InSync {
    /// The changes of the group that it knows of.
    changes: u64,
    /// Then something of others expires, of which it may take its share.
    until: Option<u64>,
}

/// A worker that waits. When this is dropped it works, and must be heard of: so others are told, who may have found nothing of it
/// that can expire.
pub(super) struct Waiting {
    stream: LocalStream,
    group: Arc<GroupCell>,
    worker: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let now = self.stream.cell.engine.timeline.now();
        self.group.state.lock().hear(self.worker, false, now);
        self.group.news.notify_waiters();
    }
}
