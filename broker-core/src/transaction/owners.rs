//! What a transaction locks before the queues.

use std::sync::Arc;

use super::{by_id::ById, plan::Parts};
use crate::{
    error::Error,
    storage::Durability,
    stream::{
        group::{Checkpoint, GroupCell, state::GroupState},
        shell::{StreamCell, StreamInner},
    },
    sync::MutexGuard,
    topic::shell::{TopicInner, TopicPart},
};

/// Topics and streams by their ids, and consumer groups inside the locks of their streams.
pub(super) struct Owners<'a> {
    pub(super) topics: ById<MutexGuard<'a, TopicInner>>,
    pub(super) streams: ById<MutexGuard<'a, StreamInner>>,
    pub(super) groups: ById<MutexGuard<'a, GroupState>>,
}

/// Consumer groups by what they are known by.
pub(super) type Groups = ById<Arc<GroupCell>>;

/// What a group is known by while it is locked: one that was deleted may have the name of another.
pub(super) fn group_of(checkpoint: &Checkpoint) -> u64 {
    Arc::as_ptr(checkpoint.group()).addr() as u64
}

/// Why not all of them can be locked.
pub(super) enum Refused {
    /// The one of this id is gone.
    Gone(u64, Error),
    /// The subscriptions of a topic are not what they were.
    Changed,
}

impl<'a> Owners<'a> {
    /// Locks topics and streams in the order of their ids, then the groups, and takes note of what is committed.
    pub(super) fn lock(
        topics: &'a ById<TopicPart, 0>,
        streams: &'a ById<Arc<StreamCell>>,
        groups: &'a Groups,
        parts: &Parts,
        completed: u64,
    ) -> Result<Self, Refused> {
        let mut locked = Self { topics: ById::default(), streams: ById::default(), groups: ById::default() };
        // Their ids are of one kind.
        let (mut topics, mut streams) = (topics.iter().peekable(), streams.iter().peekable());
        loop {
            let stream = streams.next_if(|(id, _)| topics.peek().is_none_or(|(topic, _)| id < topic));
            if let Some((id, cell)) = stream {
                let mut inner = cell.inner.lock();
                if inner.state.deleted {
                    return Err(Refused::Gone(id, cell.missing()));
                }
                inner.state.committed(completed);
                locked.streams.push(id, inner);
            } else if let Some((id, TopicPart { topic, .. })) = topics.next() {
                let mut inner = topic.cell.inner.lock();
                if inner.state.deleted {
                    return Err(Refused::Gone(id, topic.cell.missing()));
                }
                if !Arc::ptr_eq(&inner.state.subscriptions, &parts.plans[id].subscriptions) {
                    return Err(Refused::Changed);
                }
                inner.state.committed(completed);
                locked.topics.push(id, inner);
            } else {
                break;
            }
        }
        groups.iter().for_each(|(known_by, group)| locked.groups.push(known_by, group.state.lock()));
        Ok(locked)
    }

    /// The most that one of the topics and streams asks for.
    pub(super) fn durability(&self) -> Durability {
        let topics = self.topics.values().map(|inner| inner.state.settings.durability.into());
        let streams = self.streams.values().map(|inner| inner.state.settings.durability.into());
        topics.chain(streams).max().unwrap_or(Durability::Memory)
    }
}
