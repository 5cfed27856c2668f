//! Creating, opening, deleting and listing topics.

use std::{collections::BTreeMap, sync::Arc};

use super::{Broker, Entities, TopicBuilder};
use crate::{
    error::{Error, Result},
    keys,
    pipeline::Ticket,
    queue::{ROW_OVERHEAD_MAX, check as queue_check, record::Record},
    reclaim,
    storage::{Batch, Durability},
    topic::{
        LocalTopic, check,
        envelope::Envelope,
        settings::{Settings, TopicSettings},
        shell::TopicCell,
        state::TopicState,
        stored::{SubscriptionDefinition, TopicDefinition},
    },
};

impl Broker {
    /// The topic of this name, created if there is none. Await it, after setting what should differ from the defaults.
    ///
    /// If the topic exists, the settings given must be those it has now; none given is always fine (rule N2).
    pub fn topic(&self, name: impl Into<String>) -> TopicBuilder {
        TopicBuilder::new(self.clone(), name.into())
    }

    /// The topic of this name, if there is one.
    pub(crate) fn topic_cell(&self, name: &str) -> Option<Arc<TopicCell>> {
        self.entities.lock().topics.get(name).cloned()
    }

    /// The topic of this name, which must exist. Cancel safe.
    pub async fn open_topic(&self, name: &str) -> Result<LocalTopic> {
        let cell = self.topic_cell(name).ok_or_else(|| Error::TopicDoesNotExist { name: name.to_owned() })?;
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(LocalTopic { cell, broker: self.clone() })
    }

    /// Creates a topic, or opens it if it exists with these settings and, if any are given, these tags (rule N2).
    ///
    /// Cancel safe in this sense: a dropped call has created the topic or not, and later calls agree on which.
    pub async fn create_topic(
        &self,
        name: &str,
        settings: &TopicSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<LocalTopic> {
        let limits = &self.engine.limits;
        let pipeline = &self.engine.pipeline;
        let value_bytes_max = pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        settings.check(limits, value_bytes_max)?;
        queue_check::tags(tags, limits)?;
        let (cell, ticket) = {
            let mut entities = self.entities.lock();
            if let Some(cell) = entities.topics.get(name).cloned() {
                let inner = cell.inner.lock();
                let tags_differ = (!tags.is_empty() && *tags != inner.tags).then_some("tags");
                if let Some(attribute) = inner.state.settings.first_difference(settings).or(tags_differ) {
                    return Err(Error::TopicExists { name: name.to_owned(), attribute });
                }
                drop(inner);
                (cell, pipeline.barrier()?)
            } else {
                let fifo = settings.fifo == Some(true);
                check::topic_name(name, fifo, limits)?;
                let settings = Settings::new(limits, value_bytes_max, settings)?;
                let max = if fifo { limits.topics.fifo_max } else { limits.topics.standard_max };
                if entities.topics.values().filter(|cell| cell.fifo == fifo).count() >= max {
                    return Err(Error::TooMany { what: "topics of this type", max });
                }
                self.add_topic(&mut entities, name, settings, tags.clone())?
            }
        };
        ticket.wait().await?;
        Ok(LocalTopic { cell, broker: self.clone() })
    }

    fn add_topic(
        &self,
        entities: &mut Entities,
        name: &str,
        settings: Settings,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<TopicCell>, Ticket)> {
        let now = self.engine.timeline.now();
        let mut batch = Batch::new();
        let mut ids = self.engine.ids.lock();
        let (id, partition) = (ids.take(&mut batch), ids.take(&mut batch));
        let record = Record { partition, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: now };
        batch.put_meta(&keys::record(id), &record.encode());
        let definition = TopicDefinition { id, settings, tags, created_at: now, archived_from: 0 };
        definition.save(name, &mut batch);
        let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
        drop(ids);
        let TopicDefinition { settings, tags, .. } = definition;
        let state = TopicState::new(id, settings, &record, false);
        let cell = TopicCell::new(name.to_owned(), self.engine.clone(), state, tags, now);
        entities.topics.insert(name.to_owned(), cell.clone());
        Ok((cell, ticket))
    }

    /// Deletes a topic with its subscriptions, and what waits for push subscribers. One that does not exist is no error
    /// (rule N3). One that keeps an archive cannot be deleted until that is given up (rule N84).
    ///
    /// Cancel safe in this sense: a dropped call has deleted the topic or not.
    pub async fn delete_topic(&self, name: &str) -> Result<()> {
        let (leftovers, ticket) = {
            let mut entities = self.entities.lock();
            let Some(cell) = entities.topics.get(name).cloned() else { return Ok(()) };
            let mut inner = cell.inner.lock();
            if inner.archives() {
                let reason = "it keeps an archive, which must be given up first".into();
                return Err(Error::InvalidState { name: name.to_owned(), reason });
            }
            let mut batch = Batch::new();
            batch.delete_meta(&keys::topic(name));
            batch.delete_meta(&keys::record(cell.id));
            let mut leftovers = vec![inner.state.leftover()];
            reclaim::note(leftovers[0], &mut batch);
            for one in inner.state.subscriptions.iter() {
                SubscriptionDefinition::delete(cell.id, one.number, &mut batch);
                leftovers.extend(one.backlog.as_ref().map(|backlog| backlog.end(&mut batch)));
            }
            let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
            inner.state.deleted = true;
            entities.topics.remove(name);
            (leftovers, ticket)
        };
        // At once, so that it happens also if this call is dropped: all its commits come behind the deletion's own.
        for leftover in leftovers {
            reclaim::start(&self.engine, leftover);
        }
        ticket.wait().await
    }

    /// The names of the topics, in order; a creation or deletion that is being committed shows already.
    pub fn list_topics(&self) -> Vec<String> {
        let mut names: Vec<_> = self.entities.lock().topics.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// What the JSON envelope of topics says beyond the message, from the next publish on, in place of what was set before:
    /// for whoever speaks a protocol for a broker that is open already.
    pub fn set_envelope(&self, envelope: impl Envelope) {
        self.engine.envelope.set(Arc::new(envelope));
    }

    /// How many subscriptions of all topics have a filter policy.
    pub(crate) fn filter_policies(&self) -> usize {
        let entities = self.entities.lock();
        entities.topics.values().map(|cell| cell.inner.lock().filter_policies()).sum()
    }
}
