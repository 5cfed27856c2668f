//! Opening topics: from what is stored to the topics in memory. Costs a few small reads per topic and push subscription,
//! whatever waits in them.

use super::{
    backlog,
    stored::{self, SubscriptionDefinition, TopicDefinition},
};
use crate::{
    limits::MemoryBounds,
    queue::{record::Record, recovery, state::QueueState},
    storage::{Storage, StorageError},
};

/// A topic as it is read.
pub(crate) struct LoadedTopic {
    pub(crate) name: String,
    pub(crate) definition: TopicDefinition,
    pub(crate) record: Record,
    pub(crate) subscriptions: Vec<LoadedSubscription>,
}

pub(crate) struct LoadedSubscription {
    pub(crate) number: u64,
    pub(crate) definition: SubscriptionDefinition,
    /// A push subscriber: the record of its backlog, and its state once that is loaded.
    pub(crate) backlog: Option<(Record, Option<QueueState>)>,
}

/// Reads all topics, without what is in the backlogs.
pub(crate) fn read(store: &dyn Storage) -> Result<Vec<LoadedTopic>, StorageError> {
    let topic = |(name, definition): (String, TopicDefinition)| {
        let record = recovery::read_record(store, definition.id)?;
        let subscriptions = stored::subscriptions(store, definition.id)?;
        let subscriptions = subscriptions.into_iter().map(|(number, definition)| {
            let record = definition.push.map(|(_, id)| recovery::read_record(store, id)).transpose()?;
            Ok(LoadedSubscription { number, definition, backlog: record.map(|record| (record, None)) })
        });
        let subscriptions = subscriptions.collect::<Result<_, StorageError>>()?;
        Ok(LoadedTopic { name, definition, record, subscriptions })
    };
    stored::topics(store)?.into_iter().map(topic).collect()
}

impl LoadedTopic {
    /// The newest time in the topic's records.
    pub(crate) fn as_of(&self) -> u64 {
        let backlogs = self.backlogs().map(|(_, record)| record.as_of);
        backlogs.max().map_or(self.record.as_of, |newest| newest.max(self.record.as_of))
    }

    /// The ids of the topic and of what belongs to it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let own = [self.definition.id, self.record.partition];
        let backlogs = self.backlogs().flat_map(|(id, record)| [id, record.partition]);
        own.into_iter().chain(self.subscriptions.iter().map(|one| one.number)).chain(backlogs)
    }

    fn backlogs(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.subscriptions.iter().filter_map(|one| Some((one.definition.push?.1, &one.backlog.as_ref()?.0)))
    }

    /// Loads what was in flight in the backlogs. Whoever delivered has died with the last broker, so it is visible again.
    pub(crate) fn load_backlogs(
        &mut self,
        store: &dyn Storage,
        memory: MemoryBounds,
        now: u64,
    ) -> Result<(), StorageError> {
        for one in &mut self.subscriptions {
            if let (Some((order, id)), Some((record, state))) = (one.definition.push, &mut one.backlog) {
                let mut loaded = recovery::load(store, id, backlog::settings(order), memory, record, now)?;
                loaded.release_in_flight(now);
                *state = Some(loaded);
            }
        }
        Ok(())
    }
}
