//! A consumer group of a stream. Its state is locked inside the lock of its stream, because
//! what is due depends on the shards.

use std::sync::Arc;

use super::{
    joint::Checkpoint,
    state::{GroupState, Progress},
    stored::GroupDefinition,
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    keys,
    queue::fetch::first_since,
    storage::Durability,
    stream::{
        LocalStream, number::RecordNumber, record::StartingPosition, shard::ShardId, shell::StreamInner,
        state::Shard,
    },
    sync::{Mutex, Notify},
};

/// What all workers of a group share.
pub(crate) struct GroupCell {
    pub(crate) name: String,
    /// Never held across an await. Locked after its stream.
    pub(crate) state: Mutex<GroupState>,
    /// Notified when leases change hands or are to.
    pub(crate) news: Notify,
}

impl GroupCell {
    pub(crate) fn new(name: String, state: GroupState) -> Arc<Self> {
        Arc::new(Self { name, state: Mutex::new(state), news: Notify::new() })
    }
}

/// A consumer group described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// The group's name.
    pub name: String,
    /// Its leases, in the order of the shards.
    pub leases: Vec<LeaseInfo>,
}

/// How far a group is in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseInfo {
    /// The shard.
    pub shard: ShardId,
    /// The number of the next record to be consumed.
    pub next: RecordNumber,
    /// Whether the shard is closed and consumed to its end.
    pub ended: bool,
    /// Whether a worker has it now.
    pub held: bool,
    /// How many records it has that were not consumed.
    pub behind: u64,
}

impl LocalStream {
    /// The groups that consume this stream, by name. Cancel safe.
    pub async fn consumer_groups(&self) -> Result<Vec<GroupInfo>> {
        let (groups, ticket) = self.cell.operate(Durability::Buffered, |inner, _| {
            let info = |group: &Arc<GroupCell>| {
                let state = group.state.lock();
                let leases = state.leases.iter().filter_map(|(number, lease)| {
                    let shard = inner.state.shard(ShardId(*number))?;
                    let Progress { next, ended } = lease.progress;
                    let behind = shard.readable().saturating_sub(next.max(shard.head));
                    let held = lease.holder.is_some();
                    Some(LeaseInfo { shard: ShardId(*number), next: shard.number(next), ended, held, behind })
                });
                GroupInfo { name: group.name.clone(), leases: leases.collect() }
            };
            Ok(inner.groups.values().map(info).collect())
        })?;
        ticket.wait().await?;
        Ok(groups)
    }

    /// Forgets a group and how far it was. Fails while it has workers; one that does not exist is no error. Cancel safe in
    /// this sense: a dropped call has done it or not.
    pub async fn delete_consumer_group(&self, name: &str) -> Result<()> {
        let ((), ticket) = self.cell.operate(Durability::Synced, |inner, _| {
            let Some(group) = inner.groups.get(name).cloned() else { return Ok(()) };
            let state = group.state.lock();
            if state.has_workers() {
                let reason = format!("its consumer group {name:?} has workers");
                return Err(Error::InvalidState { name: self.cell.name.clone(), reason });
            }
            let StreamInner { batch, groups, .. } = inner;
            batch.delete_meta(&keys::group(self.cell.id, name));
            batch.delete_meta_range(&keys::group_lease(state.id, 0), &keys::group_lease(state.id, u64::MAX));
            groups.remove(name);
            Ok(())
        })?;
        ticket.wait().await
    }

    /// The group of this name, made if there is none: then it begins where `start` says.
    pub(super) async fn group(&self, name: &str, start: StartingPosition) -> Result<Arc<GroupCell>> {
        let cell = &*self.cell;
        crate::stream::check::stream_name(name, &cell.engine.limits.streams)?;
        if let Some(group) = cell.inner.lock().groups.get(name).cloned() {
            return Ok(group);
        }
        let positions = self.positions(start).await?;
        let (group, ticket) = {
            // Before the stream's lock, and held until the batch that stores them is submitted.
            let mut ids = cell.engine.ids.lock();
            cell.operate(Durability::Synced, |inner, now| {
                // Somebody else may have made it meanwhile.
                if let Some(group) = inner.groups.get(name).cloned() {
                    return Ok(group);
                }
                let id = ids.take(&mut inner.batch);
                GroupDefinition { id, created_at: now }.save(cell.id, name, &mut inner.batch);
                let state = GroupState::new(id, positions.iter().copied());
                for (shard, _) in &positions {
                    state.save(*shard, &mut inner.batch);
                }
                let group = GroupCell::new(name.to_owned(), state);
                inner.groups.insert(name.to_owned(), group.clone());
                Ok(group)
            })?
        };
        ticket.wait().await?;
        Ok(group)
    }

    /// Where a new group begins in each shard that there is. Shards that come later are consumed from their beginning. One that has
    /// nothing to be consumed is not ended by that: those that it came from may have, and its children wait for those.
    pub(crate) async fn positions(&self, start: StartingPosition) -> Result<Vec<(u32, Progress)>> {
        let cell = &*self.cell;
        let view = |shard: &Shard| {
            let tail = if shard.is_open() { shard.readable() } else { shard.tail() };
            (shard.definition.number, shard.definition.partition, shard.head, tail)
        };
        let (shards, ticket) = cell.operate(Durability::Buffered, |inner, now| {
            match start {
                StartingPosition::At(number) | StartingPosition::After(number) => {
                    let reason = "a group begins in all shards: at the horizon, at the end or at a time";
                    return Err(Error::invalid("start", number, reason));
                }
                StartingPosition::AtTimestamp(time) if time.as_millis() > now => {
                    return Err(Error::invalid("start", format!("{time}"), "must not lie in the future"));
                }
                _ => {}
            }
            Ok(inner.state.shards().map(view).collect::<Vec<_>>())
        })?;
        ticket.wait().await?;
        let mut positions = Vec::with_capacity(shards.len());
        for (number, partition, head, tail) in shards {
            let next = match start {
                StartingPosition::AtTimestamp(time) => {
                    let time = Timestamp::as_millis(time);
                    let pipeline = &cell.engine.pipeline;
                    pipeline.read(move |store| first_since(store, partition, head..tail, time)).await?
                }
                StartingPosition::Latest => tail,
                _ => head,
            };
            positions.push((number, Progress { next, ended: false }));
        }
        Ok(positions)
    }
}

/// The right to move the checkpoint of a shard, as long as the lease is held.
#[derive(Clone)]
pub(crate) struct LeaseKey {
    pub(super) stream: LocalStream,
    pub(super) group: Arc<GroupCell>,
    pub(super) shard: ShardId,
    pub(super) token: u64,
}

impl LeaseKey {
    /// This is the end of a closed shard, if it is checkpointed to there. Returns whether it is.
    pub(super) async fn end(&self) -> Result<bool> {
        let cell = &*self.stream.cell;
        let durability = cell.inner.lock().state.settings.durability.into();
        let (ended, ticket) = cell.operate(durability, |inner, _| {
            let StreamInner { state: stream, batch, .. } = inner;
            let shard = stream.shard(self.shard);
            Ok(shard.is_none_or(|shard| self.group.state.lock().end(shard, stream, self.token, batch)))
        })?;
        ticket.wait().await?;
        if ended {
            // Its children are due now.
            self.group.news.notify_waiters();
        }
        Ok(ended)
    }

    /// Everything below this sequence is consumed.
    pub(super) async fn checkpoint(&self, next: u64) -> Result<()> {
        let cell = &*self.stream.cell;
        let durability = cell.inner.lock().state.settings.durability.into();
        let (ended, ticket) = cell.operate(durability, |inner, now| {
            let StreamInner { state: stream, batch, .. } = inner;
            let mut state = self.group.state.lock();
            let checkpoint = Checkpoint::new(self.clone(), next);
            checkpoint.check(stream, &state, None)?;
            checkpoint.apply(&mut state, now, batch)?;
            Ok(checkpoint.may_end(stream))
        })?;
        if ended {
            // Its children may be due now.
            self.group.news.notify_waiters();
        }
        ticket.wait().await
    }
}
