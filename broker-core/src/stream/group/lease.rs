//! Leases one by one, for whoever runs shards in a way of his own: the traits, and how this broker fulfils them.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::pin,
    sync::Arc,
};

use async_trait::async_trait;

use super::{cell::LeaseKey, joint::Checkpoint, member::Member, state::Held};
use crate::{
    clock::{Clock, millis},
    error::{Error, Result},
    stream::{
        LocalStream, Stream, attributes::StreamAttributes, number::RecordNumber, record::StartingPosition,
        shard::ShardId,
    },
};

/// How long a worker may take to give a lease back that another worker is to have (rule K81).
const HAND_OVER_MS: u64 = 30_000;
/// The lease of a worker that is there as long as its membership, and is not measured by signs of life.
const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

/// A stream whose shards are shared by the workers of consumer groups, wherever it is.
///
/// Implementors owe: a group that is joined for the first time begins where it was told, and goes on behind its checkpoints ever
/// after; a shard is held by one worker of a group at a time; a shard that came from others is not given out before those were
/// [ended](ShardLease::end).
#[async_trait]
pub trait GroupStream: Stream {
    /// Joins a consumer group. If there is none of this name it is made, and begins here. Cancel safe in this sense: a dropped
    /// call has made the group or not.
    async fn join(&self, group: &str, from: StartingPosition) -> Result<Box<dyn GroupMember>>;

    /// Describes the stream: see [`LocalStream::attributes`].
    async fn attributes(&self) -> Result<StreamAttributes>;

    /// The clock by which records are put and expire.
    fn clock(&self) -> Arc<dyn Clock>;
}

/// A worker of a consumer group. Dropping it leaves the group: its leases are lost, and others get them.
#[async_trait]
pub trait GroupMember: Send {
    /// Waits until something changes in what this worker holds, and says what. Has to be called again and again, since this is
    /// also how others get their share. Cancel safe: what was not returned comes with the next call.
    async fn next(&mut self) -> Result<LeaseChange>;
}

/// What has changed for a worker of a group.
pub enum LeaseChange {
    /// It has got this lease.
    Got(Box<dyn ShardLease>),
    /// Another worker is to have the lease of this shard: checkpoint, and drop it. After 30 seconds it is lost.
    Wanted(ShardId),
    /// It does not have the lease of this shard any more.
    Lost(ShardId),
}

impl std::fmt::Debug for LeaseChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Got(lease) => write!(f, "Got({})", lease.shard()),
            Self::Wanted(shard) => write!(f, "Wanted({shard})"),
            Self::Lost(shard) => write!(f, "Lost({shard})"),
        }
    }
}

/// The right to consume a shard. Dropping it gives it back.
#[async_trait]
pub trait ShardLease: Send + Sync + 'static {
    /// The shard.
    fn shard(&self) -> ShardId;

    /// The number of the first record that is not consumed by now. It need not be there yet, or any more.
    fn next(&self) -> RecordNumber;

    /// This record of the shard and all before it are consumed: the group does not get them again.
    ///
    /// Fails with [`Error::LeaseLost`] if somebody else has the shard now, and refuses to go back. Returns when it has the stream's
    /// durability. Cancel safe in this sense: a dropped call has moved the checkpoint or not.
    async fn checkpoint(&self, last: RecordNumber) -> Result<()>;

    /// The same as something that a [`Transaction`](crate::Transaction) does. Refuses a record of another shard.
    fn at(&self, last: RecordNumber) -> Result<Checkpoint>;

    /// Says that the shard was closed and is consumed to its end, so that those that came from it can be consumed. Returns
    /// whether it is. Cancel safe in the same sense.
    async fn end(&self) -> Result<bool>;
}

#[async_trait]
impl GroupStream for LocalStream {
    async fn join(&self, group: &str, from: StartingPosition) -> Result<Box<dyn GroupMember>> {
        let group = self.group(group, from).await?;
        Ok(Box::new(Leases::new(Member::join(self.clone(), group, millis(LEASE), true))))
    }

    async fn attributes(&self) -> Result<StreamAttributes> {
        LocalStream::attributes(self).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.cell.engine.timeline.as_clock()
    }
}

/// A lease of this broker.
pub(super) struct LocalLease {
    pub(super) key: LeaseKey,
    /// The first sequence that is not consumed.
    pub(super) position: u64,
    next: RecordNumber,
}

impl Drop for LocalLease {
    fn drop(&mut self) {
        let LeaseKey { group, shard, token, .. } = &self.key;
        group.state.lock().give_back(*shard, *token);
        group.news.notify_waiters();
    }
}

#[async_trait]
impl ShardLease for LocalLease {
    fn shard(&self) -> ShardId {
        self.key.shard
    }

    fn next(&self) -> RecordNumber {
        let consumed = self.key.group.state.lock().consumed(self.key.shard);
        RecordNumber { seq: self.next.seq.max(consumed), ..self.next }
    }

    async fn checkpoint(&self, last: RecordNumber) -> Result<()> {
        self.key.checkpoint(self.behind(last)?).await
    }

    fn at(&self, last: RecordNumber) -> Result<Checkpoint> {
        Ok(Checkpoint::new(self.key.clone(), self.behind(last)?))
    }

    async fn end(&self) -> Result<bool> {
        self.key.end().await
    }
}

impl LocalLease {
    /// The sequence behind a record, which must be of this shard.
    fn behind(&self, last: RecordNumber) -> Result<u64> {
        if (last.shard, last.epoch) != (self.next.shard, self.next.epoch) {
            let reason = format!("is not of {}", self.key.shard);
            return Err(Error::invalid("checkpoint", last, reason));
        }
        Ok(last.seq.saturating_add(1))
    }
}

/// What a change is in this broker.
pub(super) enum Change {
    Got(LocalLease),
    Wanted(ShardId),
    Lost(ShardId),
}

/// The leases of a worker, as it has been told of them.
pub(super) struct Leases {
    member: Member,
    told: BTreeMap<ShardId, Told>,
    changes: VecDeque<Change>,
}

struct Told {
    token: u64,
    /// When the lease is taken from it, if it was asked to give it back.
    gives_back_by: Option<u64>,
}

#[async_trait]
impl GroupMember for Leases {
    async fn next(&mut self) -> Result<LeaseChange> {
        Ok(match self.change().await? {
            Change::Got(lease) => LeaseChange::Got(Box::new(lease)),
            Change::Wanted(shard) => LeaseChange::Wanted(shard),
            Change::Lost(shard) => LeaseChange::Lost(shard),
        })
    }
}

impl Leases {
    pub(super) fn new(member: Member) -> Self {
        Self { member, told: BTreeMap::new(), changes: VecDeque::new() }
    }

    /// The next change. While this is polled, nothing is lost to others for lack of a sign of life. Cancel safe.
    pub(super) async fn change(&mut self) -> Result<Change> {
        let cell = self.member.stream.cell.clone();
        let group = self.member.group.clone();
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(change);
            }
            // Enabled before the look: what happens after it is not missed.
            let mut leases = pin!(group.news.notified());
            leases.as_mut().enable();
            let mut news = pin!(cell.news().notified());
            news.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            let next = self.follow()?;
            if !self.changes.is_empty() {
                continue;
            }
            let alarm = cell.engine.timeline.sleep_until_any(next);
            tokio::select! {
                biased;
                () = leases => {}
                () = news => {}
                () = stopped => {}
                () = alarm => {}
            }
        }
    }

    /// Notes what has changed. Returns when to look again.
    fn follow(&mut self) -> Result<Option<u64>> {
        let now = self.member.stream.cell.engine.timeline.now();
        let (held, in_sync) = self.member.sync()?;
        let changes = &mut self.changes;
        self.told.retain(|shard, told| {
            let still = held.iter().any(|held| held.shard == *shard && held.token == told.token);
            if !still {
                changes.push_back(Change::Lost(*shard));
            }
            still
        });
        let mut next = None;
        for one in held {
            let Some(told) = self.told.get_mut(&one.shard) else {
                self.told.insert(one.shard, Told { token: one.token, gives_back_by: None });
                let lease = self.lease(one);
                self.changes.push_back(Change::Got(lease));
                continue;
            };
            if !one.asked_back {
                continue;
            }
            let by = *told.gives_back_by.get_or_insert_with(|| {
                self.changes.push_back(Change::Wanted(one.shard));
                now.saturating_add(HAND_OVER_MS)
            });
            if by <= now {
                self.told.remove(&one.shard);
                self.changes.push_back(Change::Lost(one.shard));
                self.member.give_back(one.shard, one.token);
            } else {
                next = Some(next.map_or(by, |next: u64| next.min(by)));
            }
        }
        // It is alive as long as it is a member.
        let expiry = self.member.stay(&in_sync);
        Ok([next, expiry].into_iter().flatten().min())
    }

    fn lease(&self, held: Held) -> LocalLease {
        let Held { shard, token, next: position, .. } = held;
        let stream = self.member.stream.clone();
        let next = stream.number(shard, position);
        LocalLease {
            key: LeaseKey { stream, group: self.member.group.clone(), shard, token },
            position,
            next,
        }
    }
}
