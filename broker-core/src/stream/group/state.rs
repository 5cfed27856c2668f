//! The lease table of a consumer group: plain data, changed by ordinary functions (rules K80 to K83).
//!
//! A lease says how far a shard is consumed, and who may consume it now. How far is stored, who is not: a holder lives in this
//! process and dies with it. Each time a lease changes hands it gets another *token*, and a holder with an old one can no
//! longer move the checkpoint.
//!
//! A shard is consumed when its parents are: then its lease begins at its first record. A holder that waits for records is
//! alive by that alone; one that works must be heard of again within the lease time, or others may take its lease.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    keys,
    seeded::seeded,
    storage::Batch,
    stream::{
        shard::ShardId,
        state::{Shard, StreamState},
    },
};

/// How far a shard is consumed, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The first sequence that is not consumed.
    pub(crate) next: u64,
    /// All is consumed, and there will not be more.
    pub(crate) ended: bool,
}

/// The lease of a shard.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) progress: Progress,
    pub(crate) holder: Option<Holder>,
}

/// Who may consume a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) worker: u64,
    pub(crate) token: u64,
    /// This other worker is to have the lease.
    pub(super) asked_back_for: Option<u64>,
}

/// A lease that a worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) shard: ShardId,
    pub(crate) token: u64,
    pub(crate) next: u64,
    pub(crate) asked_back: bool,
}

/// What is known of a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    /// How long it may work without being heard of.
    lease_ms: u64,
    /// It says itself when it is done with a closed shard.
    ends_shards: bool,
    /// When it was last heard of.
    seen_at: u64,
    /// It waits for records, or for its turn to give a lease back.
    waiting: bool,
}

impl Worker {
    /// When others may take its leases, if it is not heard of before.
    fn expires_at(&self) -> Option<u64> {
        (!self.waiting).then(|| self.seen_at.saturating_add(self.lease_ms))
    }
}

/// The state of a consumer group.
#[derive(Debug)]
pub(crate) struct GroupState {
    pub(crate) id: u64,
    pub(crate) leases: BTreeMap<u32, Lease>,
    pub(super) workers: BTreeMap<u64, Worker>,
    next_worker: u64,
    next_token: u64,
    /// Grows with every change of who holds what: a worker that has seen the newest need not look again.
    changes: u64,
}

impl GroupState {
    pub(crate) fn new(id: u64, progress: impl IntoIterator<Item = (u32, Progress)>) -> Self {
        let lease = |(shard, progress)| (shard, Lease { progress, holder: None });
        let leases = progress.into_iter().map(lease).collect();
        Self { id, leases, workers: BTreeMap::new(), next_worker: 0, next_token: 0, changes: 0 }
    }

    pub(crate) fn join(&mut self, lease_ms: u64, ends_shards: bool, now: u64) -> u64 {
        let worker = self.next_worker;
        self.next_worker += 1;
        self.workers.insert(worker, Worker { lease_ms, ends_shards, seen_at: now, waiting: false });
        worker
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Makes every worker look again.
    pub(crate) fn changed(&mut self) {
        self.changes += 1;
    }

    /// The worker is gone: its leases are free.
    pub(crate) fn leave(&mut self, worker: u64) {
        self.changed();
        self.workers.remove(&worker);
        for lease in self.leases.values_mut() {
            lease.holder = lease.holder.filter(|holder| holder.worker != worker);
        }
    }

    pub(crate) fn has_workers(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Brings the leases up to date with the shards: shards whose parents are consumed get one, and shards that are gone lose
    /// theirs.
    pub(crate) fn follow(&mut self, stream: &StreamState, batch: &mut Batch) {
        let gone: Vec<u32> =
            self.leases.keys().copied().filter(|shard| stream.shard(ShardId(*shard)).is_none()).collect();
        for shard in gone {
            self.changed();
            self.leases.remove(&shard);
            batch.delete_meta(&keys::group_lease(self.id, u64::from(shard)));
        }
        let mut more = true;
        while more {
            more = false;
            for shard in stream.shards() {
                let number = shard.definition.number;
                if !self.leases.contains_key(&number) && self.parents_are_consumed(shard, stream) {
                    let progress = Progress { next: 0, ended: false };
                    self.leases.insert(number, Lease { progress, holder: None });
                    self.save(number, batch);
                }
                more |= self.end_if_consumed(shard, stream, batch);
            }
        }
    }

    /// Notes that a closed shard is consumed to its end, if it is. Returns whether that is new.
    fn end_if_consumed(&mut self, shard: &Shard, stream: &StreamState, batch: &mut Batch) -> bool {
        let number = shard.definition.number;
        // A shard without records is not passed over while those that it came from are being consumed.
        let is_next = self.parents_are_consumed(shard, stream);
        let Some(lease) = self.leases.get_mut(&number) else { return false };
        let consumed = is_next && !shard.is_open() && lease.progress.next.max(shard.head) >= shard.tail();
        let ends_itself =
            |holder: Holder| self.workers.get(&holder.worker).is_some_and(|one| one.ends_shards);
        if lease.progress.ended || !consumed || lease.holder.is_some_and(ends_itself) {
            return false;
        }
        lease.progress = Progress { next: shard.tail(), ended: true };
        lease.holder = None;
        self.changed();
        self.save(number, batch);
        true
    }

    fn parents_are_consumed(&self, shard: &Shard, stream: &StreamState) -> bool {
        let consumed = |parent: u32| match self.leases.get(&parent) {
            Some(lease) => lease.progress.ended,
            None => stream.shard(ShardId(parent)).is_none(),
        };
        seeded("child-before-its-parent") || shard.definition.parents.into_iter().flatten().all(consumed)
    }

    /// Whether a lease can be held now: there is something to consume, and what comes before it is consumed.
    pub(super) fn is_due(&self, number: u32, stream: &StreamState) -> bool {
        let lease = &self.leases[&number];
        let shard = stream.shard(ShardId(number));
        !lease.progress.ended && shard.is_some_and(|shard| self.parents_are_consumed(shard, stream))
    }

    /// Its holder is done with a closed shard, if it has checkpointed all of it. Returns whether it has.
    pub(crate) fn end(&mut self, shard: &Shard, stream: &StreamState, token: u64, batch: &mut Batch) -> bool {
        if let Some(lease) = self.leases.get_mut(&shard.definition.number)
            && lease.progress.next.max(shard.head) >= shard.tail()
        {
            lease.holder = lease.holder.filter(|holder| holder.token != token);
        }
        self.end_if_consumed(shard, stream, batch)
    }

    pub(super) fn has_expired(&self, holder: &Holder, now: u64) -> bool {
        let expires_at = self.workers.get(&holder.worker).map_or(Some(0), Worker::expires_at);
        expires_at.is_some_and(|at| at <= now)
    }

    /// A worker is heard of: what it holds stays with it.
    pub(crate) fn hear(&mut self, worker: u64, waiting: bool, now: u64) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            (worker.seen_at, worker.waiting) = (now, waiting);
        }
    }

    /// What a worker holds; what it has lost is not there any more.
    pub(crate) fn held_by(&self, worker: u64) -> Vec<Held> {
        let held = |(number, lease): (&u32, &Lease)| {
            let Holder { token, asked_back_for, .. } =
                lease.holder.filter(|holder| holder.worker == worker)?;
            let asked_back = asked_back_for.is_some();
            Some(Held { shard: ShardId(*number), token, next: lease.progress.next, asked_back })
        };
        self.leases.iter().filter_map(held).collect()
    }

    /// Gives a lease back, if this token is the latest: to the worker that asked for it, or to whoever takes it. Were it free
    /// in between, the one that gave it back could take it again, for ever.
    pub(crate) fn give_back(&mut self, shard: ShardId, token: u64) {
        let Some(lease) = self.leases.get_mut(&shard.0) else { return };
        let Some(before) = lease.holder.filter(|holder| holder.token == token) else { return };
        self.changes += 1;
        lease.holder = None;
        if let Some(worker) = before.asked_back_for.filter(|worker| self.workers.contains_key(worker)) {
            lease.holder = Some(Holder { worker, token: self.next_token, asked_back_for: None });
            self.next_token += 1;
        }
    }

    /// Gives a lease to a worker. Returns who had it.
    pub(super) fn take(&mut self, number: u32, worker: u64) -> Option<Holder> {
        let lease = self.leases.get_mut(&number)?;
        self.changes += 1;
        let new = Holder { worker, token: self.next_token, asked_back_for: None };
        self.next_token += 1;
        lease.holder.replace(new)
    }

    /// When the next lease of others expires. Not one that has: who could take it has had the occasion, and looking again
    /// and again would change nothing.
    pub(crate) fn next_expiry(&self, but_of: u64, now: u64) -> Option<u64> {
        let holders = self.leases.values().filter_map(|lease| lease.holder);
        let others = holders.filter(|holder| holder.worker != but_of);
        let expiry = |holder: Holder| self.workers.get(&holder.worker)?.expires_at();
        others.filter_map(expiry).filter(|at| *at > now).min()
    }

    /// Moves the checkpoint of a shard: everything below `next` is consumed. It never goes back, and only the holder of the
    /// latest token moves it (rule K82).
    pub(crate) fn checkpoint(
        &mut self,
        shard: ShardId,
        token: u64,
        next: u64,
        now: u64,
        batch: &mut Batch,
    ) -> Result<()> {
        let holder = self.may_checkpoint(shard, token, next)?;
        if let Some(worker) = self.workers.get_mut(&holder.worker) {
            worker.seen_at = now;
        }
        if let Some(lease) = self.leases.get_mut(&shard.0).filter(|lease| next > lease.progress.next) {
            lease.progress.next = next + u64::from(seeded("checkpoint-ahead"));
            self.save(shard.0, batch);
        }
        Ok(())
    }

    /// The first sequence of a shard that is not consumed; zero if there is no lease of it.
    pub(crate) fn consumed(&self, shard: ShardId) -> u64 {
        self.leases.get(&shard.0).map_or(0, |lease| lease.progress.next)
    }

    /// Refuses a checkpoint that cannot be moved. Returns who holds the lease.
    pub(crate) fn may_checkpoint(&self, shard: ShardId, token: u64, next: u64) -> Result<Holder> {
        let lost = || Error::LeaseLost { shard };
        let lease = self.leases.get(&shard.0).ok_or_else(lost)?;
        let latest = |holder: &Holder| holder.token == token || seeded("checkpoint-of-an-old-lease");
        let holder = lease.holder.filter(latest).ok_or_else(lost)?;
        if next < lease.progress.next {
            let reason = format!("is before the checkpoint of {shard}");
            return Err(Error::invalid("checkpoint", next, reason));
        }
        Ok(holder)
    }

    pub(crate) fn save(&self, shard: u32, batch: &mut Batch) {
        if let Some(lease) = self.leases.get(&shard) {
            let behind = u64::from(seeded("checkpoint-not-persisted"));
            let progress = Progress { next: lease.progress.next.saturating_sub(behind), ..lease.progress };
            let json = serde_json::to_vec(&progress).expect("plain numbers");
            batch.put_meta(&keys::group_lease(self.id, u64::from(shard)), &json);
        }
    }
}

#[cfg(test)]
mod tests;
